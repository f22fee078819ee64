"""Portfolios: what a tenant's clients show together. The present one is stored; those of other days are worked out."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from app.core.history import Reader, Told
from app.core.policy import Policy
from app.core.portfolio import Portfolio, Share, portfolio_of
from app.core.shares import share_of
from app.ports.clock import Clock
from app.ports.portfolios import ClientShare, DayOf, PortfolioState, PutTogether, StoredPortfolios
from app.ports.tracing import OFF, Tracing
from app.use_cases.fairness import acting_for
from app.use_cases.histories import Histories
from app.use_cases.policies import ManagePolicies
from app.use_cases.recall import Recall
from app.use_cases.recent import Recent
from app.use_cases.viewpoint import Viewpoint

__all__ = ["FEW", "Portfolios", "Present", "Supposed", "put_together", "shares_on"]

FEW: Final = 300
"""Up to so many clients, who reads puts the portfolio together himself when anything has changed."""
_KEPT: Final = 500_000
"""Clients in portfolios kept at hand, those without any rate too."""
_WALK: Final = 200
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Supposed:
    """One client's events as somebody supposes them to be."""

    client_id: str
    told: Told


@dataclass(frozen=True, slots=True)
class Present:
    """The portfolio that clients are held against at present.

    Attributes:
        number: names it.
        portfolio: it.
        few: whether the clients are so few that it is the newest whenever it is asked for.
    """

    number: int
    portfolio: Portfolio
    few: bool


class Portfolios:
    """Puts together portfolios as they stood when the tenant's local day began.

    So all answers of a day are held against the same. The present day's is stored with a number: what was held against
    another one is made anew. A worker puts it together when the day begins and when shares have changed; for few
    clients so does whoever reads, before he reads.
    """

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        histories: Histories,
        recall: Recall,
        stored: StoredPortfolios,
        policies: ManagePolicies,
        clock: Clock,
        lease: float,
        tracing: Tracing = OFF,
    ) -> None:
        """Read clients' events and the active policy, and store what they come to, at the time of a clock.

        Who claims a portfolio has so many seconds for each part of the work.
        """
        self._histories = histories
        self._recall = recall
        self._stored = stored
        self._policies = policies
        self._clock = clock
        self._lease = lease
        self._tracing = tracing
        self._present: Recent[str, tuple[int, Portfolio]] = Recent(_KEPT)
        self._other_days: Recent[tuple[str, int, DayOf, datetime | None], Portfolio] = Recent(_KEPT)
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def seen_from(self, tenant_id: str, policy: Policy, viewpoint: Viewpoint) -> tuple[int | None, Portfolio]:
        """The portfolio for answers from a viewpoint, by the active policy; with its number where it is the present."""
        if self._is_present(policy, viewpoint):
            present = await self.present(tenant_id, policy)
            return present.number, present.portfolio
        return None, await self.worked_out(tenant_id, policy, viewpoint)

    async def present(self, tenant_id: str, policy: Policy) -> Present:
        """The portfolio of today, or the newest that there is; by the active policy."""
        state = await self._stored.state(tenant_id, FEW)
        few = state.few
        if few and self._is_outdated(state, policy):
            # Those who come meanwhile wait for the one who puts it together.
            async with self._making.setdefault(tenant_id, asyncio.Lock()):
                state = await self._stored.state(tenant_id, FEW)
                if self._is_outdated(state, policy):
                    await self.renew(tenant_id)
                    state = await self._stored.state(tenant_id, FEW)
        loaded = await self._load(tenant_id, state.number)
        if loaded is None and state.number:
            # Another version of this program stored it.
            if few:
                await self.renew(tenant_id)
                loaded = await self._load(tenant_id, -1)
            else:
                await self._stored.hasten(tenant_id)
        # Until a worker has looked at all of many clients, nothing is known of them together.
        number, portfolio = loaded or (state.number, portfolio_of({}, policy))
        return Present(number, portfolio, few)

    async def supposing(self, tenant_id: str, policy: Policy, viewpoint: Viewpoint, supposed: Supposed) -> Portfolio:
        """The portfolio for answers from a viewpoint, if one client had other events than it has; it is not kept.

        It is the one that would be there right after those events were really sent: with many clients that is still the
        one of before.
        """
        of = _day_of(policy, viewpoint.as_of)
        if self._is_present(policy, viewpoint):
            present = await self.present(tenant_id, policy)
            if not present.few:
                return present.portfolio
            shares = {one.client_id: one.share for one in (await self._stored.shares(tenant_id, of)).values()}
        else:
            revisions = await self._histories.revisions(tenant_id)
            shares = await self._work_out(tenant_id, policy, of, viewpoint.known_at, revisions)

        def work() -> Portfolio:
            imagined = shares_on({supposed.client_id: supposed.told}, policy, of.day, viewpoint.known_at)
            return portfolio_of(shares | imagined, policy)

        return await asyncio.to_thread(work)

    async def worked_out(self, tenant_id: str, policy: Policy, viewpoint: Viewpoint) -> Portfolio:
        """The portfolio of any day and policy, from all events of all clients."""
        revisions = await self._histories.revisions(tenant_id)
        of = _day_of(policy, viewpoint.as_of)
        # Their sum would not do: clients are erased, and others come.
        key = (tenant_id, hash(frozenset(revisions.items())), of, viewpoint.known_at)
        portfolio = self._other_days.get(key)
        if portfolio is None:
            shares = await self._work_out(tenant_id, policy, of, viewpoint.known_at, revisions)
            portfolio = await asyncio.to_thread(portfolio_of, shares, policy)
            self._other_days.put(key, portfolio, len(shares) + 1)
        return portfolio

    async def learn(
        self,
        tenant_id: str,
        policy: Policy,
        revisions: Mapping[str, int],
    ) -> None:
        """Store today's shares of some clients, where they are not known yet.

        Args:
            tenant_id: whose.
            policy: the active one.
            revisions: the clients, with their revisions.
        """
        of = _day_of(policy, self._clock.now())
        known = await self._stored.shares(tenant_id, of, list(revisions))
        new = {
            client_id: revision
            for client_id, revision in revisions.items()
            if client_id not in known or known[client_id].revision != revision
        }
        if not new:
            return
        found = await self._work_out(tenant_id, policy, of, None, new)
        changed = any(client_id not in known or known[client_id].share != share for client_id, share in found.items())
        await self._stored.keep(tenant_id, of, _labelled(found, revisions), changed=changed)

    async def renew_next(self) -> str | None:
        """Put the portfolio together of some tenant for whom it is time: whose it was; None where there was none."""
        tenant_id = await self._stored.claim(self._lease)
        if tenant_id is not None:
            with acting_for(tenant_id):
                await self.renew(tenant_id)
        return tenant_id

    async def renew(self, tenant_id: str) -> None:
        """Put today's portfolio of a tenant together, store it, and let be due who was held against another.

        Every step is stored, so that whoever is killed meanwhile only leaves less to do.
        """
        with self._tracing.span("renew portfolio"):
            await self._renew(tenant_id)

    async def _renew(self, tenant_id: str) -> None:
        for _ in range(_ATTEMPTS):
            policy, of = await self._today(tenant_id)
            await self._learn_all(tenant_id, policy, of)
            # Before the shares are read: of what changes from here on, it is known that it may be missing.
            state = await self._stored.state(tenant_id, FEW)
            if (await self._today(tenant_id))[1] != of:
                continue
            shares = await self._stored.shares(tenant_id, of)
            made = await asyncio.to_thread(put_together, of, shares, policy)
            number = await self._stored.put(tenant_id, state, made, self._lease)
            if number is not None:
                place: str | None = None
                while (place := await self._stored.spread(tenant_id, number, place, _WALK)) is not None:
                    await self._stored.extend(tenant_id, self._lease)
                await self._stored.settle(tenant_id, state, number, policy.calendar.end_of(of.day))
                return
        # Others put it together at the same time, and theirs is stored.

    async def _learn_all(self, tenant_id: str, policy: Policy, of: DayOf) -> None:
        place = ""
        while missing := await self._stored.outdated(tenant_id, of, place, _WALK):
            place = next(reversed(missing))
            found = await self._work_out(tenant_id, policy, of, None, missing)
            await self._stored.keep(tenant_id, of, _labelled(found, missing), changed=False)
            if len(missing) < _WALK:
                return
            await self._stored.extend(tenant_id, self._lease)

    async def _load(self, tenant_id: str, number: int) -> tuple[int, Portfolio] | None:
        kept = self._present.get(tenant_id)
        if kept is None or kept[0] != number:
            kept = await self._stored.load(tenant_id) if number else None
            if kept is not None:
                self._present.put(tenant_id, kept, (kept[1].rates.clients if kept[1].rates else 0) + 1)
        return kept

    async def _today(self, tenant_id: str) -> tuple[Policy, DayOf]:
        policy = await self._policies.active(tenant_id)
        return policy, _day_of(policy, self._clock.now())

    def _is_present(self, policy: Policy, viewpoint: Viewpoint) -> bool:
        today = policy.calendar.day_of(self._clock.now())
        return viewpoint.known_at is None and policy.calendar.day_of(viewpoint.as_of) == today

    def _is_outdated(self, state: PortfolioState, policy: Policy) -> bool:
        if state.of != _day_of(policy, self._clock.now()):
            return True
        return state.fingerprint != state.fingerprint_now

    async def _work_out(
        self, tenant_id: str, policy: Policy, of: DayOf, known_at: datetime | None, revisions: Mapping[str, int]
    ) -> dict[str, Share]:
        def work(histories: Mapping[str, Told]) -> dict[str, Share]:
            return shares_on(histories, policy, of.day, known_at)

        shares: dict[str, Share] = {}
        async for some in self._recall.each(tenant_id, policy, revisions, [_began(policy, of.day)], known_at, work):
            shares |= some
        return shares


def put_together(of: DayOf, shares: Mapping[str, ClientShare], policy: Policy) -> PutTogether:
    """The portfolio of some shares, with what it is stored with."""
    alone = {client_id: one.share for client_id, one in shares.items()}
    return PutTogether(
        of=of,
        portfolio=portfolio_of(alone, policy),
        log_rates={
            client_id: (share.log_rate, share.hours) for client_id, share in alone.items() if share.log_rate is not None
        },
        revisions={client_id: one.revision for client_id, one in shares.items()},
    )


def _day_of(policy: Policy, instant: datetime) -> DayOf:
    return DayOf(policy.calendar.day_of(instant), policy.version)


def shares_on(
    histories: Mapping[str, Told], policy: Policy, day: date, known_at: datetime | None = None
) -> dict[str, Share]:
    """The shares of some clients as a local day begins, from their histories."""
    began = _began(policy, day)
    return {
        client_id: share_of(Reader(told, policy, known_at).facts(began), policy)
        for client_id, told in histories.items()
    }


def _began(policy: Policy, day: date) -> datetime:
    return policy.calendar.end_of(day - timedelta(days=1))


def _labelled(shares: Mapping[str, Share], revisions: Mapping[str, int]) -> list[ClientShare]:
    return [ClientShare(client_id, revisions[client_id], share) for client_id, share in shares.items()]
