"""Assess clients: from their events to the answer, one client or all of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from app.core.assessment import Assessment, Verdict, assess
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, Policy
from app.core.portfolio import Portfolio
from app.ports.clock import Clock
from app.use_cases.errors import NotFoundError
from app.use_cases.histories import Histories
from app.use_cases.portfolios import Portfolios
from app.use_cases.recent import Recent

__all__ = ["AssessClients", "Ranked"]

_RANKED = 20_000
"""Clients in rankings kept at hand: the pages of one list are cut from one ranking."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One client's place in the ranking."""

    client_id: str
    assessment: Assessment


class AssessClients:
    """Answers how relationships stand."""

    def __init__(self, histories: Histories, portfolios: Portfolios, clock: Clock) -> None:
        """Weigh histories against portfolios, at the time of a clock."""
        self._histories = histories
        self._portfolios = portfolios
        self._clock = clock
        self._rankings: Recent[tuple[str, int, datetime, str], list[Ranked]] = Recent(_RANKED)

    def policy(self, tenant_id: str) -> Policy:
        """The tenant's active policy: the default one, until tenants can have their own."""
        del tenant_id
        return DEFAULT_POLICY

    def moment(self, as_of: datetime | date | None, tenant_id: str) -> datetime:
        """The instant that is meant: now by default, and for a day its end in the tenant's zone."""
        if as_of is None:
            return self._clock.now()
        if isinstance(as_of, datetime):
            return as_of.astimezone(UTC)
        return self.policy(tenant_id).calendar.end_of(as_of)

    async def one(self, tenant_id: str, client_id: str, as_of: datetime) -> Assessment:
        """Assess one client.

        Raises:
            NotFoundError: no event ever named that client.
        """
        policy = self.policy(tenant_id)
        revisions = await self._histories.revisions(tenant_id)
        if client_id not in revisions:
            raise NotFoundError(f"there is no client {client_id!r}")
        portfolio = await self._portfolios.on(tenant_id, policy, as_of, revisions)
        async for group in self._histories.groups(tenant_id, {client_id: revisions[client_id]}):
            (ranked,) = await asyncio.to_thread(_assess_all, group, policy, portfolio, as_of)
            return ranked.assessment
        raise AssertionError("a client that is known has events")

    async def ranking(self, tenant_id: str, as_of: datetime, verdict: Verdict | None) -> list[Ranked]:
        """All clients, the highest score first; with a verdict only those who have it."""
        policy = self.policy(tenant_id)
        revisions = await self._histories.revisions(tenant_id)
        key = (tenant_id, sum(revisions.values()), as_of, policy.version)
        ranked = self._rankings.get(key)
        if ranked is None:
            portfolio = await self._portfolios.on(tenant_id, policy, as_of, revisions)
            ranked = []
            async for group in self._histories.groups(tenant_id, revisions):
                ranked += await asyncio.to_thread(_assess_all, group, policy, portfolio, as_of)
            ranked.sort(key=lambda one: (-one.assessment.score, one.client_id))
            self._rankings.put(key, ranked, len(ranked))
        return [one for one in ranked if verdict is None or one.assessment.verdict is verdict]


def _assess_all(
    histories: Mapping[str, list[Event]], policy: Policy, portfolio: Portfolio, as_of: datetime
) -> list[Ranked]:
    """Done beside the event loop, which must not wait for it."""
    return [
        Ranked(client_id, assess(gather(events, policy.calendar, as_of), policy, portfolio.beside(client_id)))
        for client_id, events in histories.items()
    ]
