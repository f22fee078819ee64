"""Secrets: those of the settings, or else one for each tenant, made once and kept in Postgres."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ports.database import Transaction
from app.store.engine import transaction
from app.store.tables import secret
from app.use_cases.recent import Recent

__all__ = ["PostgresSecrets"]

_KEPT: Final = 10_000
_BYTES: Final = 32


class PostgresSecrets:
    """Keeps the promise of `app.ports.secrets.Secrets`."""

    def __init__(self, engine: AsyncEngine, given: Sequence[bytes] = ()) -> None:
        """Use the secrets that are given; without any, those in a database."""
        self._engine = engine
        self._given = tuple(given)
        self._kept: Recent[str, tuple[bytes, ...]] = Recent(_KEPT)

    async def of(self, tenant_id: str) -> Sequence[bytes]:
        """A tenant's secrets; see the port."""
        if self._given:
            return self._given
        found = self._kept.get(tenant_id)
        if found is None:
            found = (await self._read(tenant_id),)
            self._kept.put(tenant_id, found)
        return found

    async def _read(self, tenant_id: str) -> bytes:
        statement = select(secret.c.value).where(secret.c.tenant_id == tenant_id)
        async with transaction(self._engine, tenant_id, Transaction.SECRET) as connection:
            found = (await connection.execute(statement)).scalar_one_or_none()
            if found is None:
                row = {"tenant_id": tenant_id, "value": secrets.token_bytes(_BYTES), "created_at": datetime.now(UTC)}
                await connection.execute(insert(secret).values(row).on_conflict_do_nothing())
                # Another replica may have been quicker.
                found = (await connection.execute(statement)).scalar_one()
        return bytes(found)
