"""Assess clients: from their events to the answer, one client or all of them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from app.core.assessment import Assessment, Verdict, assess
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, Policy
from app.core.portfolio import Portfolio, portfolio_of, share_of
from app.ports.clock import Clock
from app.use_cases.errors import NotFoundError
from app.use_cases.histories import Histories
from app.use_cases.recent import Recent

__all__ = ["AssessClients", "Ranked"]

_INLINE_EVENTS = 5_000
"""Above so many events the work is done beside the event loop, which must not wait for it."""
_PORTFOLIOS = 64
_RANKED = 20_000
"""Portfolios, and clients in rankings, kept at hand: the pages of one list are cut from one ranking."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One client's place in the ranking."""

    client_id: str
    assessment: Assessment


class AssessClients:
    """Answers how relationships stand.

    A client is held against the portfolio as it stood when the tenant's local day began, so that all answers of a day
    are held against the same.
    """

    def __init__(self, histories: Histories, clock: Clock) -> None:
        """Weigh histories at the time of a clock."""
        self._histories = histories
        self._clock = clock
        self._portfolios: Recent[tuple[str, int, date, str], Portfolio] = Recent(_PORTFOLIOS)
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
        events = await self._histories.of_client(tenant_id, client_id)
        if events is None:
            raise NotFoundError(f"there is no client {client_id!r}")
        portfolio = await self._portfolio(tenant_id, policy, as_of)
        facts = gather(events, policy.calendar, as_of)
        return assess(facts, policy, portfolio.beside(client_id))

    async def ranking(self, tenant_id: str, as_of: datetime, verdict: Verdict | None) -> list[Ranked]:
        """All clients, the highest score first; with a verdict only those who have it."""
        policy = self.policy(tenant_id)
        revisions, histories = await self._histories.of_all(tenant_id)
        key = (tenant_id, sum(revisions.values()), as_of, policy.version)
        ranked = self._rankings.get(key)
        if ranked is None:
            portfolio = await self._portfolio(tenant_id, policy, as_of)

            def work() -> list[Ranked]:
                found = [
                    Ranked(
                        client_id, assess(gather(events, policy.calendar, as_of), policy, portfolio.beside(client_id))
                    )
                    for client_id, events in histories.items()
                ]
                return sorted(found, key=lambda one: (-one.assessment.score, one.client_id))

            ranked = await _beside_the_loop(work, histories)
            self._rankings.put(key, ranked, len(ranked))
        return [one for one in ranked if verdict is None or one.assessment.verdict is verdict]

    async def _portfolio(self, tenant_id: str, policy: Policy, as_of: datetime) -> Portfolio:
        calendar = policy.calendar
        day = calendar.day_of(as_of)
        revisions, histories = await self._histories.of_all(tenant_id)
        key = (tenant_id, sum(revisions.values()), day, policy.version)
        portfolio = self._portfolios.get(key)
        if portfolio is None:
            began = calendar.end_of(day - timedelta(days=1))

            def work() -> Portfolio:
                shares = {
                    client_id: share_of(gather(events, calendar, began), policy)
                    for client_id, events in histories.items()
                }
                return portfolio_of(shares, policy)

            portfolio = await _beside_the_loop(work, histories)
            self._portfolios.put(key, portfolio)
        return portfolio


T = TypeVar("T")


async def _beside_the_loop(work: Callable[[], T], histories: Mapping[str, list[Event]]) -> T:
    """Do heavy work in a thread, light work at once."""
    if sum(map(len, histories.values())) > _INLINE_EVENTS:
        return await asyncio.to_thread(work)
    return work()
