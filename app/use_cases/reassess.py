"""Reassess: make stored assessments anew when events came or time has passed, so that lists can be cut from them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, Protocol
from weakref import WeakValueDictionary

from app.core.history import Told, history_of
from app.core.policy import Policy
from app.core.snapshot import instants_of, snapshot_of
from app.core.tally import tally_of
from app.ports.assessments import Assessments, Backlog, Made, Seen, VerdictChange
from app.ports.clock import Clock
from app.ports.ledger import StoreUnavailableError
from app.ports.tallies import Tallies
from app.ports.tracing import OFF, Tracing
from app.use_cases.fairness import acting_for
from app.use_cases.histories import Histories
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolios import FEW, Portfolios, Present
from app.use_cases.purposes import Evaluations, Purpose
from app.use_cases.recall import Recall
from app.use_cases.unheard import UNHEARD

__all__ = ["MOST_STALE", "Progress", "Reassess", "made_from"]

MOST_STALE: Final = 1_000
"""Stale clients are counted so far."""
_AT_ONCE: Final = 100
_MOST_BY_READERS: Final = 50
"""So many due clients of a large tenant are assessed by who asks for a list; more are left to the workers."""
_PATIENCE: Final = 2.0
"""Seconds that who asks for a list of few clients waits until all are assessed."""

_log = logging.getLogger("partwise.reassess")


class Progress(Protocol):
    """Is told how it goes, for metrics."""

    def assessed(self, clients: int, changes: Sequence[VerdictChange], waited: Sequence[float]) -> None:
        """So many clients were assessed and stored, with these changes.

        For those of whom there was more to know, so many seconds have passed since the first of it was recorded.
        """
        ...

    def failed(self, clients: int) -> None:
        """So many could not be."""
        ...

    def waiting(self, backlog: Backlog) -> None:
        """What is due now."""
        ...


class Reassess:
    """Assesses who is due and stores what comes out.

    Nothing is lost whenever it is interrupted, and any number may do it at once: a client stays due until an assessment
    is stored that counts all its events and is held against the present portfolio.
    """

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        assessments: Assessments,
        tallies: Tallies,
        histories: Histories,
        recall: Recall,
        portfolios: Portfolios,
        policies: ManagePolicies,
        clock: Clock,
        progress: Progress,
        lease: float,
        evaluations: Evaluations = UNHEARD,
        tracing: Tracing = OFF,
    ) -> None:
        """Weigh histories against portfolios by the active policy, at the time of a clock, and tell how it goes.

        Clients are claimed for so many seconds at a time.
        """
        self._evaluations = evaluations
        self._assessments = assessments
        self._tallies = tallies
        self._histories = histories
        self._recall = recall
        self._portfolios = portfolios
        self._policies = policies
        self._clock = clock
        self._progress = progress
        self._lease = lease
        self._tracing = tracing
        self._freshening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def step(self, *, newest: bool = False) -> bool:
        """Do a part of all that is due; whether there was anything to do. See the two parts of it."""
        renewed = await self.renew_portfolio()
        return await self.assess_due(newest=newest) or renewed

    async def assess_due(self, *, newest: bool = False) -> bool:
        """Assess some clients who are due, of whatever tenants; whether there were any.

        Args:
            newest: begin with who became due last: in turn with the others, so that a tenant with few clients need not
                wait for one with many.
        """
        claimed = sorted(await self._assessments.claim(_AT_ONCE, self._lease, newest=newest))
        for tenant_id, clients in groupby(claimed, key=lambda pair: pair[0]):
            with acting_for(tenant_id):
                await self._assess_apart(tenant_id, [client_id for _, client_id in clients])
        return bool(claimed)

    async def freshen(self, tenant_id: str) -> int:
        """Bring a tenant's stored assessments up to date before they are listed, within bounds.

        Few clients are all assessed, however recently they became due. Of many, those that are due are assessed if they
        are few.

        Returns:
            How many clients are still to be assessed, counted up to `MOST_STALE`.
        """
        present = await self._present(tenant_id)
        if present.few:
            return await self._freshen_all(tenant_id, present)
        due = await self._assessments.due(tenant_id, MOST_STALE)
        if not due or len(due) > _MOST_BY_READERS:
            return len(due)
        await self._assess(tenant_id, due, Purpose.LIST)
        return 0

    async def freshen_few(self, tenant_id: str, policy: Policy) -> None:
        """Do so for a tenant with few clients; of many, nobody is assessed, and nobody looks who is due.

        Args:
            tenant_id: whose.
            policy: the active one.
        """
        present = await self._portfolios.present(tenant_id, policy)
        if present.few:
            await self._freshen_all(tenant_id, present)

    async def _freshen_all(self, tenant_id: str, present: Present) -> int:
        outdated = await self._assessments.outdated(tenant_id, present.number, FEW)
        if not outdated:
            return 0
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        async with self._freshening.setdefault(tenant_id, asyncio.Lock()):
            while asyncio.get_running_loop().time() < deadline:
                present = await self._present(tenant_id)
                outdated = await self._assessments.outdated(tenant_id, present.number, FEW)
                if not outdated:
                    break
                await self._assess(tenant_id, outdated[:_AT_ONCE], Purpose.LIST)
        return len(outdated)

    async def backlog(self) -> Backlog:
        """What is due now, across tenants."""
        found = await self._assessments.backlog()
        self._progress.waiting(found)
        return found

    async def _present(self, tenant_id: str) -> Present:
        return await self._portfolios.present(tenant_id, await self._policies.active(tenant_id))

    async def renew_portfolio(self) -> bool:
        """Put together the portfolio of some tenant for whom it is time; whether there was one.

        With many clients it takes minutes; it can be done beside `assess_due`.
        """
        try:
            tenant_id = await self._portfolios.renew_next()
            if tenant_id is not None:
                # All clients were looked at: one look more does not matter.
                await self._tallies.mend(tenant_id)
            return tenant_id is not None
        except StoreUnavailableError:
            raise
        except Exception:
            # It stays due, and is tried again when the lease ends.
            _log.exception("a portfolio could not be put together")
            self._progress.failed(1)
            return True

    async def _assess_apart(self, tenant_id: str, client_ids: Sequence[str]) -> None:
        """Assess together, or one by one where one of them cannot be: the others are not to wait for it."""
        try:
            await self._assess(tenant_id, client_ids, Purpose.WORKER)
        except StoreUnavailableError:
            raise
        except Exception:
            if len(client_ids) == 1:
                _log.exception("a client could not be assessed")
                self._progress.failed(1)
                return
            for client_id in client_ids:
                await self._assess_apart(tenant_id, [client_id])

    async def _assess(self, tenant_id: str, client_ids: Sequence[str], purpose: Purpose) -> None:
        with self._tracing.span("reassess clients", {"clients": len(client_ids)}):
            await self._assess_now(tenant_id, client_ids, purpose)

    async def _assess_now(self, tenant_id: str, client_ids: Sequence[str], purpose: Purpose) -> None:
        policy = await self._policies.active(tenant_id)
        present = await self._portfolios.present(tenant_id, policy)
        as_of = self._clock.now()
        # Before the events: what comes between is counted by its events, and mended by the next turn.
        revisions = await self._histories.revisions(tenant_id, client_ids)
        seen = await self._assessments.seen(tenant_id, client_ids)
        ahead = await self._assessments.ahead(tenant_id, client_ids, as_of)

        await self._recall.shorten(tenant_id, policy, revisions)

        def work(histories: Mapping[str, Told]) -> dict[str, tuple[Made, datetime | None]]:
            return {
                one: (
                    made_from(one, told, revisions[one], policy, present, as_of, ahead.get(one)),
                    _first_unseen(told, revisions[one], seen.get(one)),
                )
                for one, told in histories.items()
            }

        made: list[Made] = []
        unseen: list[datetime] = []
        async for some in self._recall.each(tenant_id, policy, revisions, instants_of(policy, as_of), None, work):
            for one, since in some.values():
                made.append(one)
                if since is not None:
                    unseen.append(since)
            self._evaluations.evaluated(purpose, len(some))
        await self._portfolios.learn(tenant_id, policy, revisions)
        changes = await self._assessments.keep(tenant_id, made)
        now = self._clock.now()
        self._progress.assessed(len(made), changes, [(now - since).total_seconds() for since in unseen])


def _first_unseen(told: Told, revision: int, seen: Seen | None) -> datetime | None:
    """When the first event was recorded that no stored assessment counts; None where all are counted.

    Of a long history the part that is there is looked at.
    """
    if seen is not None and seen.revision >= revision:
        return None
    recorded = [event.recorded_at for part in history_of(told).segments for event in part.events]
    if seen is None or not recorded:
        return min(recorded, default=None)
    # One that was recorded a moment before the last look may have been committed after it.
    return min((one for one in recorded if one > seen.as_of), default=max(recorded))


def made_from(  # noqa: PLR0917 - whom, and what is known
    client_id: str,
    told: Told,
    revision: int,
    policy: Policy,
    present: Present,
    as_of: datetime,
    ahead: datetime | None,
) -> Made:
    """One client's assessment as it is stored.

    Args:
        client_id: whose.
        told: the client's history, as far as `instants_of` asks for it.
        revision: the client's, read before.
        policy: the active one.
        present: the portfolio to hold it against.
        as_of: the instant that it is made for.
        ahead: when the next event happens that was told ahead of its time; None for none.
    """
    found = snapshot_of(told, policy, present.portfolio.beside(client_id), as_of)
    # With no event all but the change since a month ago stays as it is until the day ends. An event that was told ahead
    # of its time counts from its time on.
    ends = policy.calendar.end_of(policy.calendar.day_of(as_of))
    holds_until = ends if ahead is None else min(ends, ahead)
    return Made(client_id, revision, present.number, holds_until, found.change, found.assessment, tally_of(found))
