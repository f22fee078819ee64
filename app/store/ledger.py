"""The ledger in Postgres."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.events import Event, EventData, EventRef
from app.ports.audit import AuditEntry
from app.ports.database import Transaction
from app.ports.ledger import EventFilter, EventKey, NewEvent, Outcome, StoredEvent
from app.store.appends import Appends
from app.store.engine import transaction
from app.store.erasures import being_erased
from app.store.groups import GroupedAppends
from app.store.tables import client, event
from app.store.writes import Writes

__all__ = ["PostgresLedger"]


class PostgresLedger:
    """Keeps the promise of `app.ports.ledger.Ledger`."""

    def __init__(self, engine: AsyncEngine, writes: Writes, load: Callable[[str, str], EventData]) -> None:
        """Use pools to read and to write, and a way to turn stored data into the catalogue's dataclass, by type."""
        self._engine = engine
        self._appends = Appends(writes)
        self._grouped = GroupedAppends(self._appends, writes.patience)
        self._load = load

    async def append(
        self,
        tenant_id: str,
        events: Sequence[NewEvent],
        *,
        atomic: bool = False,
        entry: AuditEntry | None = None,
        after: int | None = None,
    ) -> list[Outcome]:
        """Store events; see the port."""
        if not events:
            return []
        if atomic or entry is not None or after is not None:
            # Which depends on more than its events is a transaction of its own.
            return await self._appends(tenant_id, events, atomic=atomic, entry=entry, after=after)
        return await self._grouped(tenant_id, events)

    async def named(self, tenant_id: str, event_id: str, source: str | None) -> list[StoredEvent]:
        """Find events by id; see the port."""
        statement = _visible(tenant_id).where(event.c.id == event_id)
        if source is not None:
            statement = statement.where(event.c.source == source)
        async with transaction(self._engine, tenant_id, Transaction.EVENTS) as connection:
            return [_stored(row) for row in await connection.execute(statement.order_by(event.c.source).limit(10))]

    async def several(self, tenant_id: str, refs: Sequence[EventRef]) -> dict[EventRef, StoredEvent]:
        """Find some events; see the port."""
        name = tuple_(event.c.source, event.c.id)
        statement = _visible(tenant_id).where(name.in_(list(refs)))
        async with transaction(self._engine, tenant_id, Transaction.EVENTS) as connection:
            return {EventRef(row.source, row.id): _stored(row) for row in await connection.execute(statement)}

    async def page(self, tenant_id: str, wanted: EventFilter, after: EventKey | None, limit: int) -> list[StoredEvent]:
        """List events; see the port."""
        statement = _visible(tenant_id)
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
        async with transaction(self._engine, tenant_id, Transaction.EVENTS) as connection:
            return [_stored(row) for row in await connection.execute(statement)]

    async def revisions(self, tenant_id: str, client_ids: Sequence[str] | None = None) -> dict[str, int]:
        """Tell clients' revisions; see the port."""
        statement = select(client.c.client_id, client.c.revision).where(client.c.tenant_id == tenant_id)
        if client_ids is not None:
            statement = statement.where(client.c.client_id.in_(list(client_ids)))
        async with transaction(self._engine, tenant_id, Transaction.EVENTS) as connection:
            return {row.client_id: row.revision for row in await connection.execute(statement)}

    async def histories(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, list[Event]]:
        """Read all events of some clients; see the port."""
        found: dict[str, list[Event]] = {client_id: [] for client_id in client_ids}
        statement = _visible(tenant_id).where(event.c.client_id.in_(list(client_ids)))
        async with (
            transaction(self._engine, tenant_id, Transaction.EVENTS) as connection,
            connection.stream(statement) as rows,
        ):
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


def _visible(tenant_id: str) -> Select[Any]:
    """Events that may be told: rows of an erased client are removed one by one, but all are unseen at once."""
    return select(event).where(event.c.tenant_id == tenant_id, event.c.client_id.not_in(being_erased(tenant_id)))


def _stored(row: Row[Any]) -> StoredEvent:
    time: datetime = row.time
    return StoredEvent(row.source, row.id, row.type, row.client_id, time, row.recorded_at, row.data)
