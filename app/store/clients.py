"""Clients in Postgres."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, collate, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ports.clients import ClientRecord
from app.store.engine import transaction
from app.store.tables import client

__all__ = ["PostgresClients"]


class PostgresClients:
    """Keeps the promise of `app.ports.clients.Clients`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine

    async def get(self, tenant_id: str, client_id: str) -> ClientRecord | None:
        """Find one client; see the port."""
        statement = select(client).where(client.c.tenant_id == tenant_id, client.c.client_id == client_id)
        async with transaction(self._engine) as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _record(row)

    async def all(self, tenant_id: str) -> list[ClientRecord]:
        """List all clients; see the port."""
        statement = select(client).where(client.c.tenant_id == tenant_id).order_by(client.c.client_id)
        async with transaction(self._engine) as connection:
            return [_record(row) for row in await connection.execute(statement)]

    async def several(self, tenant_id: str, client_ids: Sequence[str]) -> dict[str, ClientRecord]:
        """Find some clients; see the port."""
        statement = select(client).where(client.c.tenant_id == tenant_id, client.c.client_id.in_(list(client_ids)))
        async with transaction(self._engine) as connection:
            return {row.client_id: _record(row) for row in await connection.execute(statement)}

    async def count(self, tenant_id: str, text: str | None = None) -> int:
        """Count clients; see the port."""
        statement = select(func.count()).where(client.c.tenant_id == tenant_id, *_has(text))
        async with transaction(self._engine) as connection:
            found: int = (await connection.execute(statement)).scalar_one()
            return found

    async def page(
        self,
        tenant_id: str,
        text: str | None,
        after: tuple[str, str] | None,
        before: tuple[str, str] | None,
        limit: int,
        *,
        last: bool,
    ) -> list[ClientRecord]:
        """List clients by name; see the port."""
        statement = select(client).where(client.c.tenant_id == tenant_id, *_has(text))
        if after is not None:
            statement = statement.where(tuple_(*after) < _PLACE)
        if before is not None:
            statement = statement.where(tuple_(*before) > _PLACE)
        order = (_NAME.desc(), _ID.desc()) if last else (_NAME, _ID)
        async with transaction(self._engine) as connection:
            found = [_record(row) for row in await connection.execute(statement.order_by(*order).limit(limit))]
        return found[::-1] if last else found


_NAME = collate(func.coalesce(client.c.name, client.c.client_id), "C")
_ID = collate(client.c.client_id, "C")
_PLACE = tuple_(_NAME, _ID)


def _has(text: str | None) -> list[ColumnElement[bool]]:
    if text is None:
        return []
    return [or_(client.c.client_id.icontains(text, autoescape=True), client.c.name.icontains(text, autoescape=True))]


def _record(row: Row[Any]) -> ClientRecord:
    return ClientRecord(row.client_id, row.name, row.country, row.currency, row.time_zone, row.created_at, row.revision)
