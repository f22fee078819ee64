"""Recall: reads as much of clients' histories as an answer needs, and sees to it that this stays little."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from app.core.checkpoints import EVERY, Checkpoint, Reach, checkpoints_of, reaches_of
from app.core.events import Event, EventRef
from app.core.events.relationship import EventVoided
from app.core.facts import OutOfReachError
from app.core.history import History, NotLoadedError
from app.core.policy import Policy
from app.ports.checkpoints import Checkpoints, Tail
from app.ports.ledger import Ledger

__all__ = ["Recall"]

T = TypeVar("T")

_LONG: Final = 8 * EVERY
"""A part of so many events is worth a few checkpoints first."""
_GROUP: Final = 5_000
"""Events that checkpoints are made along at once."""
_TRIES: Final = 3
_ROUNDS: Final = 1_000


class Recall:
    """Reads histories from checkpoints on, which it makes where there are too few."""

    def __init__(self, checkpoints: Checkpoints, ledger: Ledger) -> None:
        """Read checkpoints, and the events that others take back."""
        self._checkpoints = checkpoints
        self._ledger = ledger

    async def histories(
        self, tenant_id: str, policy: Policy, client_ids: Sequence[str], instants: Iterable[datetime]
    ) -> dict[str, History]:
        """The parts of some clients' histories that reach some instants; who is not known is left out."""
        asked = sorted(set(instants))
        found = await self._read(tenant_id, policy, dict.fromkeys(client_ids, asked), _LONG)
        long = [client_id for client_id, (_, length) in found.items() if length >= _LONG]
        for client_id in long:
            await self.catch_up(tenant_id, policy, client_id)
        if long:
            found |= await self._read(tenant_id, policy, dict.fromkeys(long, asked), None)
        return {client_id: history for client_id, (history, _) in found.items()}

    async def ask(
        self,
        tenant_id: str,
        policy: Policy,
        client_ids: Sequence[str],
        instants: Iterable[datetime],
        work: Callable[[Mapping[str, History]], T],
    ) -> T:
        """Do work on some clients' histories, beside the event loop.

        Args:
            tenant_id: whose clients.
            policy: the tenant's active one, which checkpoints are kept for.
            client_ids: which of them.
            instants: what the work asks for, at least; where a verdict depends on the days before, they are read, too.
            work: pure, and done again where more has to be read.
        """
        asked = sorted(set(instants))
        widened, reached = False, 0
        while True:
            histories = await self.histories(tenant_id, policy, client_ids, asked)
            try:
                return await asyncio.to_thread(work, histories)
            except NotLoadedError:
                if widened:
                    raise
                asked, widened = [*asked, *_days_before(asked, policy)], True
            except OutOfReachError:
                reached += 1
                for client_id in client_ids:
                    if reached > _TRIES:
                        await self._checkpoints.forget(tenant_id, client_id, None)
                    await self.catch_up(tenant_id, policy, client_id)

    async def catch_up(self, tenant_id: str, policy: Policy, client_id: str) -> int:
        """Make the checkpoints that are missing at the end of a client's history; how many were made."""
        limit, total = _GROUP, 0
        reaches: list[Reach] = []
        for _ in range(_ROUNDS):
            tail = await self._checkpoints.tail(tenant_id, policy.version, client_id, limit)
            try:
                made = await asyncio.to_thread(_along, tail, policy, reaches)
            except OutOfReachError:
                reaches = await self._reaches(tenant_id, policy, tail.events)
                since = min((reach.since for reach in reaches), default=None)
                await self._checkpoints.forget(tenant_id, client_id, since)
                continue
            if made:
                total += await self._checkpoints.save(tenant_id, policy.version, client_id, made)
            elif len(tail.events) < limit:
                break
            else:
                # Something later takes back what lies here: only behind it is there a place again.
                limit *= 4
        return total

    async def _read(
        self, tenant_id: str, policy: Policy, asked: Mapping[str, Sequence[datetime]], limit: int | None
    ) -> dict[str, tuple[History, int]]:
        found = await self._checkpoints.histories(tenant_id, policy.version, asked, limit)
        return {client_id: (one.history, one.longest) for client_id, one in found.items()}

    async def _reaches(self, tenant_id: str, policy: Policy, events: Sequence[Event]) -> list[Reach]:
        targets = [EventRef(one.data.source, one.data.id) for one in events if isinstance(one.data, EventVoided)]
        stored = await self._ledger.several(tenant_id, targets) if targets else {}
        return reaches_of(events, policy, {ref: one.time for ref, one in stored.items()})


def _along(tail: Tail, policy: Policy, reaches: Iterable[Reach]) -> list[Checkpoint]:
    return list(checkpoints_of(tail.events, policy, tail.base, reaches))


def _days_before(instants: Iterable[datetime], policy: Policy) -> set[datetime]:
    """The ends of the local days that a verdict at one of the instants may go by."""
    calendar = policy.calendar
    return {
        calendar.end_of(calendar.day_of(instant) - timedelta(days=back))
        for instant in instants
        for back in range(1, policy.thresholds.settling_days + 1)
    }
