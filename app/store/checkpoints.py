"""Checkpoints in Postgres, and the parts of histories that are read from them on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.checkpoints import Checkpoint
from app.core.events import Event, EventData, Mark
from app.ports.checkpoints import Loaded, Span, StateFormat, Tail
from app.ports.database import Transaction
from app.store.engine import transaction
from app.store.parts import BEGINNING, Key, MovedError, Part, loaded_from, look_up
from app.store.reads import Reads

__all__ = ["PostgresCheckpoints"]

_LAST: Final = "\U0010ffff"
"""Comes after every name, as nothing that is not a character is one."""
_ATTEMPTS: Final = 3
_DROPPED: Final = 200

# One statement, so that it sees one moment: for each span the newest checkpoint before it, and all events since.
_PARTS: Final = """
WITH asked AS (
    SELECT * FROM unnest($3::text[], $4::timestamptz[], $5::timestamptz[]) AS asked (client_id, since, until)
), based AS (
    SELECT asked.client_id, asked.until, base."time", base.source, base.id
    FROM asked LEFT JOIN LATERAL (
        SELECT "time", source, id FROM checkpoint
        WHERE tenant_id = $1 AND client_id = asked.client_id AND policy_version = $2 AND "time" <= asked.since
        ORDER BY "time" DESC, source DESC, id DESC
        LIMIT 1
    ) AS base ON true
), part AS (
    SELECT client_id, "time", source, id, max(until) AS until FROM based GROUP BY client_id, "time", source, id
)
SELECT
    part.client_id, part.until, client.revision,
    (
        SELECT state FROM checkpoint
        WHERE tenant_id = $1 AND client_id = part.client_id AND policy_version = $2
            AND "time" = part."time" AND source = part.source AND id = part.id
    ) AS state,
    NULL AS source, NULL AS id, NULL AS type,
    NULL::timestamptz AS "time", NULL::timestamptz AS recorded_at, NULL AS data
FROM part JOIN client ON client.tenant_id = $1 AND client.client_id = part.client_id
UNION ALL
SELECT
    part.client_id, part.until, NULL, NULL,
    told.source, told.id, told.type, told."time", told.recorded_at, told.data
FROM part CROSS JOIN LATERAL (
    SELECT source, id, type, "time", recorded_at, data FROM event
    WHERE tenant_id = $1 AND client_id = part.client_id AND "time" <= part.until
        AND ("time", source, id)
            > (coalesce(part."time", '-infinity'), coalesce(part.source, ''), coalesce(part.id, ''))
    ORDER BY "time", source, id
    LIMIT $6
) AS told
"""
_TAIL: Final = """
WITH base AS (
    SELECT "time", source, id, state FROM checkpoint
    WHERE tenant_id = $1 AND client_id = $3 AND policy_version = $2
    ORDER BY "time" DESC, source DESC, id DESC
    LIMIT 1
)
SELECT
    client.client_id, NULL::timestamptz AS until, client.revision, (SELECT state FROM base) AS state,
    NULL AS source, NULL AS id, NULL AS type,
    NULL::timestamptz AS "time", NULL::timestamptz AS recorded_at, NULL AS data
FROM client WHERE tenant_id = $1 AND client_id = $3
UNION ALL
(
    SELECT client_id, NULL, NULL, NULL, source, id, type, "time", recorded_at, data FROM event
    WHERE tenant_id = $1 AND client_id = $3
        AND ("time", source, id) > (
            coalesce((SELECT "time" FROM base), '-infinity'),
            coalesce((SELECT source FROM base), ''),
            coalesce((SELECT id FROM base), '')
        )
    ORDER BY "time", source, id
    LIMIT $4
)
"""
_PLACE: Final = """
SELECT min("time") FROM (
    SELECT "time" FROM event
    WHERE tenant_id = $1 AND client_id = $2 AND "time" <= $3 AND ("time", source, id) < ($4, $5, $6)
    ORDER BY "time" DESC, source DESC, id DESC
    LIMIT $7
) AS last
"""
_FAR: Final = """
SELECT asked.client_id
FROM unnest($3::text[]) AS asked (client_id)
LEFT JOIN LATERAL (
    SELECT "time", source, id FROM checkpoint
    WHERE tenant_id = $1 AND client_id = asked.client_id AND policy_version = $2
    ORDER BY "time" DESC, source DESC, id DESC
    LIMIT 1
) AS base ON true
CROSS JOIN LATERAL (
    SELECT 1 FROM event
    WHERE tenant_id = $1 AND client_id = asked.client_id
        AND ("time", source, id)
            > (coalesce(base."time", '-infinity'), coalesce(base.source, ''), coalesce(base.id, ''))
    ORDER BY event."time", event.source, event.id
    OFFSET $4 - 1 LIMIT 1
) AS one
"""
_LOCK: Final = text("SELECT 1 FROM client WHERE tenant_id = :tenant AND client_id = :client FOR UPDATE")
_EXISTS: Final = text(
    """
    SELECT 1 FROM checkpoint
    WHERE tenant_id = :tenant AND client_id = :client AND policy_version = :version
        AND "time" = :time AND source = :source AND id = :id
    """
)
_COUNTS: Final = text(
    """
    SELECT (
        SELECT count(*) FROM event
        WHERE tenant_id = :tenant AND client_id = :client AND "time" BETWEEN made.after_time AND made."time"
            AND ("time", source, id) > (made.after_time, made.after_source, made.after_id)
            AND ("time", source, id) <= (made."time", made.source, made.id)
    )
    FROM unnest(
        CAST(:after_times AS timestamptz[]), CAST(:after_sources AS text[]), CAST(:after_ids AS text[]),
        CAST(:times AS timestamptz[]), CAST(:sources AS text[]), CAST(:ids AS text[])
    ) WITH ORDINALITY AS made (after_time, after_source, after_id, "time", source, id, n)
    ORDER BY made.n
    """
)
_INSERT: Final = text(
    """
    INSERT INTO checkpoint (tenant_id, client_id, policy_version, "time", source, id, state)
    SELECT :tenant, :client, :version, made."time", made.source, made.id, made.state
    FROM unnest(
        CAST(:times AS timestamptz[]), CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:states AS bytea[])
    ) AS made ("time", source, id, state)
    ON CONFLICT DO NOTHING
    """
)
_PUT: Final = text(
    """
    INSERT INTO put_away (tenant_id, client_id, policy_version, kind, name, "time", source, id, state)
    SELECT :tenant, :client, :version, made.kind, made.name, made."time", made.source, made.id, made.state
    FROM unnest(
        CAST(:kinds AS text[]), CAST(:names AS text[]),
        CAST(:times AS timestamptz[]), CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:states AS bytea[])
    ) AS made (kind, name, "time", source, id, state)
    ON CONFLICT DO NOTHING
    """
)
_REACH: Final = text(
    """
    UPDATE client SET checkpointed_until = greatest(checkpointed_until, CAST(:until AS timestamptz))
    WHERE tenant_id = :tenant AND client_id = :client
    """
)
_FORGET: Final = text(
    """
    DELETE FROM checkpoint
    WHERE tenant_id = :tenant AND client_id = :client AND "time" >= coalesce(CAST(:since AS timestamptz), '-infinity')
    """
)
# Some at a time: what is put away goes with each of them.
_DROP_OTHERS: Final = text(
    """
    DELETE FROM checkpoint
    WHERE tenant_id = :tenant AND client_id = :client AND (policy_version, "time", source, id) IN (
        SELECT policy_version, "time", source, id FROM checkpoint
        WHERE tenant_id = :tenant AND client_id = :client AND policy_version <> :version
        LIMIT :most
    )
    """
)
_REACH_LESS: Final = text(
    """
    UPDATE client SET checkpointed_until = (
        SELECT max("time") FROM checkpoint WHERE tenant_id = :tenant AND client_id = :client
    )
    WHERE tenant_id = :tenant AND client_id = :client
    """
)


class PostgresCheckpoints:
    """Keeps the promise of `app.ports.checkpoints.Checkpoints`."""

    def __init__(
        self, engine: AsyncEngine, reads: Reads, load: Callable[[str, str], EventData], states: StateFormat
    ) -> None:
        """Use pools, and ways to read data of events and states."""
        self._engine = engine
        self._reads = reads
        self._load = load
        self._states = states

    def _version(self, policy_version: str) -> str:
        return f"{self._states.version}/{policy_version}"

    async def histories(
        self, tenant_id: str, policy_version: str, asked: Mapping[str, Sequence[Span]], limit: int | None
    ) -> dict[str, Loaded]:
        """Read parts of histories; see the port."""
        spans = [(client_id, *span) for client_id, own in asked.items() for span in own]
        columns = tuple([span[number] for span in spans] for number in range(3))
        for attempt in range(_ATTEMPTS):
            # Whoever is disturbed again and again reads all: no checkpoint is of no version.
            version = self._version(policy_version) if attempt < _ATTEMPTS - 1 else ""
            parts = self._parts(await self._reads.rows(tenant_id, _PARTS, version, *columns, limit))
            try:
                await look_up(self._reads, self._states, tenant_id, version, parts)
            except MovedError:
                continue
            return loaded_from(parts)
        raise AssertionError("unreachable")

    async def place(self, tenant_id: str, client_id: str, before: Mark | None, as_of: datetime, count: int) -> datetime:
        """Find the instant of an event some places back; see the port."""
        place = (as_of, _LAST, _LAST) if before is None else (before.at, before.ref.source, before.ref.id)
        found = await self._reads.value(tenant_id, _PLACE, client_id, as_of, *place, count)
        return as_of if found is None else found

    async def far(self, tenant_id: str, policy_version: str, client_ids: Sequence[str], events: int) -> list[str]:
        """Tell who has many events behind the newest checkpoint; see the port."""
        if not client_ids:
            return []
        version = self._version(policy_version)
        rows = await self._reads.rows(tenant_id, _FAR, version, list(client_ids), events)
        return [row[0] for row in rows]

    async def tail(self, tenant_id: str, policy_version: str, client_id: str, limit: int) -> Tail:
        """Read the events behind the newest checkpoint; see the port."""
        version = self._version(policy_version)
        while True:
            parts = self._parts(await self._reads.rows(tenant_id, _TAIL, version, client_id, limit))
            try:
                await look_up(self._reads, self._states, tenant_id, version, parts)
            except MovedError:
                continue
            part = parts.get((client_id, None), Part())
            return Tail(part.base, part.events)

    def _parts(self, rows: Iterable[Any]) -> dict[Key, Part]:
        parts: dict[Key, Part] = defaultdict(Part)
        for client_id, until, revision, state, source, event_id, kind, time, recorded_at, data in rows:
            part = parts[client_id, until]
            if revision is not None:
                part.revision = revision
                part.state = None if state is None else self._states.state(state)
            else:
                event = Event(source, event_id, kind, client_id, time, self._load(kind, data), recorded_at)
                part.events.append(event)
        return parts

    async def save(self, tenant_id: str, policy_version: str, client_id: str, made: Sequence[Checkpoint]) -> int:
        """Keep checkpoints; see the port."""
        if not made:
            return 0
        whose = {"tenant": tenant_id, "client": client_id}
        version = self._version(policy_version)
        async with transaction(self._engine, tenant_id, Transaction.CHECKPOINT) as connection:
            if (await connection.execute(_LOCK, whose)).one_or_none() is None:
                return 0
            first = made[0].after
            if first is not None:
                place = {"time": first.at, "source": first.ref.source, "id": first.ref.id}
                if (await connection.execute(_EXISTS, {**whose, "version": version, **place})).one_or_none() is None:
                    return 0
            sound = made[: await _sound(connection, whose, made)]
            if sound:
                await self._insert(connection, {**whose, "version": version}, sound)
                await connection.execute(_REACH, {**whose, "until": sound[-1].mark.at})
        return len(sound)

    async def _insert(self, connection: AsyncConnection, whose: dict[str, str], made: Sequence[Checkpoint]) -> None:
        states = [self._states.dump(one.state) for one in made]
        await connection.execute(_INSERT, {**whose, **_columns([one.mark for one in made]), "states": states})
        kinds = [("invoice", one, one.invoices) for one in made] + [("change", one, one.changes) for one in made]
        items = [(kind, name, one.mark, item) for kind, one, found in kinds for name, item in found.items()]
        if items:
            away = {
                "kinds": [kind for kind, _, _, _ in items],
                "names": [name for _, name, _, _ in items],
                "states": [self._states.dump(item) for _, _, _, item in items],
            }
            await connection.execute(_PUT, {**whose, **_columns([mark for _, _, mark, _ in items]), **away})

    async def drop_others(self, tenant_id: str, policy_version: str, client_id: str) -> int:
        """Drop checkpoints of other versions; see the port."""
        whose = {"tenant": tenant_id, "client": client_id, "version": self._version(policy_version), "most": _DROPPED}
        total = 0
        while True:
            async with transaction(self._engine, tenant_id, Transaction.CHECKPOINT) as connection:
                dropped = (await connection.execute(_DROP_OTHERS, whose)).rowcount
            total += dropped
            if dropped < _DROPPED:
                return total

    async def forget(self, tenant_id: str, client_id: str, since: datetime | None) -> None:
        """Forget checkpoints; see the port."""
        whose = {"tenant": tenant_id, "client": client_id}
        async with transaction(self._engine, tenant_id, Transaction.CHECKPOINT) as connection:
            await connection.execute(_LOCK, whose)
            await connection.execute(_FORGET, {**whose, "since": since})
            await connection.execute(_REACH_LESS, whose)


async def _sound(connection: AsyncConnection, whose: dict[str, str], made: Sequence[Checkpoint]) -> int:
    """How many of some checkpoints, from the first on, rest on exactly the events that there are."""
    before = [BEGINNING if one.after is None else (one.after.at, *one.after.ref) for one in made]
    names = ("after_times", "after_sources", "after_ids")
    places = {name: [place[number] for place in before] for number, name in enumerate(names)}
    rows = await connection.execute(_COUNTS, {**whose, **places, **_columns([one.mark for one in made])})
    for place, (row, one) in enumerate(zip(rows, made, strict=True)):
        if row[0] != one.events:
            return place
    return len(made)


def _columns(marks: Sequence[Mark]) -> dict[str, list[Any]]:
    return {
        "times": [mark.at for mark in marks],
        "sources": [mark.ref.source for mark in marks],
        "ids": [mark.ref.id for mark in marks],
    }
