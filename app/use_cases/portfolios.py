"""Portfolios: what a tenant's clients show together, kept at hand until new events come."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from app.core.events import Event
from app.core.facts import gather
from app.core.policy import Policy
from app.core.portfolio import Portfolio, Share, portfolio_of, share_of
from app.use_cases.histories import Histories
from app.use_cases.recent import Recent

__all__ = ["Portfolios"]

_PORTFOLIOS = 64
_SHARES = 100_000


class Portfolios:
    """Puts together portfolios as they stood when the tenant's local day began.

    So all answers of a day are held against the same; what is new of one client is worked out for that client alone.
    """

    def __init__(self, histories: Histories) -> None:
        """Read clients' events."""
        self._histories = histories
        self._portfolios: Recent[tuple[str, int, date, str], Portfolio] = Recent(_PORTFOLIOS)
        self._shares: Recent[tuple[str, str, date, str], tuple[int, Share]] = Recent(_SHARES)

    async def on(self, tenant_id: str, policy: Policy, as_of: datetime, revisions: Mapping[str, int]) -> Portfolio:
        """The portfolio for answers as of an instant.

        Args:
            tenant_id: whose portfolio.
            policy: the tenant's settings.
            as_of: any instant of the day.
            revisions: all clients of the tenant, with revisions that were read before.
        """
        day = policy.calendar.day_of(as_of)
        # Revisions only grow, and so does their sum.
        key = (tenant_id, sum(revisions.values()), day, policy.version)
        portfolio = self._portfolios.get(key)
        if portfolio is None:
            shares = await self._shares_on(tenant_id, policy, day, revisions)
            portfolio = await asyncio.to_thread(portfolio_of, shares, policy)
            self._portfolios.put(key, portfolio)
        return portfolio

    async def _shares_on(
        self, tenant_id: str, policy: Policy, day: date, revisions: Mapping[str, int]
    ) -> dict[str, Share]:
        began = policy.calendar.end_of(day - timedelta(days=1))
        shares: dict[str, Share] = {}
        missing: dict[str, int] = {}
        for client_id, revision in revisions.items():
            kept = self._shares.get((tenant_id, client_id, day, policy.version))
            if kept is not None and kept[0] == revision:
                shares[client_id] = kept[1]
            else:
                missing[client_id] = revision

        def work(group: Mapping[str, list[Event]]) -> dict[str, Share]:
            return {
                client_id: share_of(gather(events, policy.calendar, began), policy)
                for client_id, events in group.items()
            }

        async for group in self._histories.groups(tenant_id, missing):
            found = await asyncio.to_thread(work, group)
            shares |= found
            for client_id, share in found.items():
                self._shares.put((tenant_id, client_id, day, policy.version), (missing[client_id], share))
        return shares
