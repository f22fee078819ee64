"""Portfolios: what a tenant's clients show together, kept at hand until new events come."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

from app.core.events import Event
from app.core.facts import gather
from app.core.policy import Policy
from app.core.portfolio import Portfolio, Share, portfolio_of
from app.core.shares import share_of
from app.use_cases.histories import Histories
from app.use_cases.recent import Recent
from app.use_cases.viewpoint import Viewpoint

__all__ = ["Portfolios", "Supposed"]

_PORTFOLIOS = 64
_SHARES = 100_000


@dataclass(frozen=True, slots=True)
class Supposed:
    """One client's events as somebody supposes them to be."""

    client_id: str
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class _Day:
    """What a share is kept under: the local day that begins, what was known, and the policy's version."""

    day: date
    known_at: datetime | None
    policy_version: str

    @classmethod
    def of(cls, policy: Policy, viewpoint: Viewpoint) -> Self:
        """The day of a viewpoint in the tenant's zone."""
        return cls(policy.calendar.day_of(viewpoint.as_of), viewpoint.known_at, policy.version)


class Portfolios:
    """Puts together portfolios as they stood when the tenant's local day began.

    So all answers of a day are held against the same; what is new of one client is worked out for that client alone.
    """

    def __init__(self, histories: Histories) -> None:
        """Read clients' events."""
        self._histories = histories
        self._portfolios: Recent[tuple[str, int, _Day], Portfolio] = Recent(_PORTFOLIOS)
        self._shares: Recent[tuple[str, str, _Day], tuple[int, Share]] = Recent(_SHARES)

    async def seen_from(
        self, tenant_id: str, policy: Policy, viewpoint: Viewpoint, revisions: Mapping[str, int]
    ) -> Portfolio:
        """The portfolio for answers from a viewpoint.

        Args:
            tenant_id: whose portfolio.
            policy: the tenant's settings.
            viewpoint: any instant of the day, and what was known.
            revisions: all clients of the tenant, with revisions that were read before.
        """
        day = _Day.of(policy, viewpoint)
        # Their sum would not do: clients are erased, and others come.
        key = (tenant_id, hash(frozenset(revisions.items())), day)
        portfolio = self._portfolios.get(key)
        if portfolio is None:
            shares = await self._shares_on(tenant_id, policy, day, revisions)
            portfolio = await asyncio.to_thread(portfolio_of, shares, policy)
            self._portfolios.put(key, portfolio)
        return portfolio

    async def supposing(
        self, tenant_id: str, policy: Policy, viewpoint: Viewpoint, revisions: Mapping[str, int], supposed: Supposed
    ) -> Portfolio:
        """The same, if one client had other events than it has; it is not kept."""
        day = _Day.of(policy, viewpoint)
        shares = await self._shares_on(tenant_id, policy, day, revisions)

        def work() -> Portfolio:
            return portfolio_of(shares | _shares({supposed.client_id: supposed.events}, policy, day), policy)

        return await asyncio.to_thread(work)

    async def _shares_on(
        self, tenant_id: str, policy: Policy, day: _Day, revisions: Mapping[str, int]
    ) -> dict[str, Share]:
        shares: dict[str, Share] = {}
        missing: dict[str, int] = {}
        for client_id, revision in revisions.items():
            kept = self._shares.get((tenant_id, client_id, day))
            if kept is not None and kept[0] == revision:
                shares[client_id] = kept[1]
            else:
                missing[client_id] = revision

        async for group in self._histories.groups(tenant_id, missing):
            found = await asyncio.to_thread(_shares, group, policy, day)
            shares |= found
            for client_id, share in found.items():
                self._shares.put((tenant_id, client_id, day), (missing[client_id], share))
        return shares


def _shares(histories: Mapping[str, Sequence[Event]], policy: Policy, day: _Day) -> dict[str, Share]:
    began = policy.calendar.end_of(day.day - timedelta(days=1))
    return {
        client_id: share_of(gather(events, policy, began, day.known_at), policy)
        for client_id, events in histories.items()
    }
