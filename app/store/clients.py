"""Clients in Postgres."""

from typing import Any

from sqlalchemy import Row, select
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


def _record(row: Row[Any]) -> ClientRecord:
    return ClientRecord(row.client_id, row.name, row.country, row.currency, row.time_zone, row.created_at, row.revision)
