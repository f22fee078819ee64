"""Appending events: one statement stores a batch, one more marks its clients; all the rest is for what is rare."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import itemgetter
from time import monotonic
from typing import Any, Final

import asyncpg
import msgspec

from app.ports.audit import AuditEntry
from app.ports.ledger import MovedOnError, NewEvent, Outcome
from app.store.audit import note_beside
from app.store.engine import retrying
from app.store.profiles import PROFILE_TYPES, tell_profiles
from app.store.writes import Writes
from app.use_cases.recent import Recent

__all__ = ["Appends"]

# One text instead of an array of them: the driver is done with it in one go. No attribute and no JSON holds this one.
_SEPARATOR: Final = "\x1e"
_SPLIT: Final = r"string_to_array(${}, E'\x1e')"

_DIGEST_BYTES: Final = 32

_STORE: Final = f"""
    INSERT INTO event (tenant_id, source, id, type, client_id, "time", recorded_at, digest, data)
    SELECT
        $1, sent.source, sent.id, sent.type, sent.client_id, sent."time", now(),
        substring($7::bytea, ((sent.place - 1) * {_DIGEST_BYTES} + 1)::int, {_DIGEST_BYTES}), sent.data
    FROM unnest(
        {", ".join(_SPLIT.format(number) for number in range(2, 6))}, $6::timestamptz[], {_SPLIT.format(8)}
    ) WITH ORDINALITY AS sent (source, id, type, client_id, "time", data, place)
    """  # noqa: S608 - no value is in it
_STORE_FRESH: Final = f"""
    WITH fresh AS ({_STORE} ON CONFLICT DO NOTHING RETURNING source, id)
    SELECT array_agg(source), array_agg(id) FROM fresh
    """  # noqa: S608 - no value is in it
# Of each name by itself: whatever is thought of the size of the table, none but its row is read.
_DIGESTS: Final = """
    SELECT sent.source, sent.id, stored.digest
    FROM unnest($2::text[], $3::text[]) AS sent (source, id)
    CROSS JOIN LATERAL (
        SELECT event.digest FROM event
        WHERE event.tenant_id = $1 AND event.source = sent.source AND event.id = sent.id
        OFFSET 0
    ) AS stored
    """
# Answers those that came to be, and those whose checkpoints may have seen too little; most often there are none.
_TOUCH: Final = f"""
    WITH touched AS (
        INSERT INTO client (tenant_id, client_id, created_at, revision, due_at, profile_until)
        SELECT $1, sent.client_id, now(), sent.events, now(), '-infinity'
        FROM unnest({_SPLIT.format(2)}, string_to_array($3, ',')::bigint[]) AS sent (client_id, events)
        ON CONFLICT (tenant_id, client_id)
        DO UPDATE SET revision = client.revision + excluded.revision, due_at = LEAST(client.due_at, now())
        RETURNING client_id, created_at = now() AS is_new, checkpointed_until >= $4 AS is_late
    )
    SELECT client_id, is_new, is_late FROM touched WHERE is_new OR is_late
    """  # noqa: S608 - no value is in it
_REVISION: Final = "SELECT revision FROM client WHERE tenant_id = $1 AND client_id = $2"
_ERASED: Final = "SELECT digest FROM erasure WHERE tenant_id = $1 AND digest = ANY($2::bytea[])"
_VOIDED: Final = """
    SELECT void.at, stored."time"
    FROM unnest($2::int[], $3::text[], $4::text[], $5::text[]) AS void (at, client_id, source, id)
    CROSS JOIN LATERAL (
        SELECT event.client_id, event."time" FROM event
        WHERE event.tenant_id = $1 AND event.source = void.source AND event.id = void.id
        OFFSET 0
    ) AS stored
    WHERE stored.client_id = void.client_id
    """
# The rows are there, but a statement that looks each of them up by its key is one that would insert.
_FORGET: Final = """
    WITH late AS (
        SELECT * FROM unnest($2::text[], $3::timestamptz[]) AS sent (client_id, since)
    ), gone AS (
        DELETE FROM checkpoint USING late
        WHERE checkpoint.tenant_id = $1 AND checkpoint.client_id = ANY($2)
            AND checkpoint.client_id = late.client_id AND checkpoint."time" >= late.since
    )
    INSERT INTO client (tenant_id, client_id, created_at, revision, checkpointed_until)
    SELECT $1, late.client_id, now(), 0, (
        SELECT max(kept."time") FROM checkpoint AS kept
        WHERE kept.tenant_id = $1 AND kept.client_id = late.client_id AND kept."time" < late.since
    ) FROM late
    ON CONFLICT (tenant_id, client_id) DO UPDATE SET checkpointed_until = excluded.checkpointed_until
    """

_MANY: Final = 100
"""From so many events on it pays to hope that all are new."""
_REPEATS_SECONDS: Final = 60.0
_MOST_REPEATING: Final = 10_000

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)

Key = tuple[str, str]

_NAME: Final = itemgetter(0, 1)
"""The source and the id of an event."""


class _ConflictError(Exception):
    """Rolls an atomic batch back; carries what became of each event."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__("conflict in an atomic batch")
        self.outcomes = outcomes


class _ErasedError(Exception):
    """Rolls a batch back that has events of clients who were erased."""

    def __init__(self, client_ids: set[str]) -> None:
        super().__init__("events of an erased client")
        self.client_ids = client_ids


class _Voided(msgspec.Struct):
    """Of an event that voids another: which one."""

    source: str
    id: str


_read_voided = msgspec.json.Decoder(_Voided).decode


class Appends:
    """Keeps the promise of `app.ports.ledger.Ledger.append`."""

    def __init__(self, writes: Writes) -> None:
        """Use a pool."""
        self._writes = writes
        self._repeating: Recent[str, float] = Recent(_MOST_REPEATING)

    async def __call__(
        self,
        tenant_id: str,
        events: Sequence[NewEvent],
        *,
        atomic: bool = False,
        entry: AuditEntry | None = None,
        after: int | None = None,
    ) -> list[Outcome]:
        """Store events; see the port."""
        erased: set[str] = set()
        hopeful = len(events) >= _MANY and not self._repeats(tenant_id)

        async def once() -> list[Outcome]:
            fit = [one for one in events if one.client_id not in erased] if erased else events
            if not fit:
                return []
            async with self._writes.transaction(tenant_id) as connection:
                if hopeful:
                    outcomes = await _append_new(connection, tenant_id, fit)
                else:
                    outcomes = await _append(connection, tenant_id, fit, atomic=atomic)
                if after is not None:
                    await _refuse_moved_on(connection, tenant_id, fit[0].client_id, after)
                if entry is not None and Outcome.ACCEPTED in outcomes:
                    await note_beside(connection, tenant_id, entry)
                return outcomes

        while True:
            try:
                if erased and atomic:
                    return [Outcome.INVALID if one.client_id in erased else Outcome.ABORTED for one in events]
                left = iter(await retrying(once))
            except asyncpg.UniqueViolationError:
                if not hopeful:
                    raise
                hopeful = False
                self._repeating.put(tenant_id, monotonic())
            except _ErasedError as found:
                erased |= found.client_ids
            except _ConflictError as conflict:
                return conflict.outcomes
            else:
                return [Outcome.INVALID if one.client_id in erased else next(left) for one in events]

    def _repeats(self, tenant_id: str) -> bool:
        """Whether it was not long ago that events of a tenant came again."""
        since = self._repeating.get(tenant_id)
        return since is not None and monotonic() - since < _REPEATS_SECONDS


async def _append_new(connection: Any, tenant_id: str, events: Sequence[NewEvent]) -> list[Outcome]:
    """Store events none of which is known, as is usual: by a quarter cheaper than to be ready for others.

    Raises:
        asyncpg.UniqueViolationError: one is known, or is there twice.
    """
    await connection.execute(_STORE, tenant_id, *_columns(sorted(events, key=_NAME)))
    await _touch(connection, tenant_id, events)
    return [Outcome.ACCEPTED] * len(events)


async def _append(connection: Any, tenant_id: str, events: Sequence[NewEvent], *, atomic: bool) -> list[Outcome]:
    # In one order everywhere, so that two batches wait for each other but never in a circle. The clients come last, as
    # all batches of a tenant may have one in common, and wait for each other from there on.
    row = await connection.fetchrow(_STORE_FRESH, tenant_id, *_columns(sorted(events, key=_NAME)))
    fresh = set(zip(row[0] or (), row[1] or (), strict=True))
    if len(fresh) == len(events):
        await _touch(connection, tenant_id, events)
        return [Outcome.ACCEPTED] * len(events)
    outcomes = await _judge(connection, tenant_id, events, fresh)
    if Outcome.CONFLICT in outcomes:
        # Whoever sends for an erased client is told that first.
        await _refuse_erased(connection, tenant_id, sorted({one.client_id for one in events}))
    if atomic and Outcome.CONFLICT in outcomes:
        raise _ConflictError([Outcome.ABORTED if outcome is Outcome.ACCEPTED else outcome for outcome in outcomes])
    accepted = [one for one, outcome in zip(events, outcomes, strict=True) if outcome is Outcome.ACCEPTED]
    if accepted:
        await _touch(connection, tenant_id, accepted)
    return outcomes


def _columns(events: Sequence[NewEvent]) -> tuple[Any, ...]:
    """The values of `_STORE`."""
    sources, ids, types, clients, times, data, digests = zip(*events, strict=True)
    join, digest = _SEPARATOR.join, b"".join(digests)
    if len(digest) != _DIGEST_BYTES * len(events):
        raise ValueError("a digest is a SHA-256")
    return join(sources), join(ids), join(types), join(clients), times, digest, join(data)


async def _judge(connection: Any, tenant_id: str, events: Sequence[NewEvent], fresh: set[Key]) -> list[Outcome]:
    """What became of each event where some are not new: the first of several with one name is the one that counts."""
    known = [key for key in dict.fromkeys(map(_NAME, events)) if key not in fresh]
    rows = await connection.fetch(_DIGESTS, tenant_id, [key[0] for key in known], [key[1] for key in known])
    digests = {(row[0], row[1]): bytes(row[2]) for row in rows}
    outcomes = []
    for one in events:
        key = _NAME(one)
        if key in fresh:
            outcomes.append(Outcome.ACCEPTED)
            fresh.remove(key)
            digests[key] = one.digest
        else:
            outcomes.append(Outcome.DUPLICATE if digests.get(key) == one.digest else Outcome.CONFLICT)
    return outcomes


async def _touch(connection: Any, tenant_id: str, events: Sequence[NewEvent]) -> None:
    """Tell the clients of new events that there are some, and whatever rests on older knowledge."""
    types = {one.type for one in events}
    counts = Counter([one.client_id for one in events])
    clients = sorted(counts)
    earliest = _EARLIEST if "event.voided" in types else min([one.time for one in events])
    numbers = ",".join([str(counts[name]) for name in clients])
    rows = await connection.fetch(_TOUCH, tenant_id, _SEPARATOR.join(clients), numbers, earliest)
    if rows:
        created = [row[0] for row in rows if row[1]]
        if created:
            await _refuse_erased(connection, tenant_id, created)
        late = {row[0] for row in rows if row[2]}
        if late:
            await _forget(connection, tenant_id, [one for one in events if one.client_id in late])
    if not types.isdisjoint(PROFILE_TYPES):
        await tell_profiles(connection, tenant_id, events)


async def _refuse_erased(connection: Any, tenant_id: str, client_ids: Sequence[str]) -> None:
    """Look at the tombstones of clients that were not there, now that their rows are locked."""
    named = {hashlib.sha256(client_id.encode()).digest(): client_id for client_id in client_ids}
    rows = await connection.fetch(_ERASED, tenant_id, list(named))
    if rows:
        raise _ErasedError({named[bytes(row[0])] for row in rows})


async def _refuse_moved_on(connection: Any, tenant_id: str, client_id: str, after: int) -> None:
    """Look at the revision of a client that has just got an event, now that its row is locked."""
    if await connection.fetchval(_REVISION, tenant_id, client_id) != after + 1:
        raise MovedOnError


async def _forget(connection: Any, tenant_id: str, events: Sequence[NewEvent]) -> None:
    """Delete the checkpoints of clients that had not seen these events, from the earliest on."""
    since: dict[str, datetime] = {}
    for one in events:
        since[one.client_id] = min(one.time, since.get(one.client_id, one.time))
    voids = [(one.client_id, _read_voided(one.data)) for one in events if one.type == "event.voided"]
    if voids:
        places = range(len(voids))
        names = zip(*((client_id, void.source, void.id) for client_id, void in voids), strict=True)
        found = {row[0]: row[1] for row in await connection.fetch(_VOIDED, tenant_id, places, *names)}
        for place, (client_id, _) in enumerate(voids):
            # What is not known yet may have been seen by anything.
            since[client_id] = min(since[client_id], found.get(place, _EARLIEST))
    clients = sorted(since)
    await connection.execute(_FORGET, tenant_id, clients, [since[name] for name in clients])
