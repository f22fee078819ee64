"""Recall: reads as much of clients' histories as an answer needs, and sees to it that this stays little."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from app.core.checkpoints import EVERY, Checkpoint, Reach, checkpoints_of, reaches_of
from app.core.events import Event, EventRef, Mark
from app.core.events.relationship import EventVoided
from app.core.facts import OutOfReachError
from app.core.history import History, NotLoadedError, Segment, Told
from app.core.policy import Policy
from app.ports.checkpoints import Checkpoints, Loaded, Span, Tail
from app.ports.ledger import Ledger
from app.ports.tracing import OFF, Tracing
from app.use_cases.errors import NotFoundError
from app.use_cases.histories import Histories
from app.use_cases.memories import Memories
from app.use_cases.recent import Recent

__all__ = ["SHORT", "Recall"]

T = TypeVar("T")

SHORT: Final = 2 * EVERY
"""Of clients with so many events at most, all are read and kept at hand."""
_AT_ONCE: Final = 20
_KEPT: Final = 200_000
"""Events in parts kept at hand."""
_STATE: Final = 50
"""A state takes as much room as so many events."""
_MOST_PARTS: Final = 40
_LONG: Final = 8 * EVERY
"""A part of so many events is worth a few checkpoints first."""
_GROUP: Final = 5_000
"""Events that checkpoints are made along at once."""
_TRIES: Final = 3
_IN_VAIN: Final = 20


class Recall:
    """Reads histories from checkpoints on, which it makes where there are too few."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        ledger: Ledger,
        histories: Histories,
        memories: Memories,
        tracing: Tracing = OFF,
    ) -> None:
        """Read checkpoints, the events that others take back, and all events of those clients that have few."""
        self._tracing = tracing
        self._checkpoints = checkpoints
        self._ledger = ledger
        self._histories = histories
        self._memories = memories
        self._parts: Recent[tuple[str, str, str], tuple[int, History]] = Recent(_KEPT)

    async def each(  # noqa: PLR0917 - whom, when, and what
        self,
        tenant_id: str,
        policy: Policy,
        revisions: Mapping[str, int],
        instants: Sequence[datetime],
        known_at: datetime | None,
        work: Callable[[Mapping[str, Told]], Mapping[str, T]],
    ) -> AsyncIterator[Mapping[str, T]]:
        """Do work on many clients, some at a time, beside the event loop.

        Args:
            tenant_id: whose clients.
            policy: the one that the work goes by.
            revisions: the clients, with revisions that were read before.
            instants: what the work asks for; see `ask`.
            known_at: what was told later is left out; what was known then, no checkpoint can tell.
            work: pure; an answer for each client.
        """
        long = [name for name, revision in revisions.items() if revision > SHORT and known_at is None]
        short = {name: revisions[name] for name in revisions.keys() - set(long)}
        async for group in self._histories.groups(tenant_id, short):
            yield await asyncio.to_thread(work, group)
        for start in range(0, len(long), _AT_ONCE):
            some = {name: revisions[name] for name in long[start : start + _AT_ONCE]}
            yield await self.ask(tenant_id, policy, some, instants, work)

    async def load(
        self, tenant_id: str, policy: Policy, revisions: Mapping[str, int], spans: Sequence[Span]
    ) -> dict[str, History]:
        """The parts of some clients' histories that reach some spans; who is not known is left out.

        Args:
            tenant_id: whose clients.
            policy: the one that checkpoints are kept for.
            revisions: the clients, with revisions that were read before.
            spans: each is read to the end of its local day, so that it serves all day long.
        """
        calendar = policy.calendar
        wanted = [Span(one.since, calendar.end_of(calendar.day_of(one.until))) for one in spans]
        found: dict[str, History] = {}
        for client_id, revision in revisions.items():
            kept = self._parts.get((tenant_id, client_id, policy.version))
            if kept is not None and kept[0] == revision and all(_reaches(kept[1], one) for one in wanted):
                found[client_id] = kept[1]
        missing = [client_id for client_id in revisions if client_id not in found]
        if missing:
            with self._tracing.within("read histories", {"clients": len(missing)}):
                found |= await self._read(tenant_id, policy, dict.fromkeys(missing, wanted))
        return found

    async def _read(self, tenant_id: str, policy: Policy, asked: Mapping[str, Sequence[Span]]) -> dict[str, History]:
        loaded = await self._checkpoints.histories(tenant_id, policy.version, asked, _LONG)
        long = {client_id: asked[client_id] for client_id, one in loaded.items() if one.longest >= _LONG}
        for client_id in long:
            await self.catch_up(tenant_id, policy, client_id)
        if long:
            loaded |= await self._checkpoints.histories(tenant_id, policy.version, long, None)
        return {client_id: self._keep(tenant_id, policy, client_id, one) for client_id, one in loaded.items()}

    def _keep(self, tenant_id: str, policy: Policy, client_id: str, loaded: Loaded) -> History:
        """Keep what was read at hand, with the other parts that were read at the same revision."""
        key = (tenant_id, client_id, policy.version)
        kept = self._parts.get(key)
        parts = loaded.history.segments
        if kept is not None and kept[0] == loaded.revision and len(kept[1].segments) + len(parts) <= _MOST_PARTS:
            known = [(part.begins, part.until) for part in parts]
            parts = (*(part for part in kept[1].segments if (part.begins, part.until) not in known), *parts)
        ordered = tuple(sorted(parts, key=_ends))
        history = History(ordered, self._memories.of(tenant_id, client_id, loaded.revision))
        self._parts.put(key, (loaded.revision, history), sum(len(part.events) + _STATE for part in ordered))
        return history

    async def ask(
        self,
        tenant_id: str,
        policy: Policy,
        revisions: Mapping[str, int],
        instants: Iterable[datetime],
        work: Callable[[Mapping[str, History]], T],
    ) -> T:
        """Do work on some clients' histories, beside the event loop.

        Args:
            tenant_id: whose clients.
            policy: the tenant's active one, which checkpoints are kept for.
            revisions: which of them, with revisions that were read before.
            instants: what the work asks for, at least; where a verdict depends on the days before, they are read, too.
            work: pure, and done again where more has to be read.
        """
        return await self._ask(tenant_id, policy, revisions, [Span(at, at) for at in sorted(set(instants))], work)

    async def ask_back(  # noqa: PLR0917 - whom, where, and what
        self,
        tenant_id: str,
        policy: Policy,
        client_id: str,
        revision: int,
        before: Mark | None,
        as_of: datetime,
        count: int,
        work: Callable[[History], T],
    ) -> T:
        """Do work on the part of one client's history that ends before a mark and has so many events.

        Args:
            tenant_id: whose client.
            policy: the tenant's active one.
            client_id, revision: which, and its revision, read before.
            before: None for no mark.
            as_of: what happened later is left out.
            count: so many events at least, where there are as many; the last part of the history has them.
            work: see `ask`.

        Raises:
            NotFoundError: the client is gone.
        """
        since = await self._checkpoints.place(tenant_id, client_id, before, as_of, count)
        until = as_of if before is None else min(before.at, as_of)
        # From before the first of them on: others may have happened at the same instant.
        span = Span(since - timedelta(microseconds=1), until)

        def on_that_part(found: Mapping[str, History]) -> T:
            if client_id not in found:
                # Erased while it was looked at.
                raise NotFoundError(f"there is no client {client_id!r}")
            return work(_ending(found[client_id], span))

        return await self._ask(tenant_id, policy, {client_id: revision}, [span], on_that_part)

    async def _ask(
        self,
        tenant_id: str,
        policy: Policy,
        revisions: Mapping[str, int],
        spans: Sequence[Span],
        work: Callable[[Mapping[str, History]], T],
    ) -> T:
        widened, reached = False, 0
        while True:
            if reached > _TRIES:
                # Whatever is amiss with the parts: the whole has nothing before it that could be out of reach.
                return await asyncio.to_thread(work, await self._whole(tenant_id, revisions))
            loaded = await self.load(tenant_id, policy, revisions, spans)
            try:
                return await asyncio.to_thread(work, loaded)
            except NotLoadedError:
                if widened:
                    raise
                spans, widened = [*spans, *(Span(at, at) for at in _days_before(spans, policy))], True
            except OutOfReachError:
                reached += 1
                for client_id in revisions:
                    self._parts.drop((tenant_id, client_id, policy.version))
                    if reached == _TRIES:
                        await self._checkpoints.forget(tenant_id, client_id, None)
                    await self.catch_up(tenant_id, policy, client_id)

    async def _whole(self, tenant_id: str, revisions: Mapping[str, int]) -> dict[str, History]:
        found: dict[str, History] = {}
        async for group in self._histories.groups(tenant_id, revisions):
            found |= {client_id: History((Segment(None, events),)) for client_id, events in group.items()}
        return found

    async def shorten(self, tenant_id: str, policy: Policy, revisions: Mapping[str, int]) -> None:
        """Make checkpoints of those clients among some that have a long way to go from the last one.

        They are for the active policy: those for others, which were active before or were only tried, are dropped.
        """
        long = [client_id for client_id, revision in revisions.items() if revision > SHORT]
        for client_id in await self._checkpoints.far(tenant_id, policy.version, long, EVERY):
            await self.catch_up(tenant_id, policy, client_id)
            await self._checkpoints.drop_others(tenant_id, policy.version, client_id)

    async def catch_up(self, tenant_id: str, policy: Policy, client_id: str) -> int:
        """Make the checkpoints that are missing at the end of a client's history; how many were made."""
        limit, total, in_vain = _GROUP, 0, 0
        reaches: list[Reach] = []
        # Others may write all the while: whoever comes next goes on.
        while in_vain < _IN_VAIN:
            tail = await self._checkpoints.tail(tenant_id, policy.version, client_id, limit)
            try:
                made = await asyncio.to_thread(_along, tail, policy, reaches)
            except OutOfReachError:
                in_vain += 1
                reaches = await self._reaches(tenant_id, policy, client_id, tail.events)
                since = min((reach.since for reach in reaches), default=None)
                await self._checkpoints.forget(tenant_id, client_id, since)
                continue
            if made:
                saved = await self._checkpoints.save(tenant_id, policy.version, client_id, made)
                total, in_vain = total + saved, 0 if saved else in_vain + 1
            elif len(tail.events) < limit:
                break
            else:
                # Something later takes back what lies here: only behind it is there a place again.
                limit *= 4
        return total

    async def _reaches(self, tenant_id: str, policy: Policy, client_id: str, events: Sequence[Event]) -> list[Reach]:
        targets = [EventRef(one.data.source, one.data.id) for one in events if isinstance(one.data, EventVoided)]
        stored = await self._ledger.several(tenant_id, targets) if targets else {}
        own = {ref: one.time for ref, one in stored.items() if one.client_id == client_id}
        return reaches_of(events, policy, own)


def _reaches(history: History, span: Span) -> bool:
    return any(part.reaches(span.since) and part.reaches(span.until) for part in history.segments)


def _ending(history: History, span: Span) -> History:
    """The same with the part last that reaches a span: what was read before may have later ones."""
    last = next(part for part in history.segments if part.reaches(span.since) and part.reaches(span.until))
    return History((*(part for part in history.segments if part is not last), last), history.memory)


def _ends(part: Segment) -> datetime:
    return part.until or datetime.max.replace(tzinfo=UTC)


def _along(tail: Tail, policy: Policy, reaches: Iterable[Reach]) -> list[Checkpoint]:
    return list(checkpoints_of(tail.events, policy, tail.base, reaches))


def _days_before(spans: Iterable[Span], policy: Policy) -> list[datetime]:
    """The ends of the local days that a verdict in one of the spans may go by, where they lie before it."""
    calendar = policy.calendar
    found = {
        calendar.end_of(calendar.day_of(span.since) - timedelta(days=back))
        for span in spans
        for back in range(1, policy.thresholds.settling_days + 1)
    }
    return sorted(found)
