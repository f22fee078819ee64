"""The ledger in Postgres."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.events import Event, EventData, EventRef
from app.core.events.relationship import ClientCreated, ClientUpdated
from app.ports.ledger import EventFilter, EventKey, NewEvent, Outcome, StoredEvent
from app.store.engine import retrying, transaction
from app.store.tables import client, event

__all__ = ["PostgresLedger"]

_INSERT = text(
    """
    INSERT INTO event (tenant_id, source, id, type, client_id, time, recorded_at, digest, data)
    SELECT :tenant, sent.source, sent.id, sent.type, sent.client_id, sent.time, now(), sent.digest, sent.data
    FROM unnest(
        CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:types AS text[]), CAST(:clients AS text[]),
        CAST(:times AS timestamptz[]), CAST(:digests AS bytea[]), CAST(:data AS text[])
    ) AS sent (source, id, type, client_id, time, digest, data)
    ON CONFLICT DO NOTHING
    RETURNING source, id
    """
)
_DIGESTS = text(
    """
    SELECT stored.source, stored.id, stored.digest
    FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS sent (source, id)
    JOIN event AS stored ON stored.tenant_id = :tenant AND stored.source = sent.source AND stored.id = sent.id
    """
)
_TOUCH_CLIENTS = text(
    """
    INSERT INTO client (tenant_id, client_id, created_at, revision, due_at)
    SELECT :tenant, sent.client_id, now(), sent.events, now()
    FROM unnest(CAST(:clients AS text[]), CAST(:events AS bigint[])) AS sent (client_id, events)
    ON CONFLICT (tenant_id, client_id) DO UPDATE SET
        revision = client.revision + excluded.revision,
        -- Of who is due already it stays as it is, so that no index has to be told.
        due_at = least(client.due_at, now())
    """
)
# Events that may change what is known of a client.
_PROFILE_TYPES = ("client.created", "client.updated", "event.voided")

Key = tuple[str, str]


class _ConflictError(Exception):
    """Rolls an atomic batch back; carries what became of each event."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__("conflict in an atomic batch")
        self.outcomes = outcomes


class PostgresLedger:
    """Keeps the promise of `app.ports.ledger.Ledger`."""

    def __init__(self, engine: AsyncEngine, load: Callable[[str, str], EventData]) -> None:
        """Use a pool, and a way to turn a type and its stored data into the catalogue's dataclass."""
        self._engine = engine
        self._load = load

    async def append(self, tenant_id: str, events: Sequence[NewEvent], *, atomic: bool = False) -> list[Outcome]:
        """Store events; see the port."""

        async def once() -> list[Outcome]:
            async with transaction(self._engine, tenant_id) as connection:
                return await self._append(connection, tenant_id, events, atomic=atomic)

        if not events:
            return []
        try:
            return await retrying(once)
        except _ConflictError as conflict:
            return conflict.outcomes

    async def _append(
        self, connection: AsyncConnection, tenant_id: str, events: Sequence[NewEvent], *, atomic: bool
    ) -> list[Outcome]:
        first: dict[Key, NewEvent] = {}
        for one in events:
            first.setdefault((one.source, one.id), one)
        # In one order everywhere, so that two batches wait for each other but never in a circle.
        ordered = [first[key] for key in sorted(first)]
        inserted = await _insert(connection, tenant_id, ordered)
        digests = {key: one.digest for key, one in first.items() if key in inserted}
        if len(inserted) < len(ordered):
            digests |= await _digests(connection, tenant_id, [key for key in first if key not in inserted])
        outcomes = [_outcome(one, first, inserted, digests) for one in events]
        if atomic and Outcome.CONFLICT in outcomes:
            raise _ConflictError([Outcome.ABORTED if outcome is Outcome.ACCEPTED else outcome for outcome in outcomes])
        new = [one for one in ordered if (one.source, one.id) in inserted]
        if new:
            await _touch_clients(connection, tenant_id, new)
            for client_id in sorted({one.client_id for one in new if one.type in _PROFILE_TYPES}):
                await self._retell_profile(connection, tenant_id, client_id)
        return outcomes

    async def _retell_profile(self, connection: AsyncConnection, tenant_id: str, client_id: str) -> None:
        """What is known of a client, told again from its events, so that the order of arrival does not matter."""
        rows = await connection.execute(
            select(event)
            .where(event.c.tenant_id == tenant_id, event.c.client_id == client_id, event.c.type.in_(_PROFILE_TYPES))
            .order_by(event.c.time, event.c.source, event.c.id)
        )
        told = [self._event(row) for row in rows]
        voided = {(one.data.source, one.data.id) for one in told if one.type == "event.voided"}  # type: ignore[attr-defined]
        known: dict[str, str] = {}
        for one in told:
            if isinstance(one.data, ClientCreated | ClientUpdated) and (one.source, one.id) not in voided:
                fields = ("name", "country", "currency", "time_zone")
                known |= {name: value for name in fields if (value := getattr(one.data, name)) is not None}
        blank: dict[str, str | None] = dict.fromkeys(("name", "country", "currency", "time_zone"))
        await connection.execute(
            update(client).where(client.c.tenant_id == tenant_id, client.c.client_id == client_id).values(blank | known)
        )

    async def named(self, tenant_id: str, event_id: str, source: str | None) -> list[StoredEvent]:
        """Find events by id; see the port."""
        statement = select(event).where(event.c.tenant_id == tenant_id, event.c.id == event_id)
        if source is not None:
            statement = statement.where(event.c.source == source)
        async with transaction(self._engine, tenant_id) as connection:
            return [_stored(row) for row in await connection.execute(statement.order_by(event.c.source).limit(10))]

    async def several(self, tenant_id: str, refs: Sequence[EventRef]) -> dict[EventRef, StoredEvent]:
        """Find some events; see the port."""
        name = tuple_(event.c.source, event.c.id)
        statement = select(event).where(event.c.tenant_id == tenant_id, name.in_(list(refs)))
        async with transaction(self._engine, tenant_id) as connection:
            return {EventRef(row.source, row.id): _stored(row) for row in await connection.execute(statement)}

    async def page(self, tenant_id: str, wanted: EventFilter, after: EventKey | None, limit: int) -> list[StoredEvent]:
        """List events; see the port."""
        statement = select(event).where(event.c.tenant_id == tenant_id)
        for column, value in (
            (event.c.client_id, wanted.client_id),
            (event.c.type, wanted.type),
            (event.c.source, wanted.source),
        ):
            if value is not None:
                statement = statement.where(column == value)
        for bound, instant in (
            (event.c.time.__ge__, wanted.since),
            (event.c.time.__lt__, wanted.until),
            (event.c.time.__le__, wanted.as_of),
            (event.c.recorded_at.__le__, wanted.known_at),
        ):
            if instant is not None:
                statement = statement.where(bound(instant))
        if after is not None:
            place = tuple_(event.c.time, event.c.source, event.c.id)
            statement = statement.where(place > tuple_(after.time, after.source, after.id))
        statement = statement.order_by(event.c.time, event.c.source, event.c.id).limit(limit)
        async with transaction(self._engine, tenant_id) as connection:
            return [_stored(row) for row in await connection.execute(statement)]

    async def revisions(self, tenant_id: str, client_ids: Sequence[str] | None = None) -> dict[str, int]:
        """Tell clients' revisions; see the port."""
        statement = select(client.c.client_id, client.c.revision).where(client.c.tenant_id == tenant_id)
        if client_ids is not None:
            statement = statement.where(client.c.client_id.in_(list(client_ids)))
        async with transaction(self._engine, tenant_id) as connection:
            return {row.client_id: row.revision for row in await connection.execute(statement)}

    async def histories(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, list[Event]]:
        """Read all events of some clients; see the port."""
        found: dict[str, list[Event]] = {client_id: [] for client_id in client_ids}
        statement = select(event).where(event.c.tenant_id == tenant_id, event.c.client_id.in_(list(client_ids)))
        async with transaction(self._engine, tenant_id) as connection, connection.stream(statement) as rows:
            async for row in rows:
                found[row.client_id].append(self._event(row))
        return found

    def _event(self, row: Row[Any]) -> Event:
        return Event(
            source=row.source,
            id=row.id,
            type=row.type,
            client_id=row.client_id,
            time=row.time,
            data=self._load(row.type, row.data),
            recorded_at=row.recorded_at,
        )


async def _insert(connection: AsyncConnection, tenant_id: str, events: Sequence[NewEvent]) -> set[Key]:
    rows = await connection.execute(
        _INSERT,
        {
            "tenant": tenant_id,
            "sources": [one.source for one in events],
            "ids": [one.id for one in events],
            "types": [one.type for one in events],
            "clients": [one.client_id for one in events],
            "times": [one.time for one in events],
            "digests": [one.digest for one in events],
            "data": [one.data for one in events],
        },
    )
    return {(row.source, row.id) for row in rows}


async def _digests(connection: AsyncConnection, tenant_id: str, keys: Sequence[Key]) -> dict[Key, bytes]:
    rows = await connection.execute(
        _DIGESTS, {"tenant": tenant_id, "sources": [key[0] for key in keys], "ids": [key[1] for key in keys]}
    )
    return {(row.source, row.id): bytes(row.digest) for row in rows}


async def _touch_clients(connection: AsyncConnection, tenant_id: str, events: Sequence[NewEvent]) -> None:
    counts: dict[str, int] = {}
    for one in events:
        counts[one.client_id] = counts.get(one.client_id, 0) + 1
    clients = sorted(counts)
    await connection.execute(
        _TOUCH_CLIENTS, {"tenant": tenant_id, "clients": clients, "events": [counts[name] for name in clients]}
    )


def _outcome(one: NewEvent, first: Mapping[Key, NewEvent], inserted: set[Key], digests: Mapping[Key, bytes]) -> Outcome:
    key = (one.source, one.id)
    if key in inserted and first[key] is one:
        return Outcome.ACCEPTED
    return Outcome.DUPLICATE if digests.get(key) == one.digest else Outcome.CONFLICT


def _stored(row: Row[Any]) -> StoredEvent:
    time: datetime = row.time
    return StoredEvent(row.source, row.id, row.type, row.client_id, time, row.recorded_at, row.data)
