"""Tenants and API keys in Postgres."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ports.tenants import ApiKey, Scope, Tenant
from app.store.engine import transaction
from app.store.tables import api_key, tenant

__all__ = ["PostgresTenants"]

# Asked before the tenant is known.
_BY_DIGEST = text("SELECT * FROM api_key_by_digest(:digest)")


class PostgresTenants:
    """Keeps the promise of `app.ports.tenants.Tenants`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine

    async def ensure(self, name: str) -> str:
        """Find or make a tenant; see the port."""
        new = str(uuid.uuid4())
        named = select(func.tenant_by_name(name))
        # As the tenant that it would be: nobody else may write its row.
        async with transaction(self._engine, new) as connection:
            found = (await connection.execute(named)).scalar_one_or_none()
            if found is None:
                row = {"tenant_id": new, "name": name, "created_at": datetime.now(UTC)}
                await connection.execute(insert(tenant).values(row).on_conflict_do_nothing(index_elements=["name"]))
                # Another one may have been quicker.
                found = (await connection.execute(named)).scalar_one()
            return str(found)

    async def all(self) -> list[Tenant]:
        """List tenants; see the port."""
        async with transaction(self._engine, None) as connection:
            rows = await connection.execute(text("SELECT tenant_id, name FROM all_tenants()"))
            return [Tenant(row.tenant_id, row.name) for row in rows]

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        """Store a key; see the port."""
        async with transaction(self._engine, key.tenant_id) as connection:
            await connection.execute(
                insert(api_key).values(
                    tenant_id=key.tenant_id,
                    key_id=key.key_id,
                    digest=digest,
                    name=key.name,
                    hint=key.hint,
                    scopes=sorted(key.scopes),
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                )
            )

    async def key_by_digest(self, digest: bytes) -> ApiKey | None:
        """Find a key; see the port."""
        async with transaction(self._engine, None) as connection:
            row = (await connection.execute(_BY_DIGEST, {"digest": digest})).one_or_none()
        return None if row is None else _key(row)

    async def keys_of(self, tenant_id: str) -> list[ApiKey]:
        """List a tenant's keys; see the port."""
        statement = (
            select(api_key).where(api_key.c.tenant_id == tenant_id).order_by(api_key.c.created_at, api_key.c.key_id)
        )
        async with transaction(self._engine, tenant_id) as connection:
            return [_key(row) for row in await connection.execute(statement)]

    async def revoke(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        """End a key; see the port."""
        return await self._set(tenant_id, key_id, revoked_at=at)

    async def used(self, tenant_id: str, key_id: str, at: datetime) -> None:
        """Note a use; see the port."""
        await self._set(tenant_id, key_id, last_used_at=at)

    async def _set(self, tenant_id: str, key_id: str, **values: datetime) -> bool:
        statement = (
            update(api_key)
            .where(api_key.c.tenant_id == tenant_id, api_key.c.key_id == key_id)
            .values(values)
            .returning(api_key.c.key_id)
        )
        async with transaction(self._engine, tenant_id) as connection:
            return (await connection.execute(statement)).one_or_none() is not None


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        tenant_id=row.tenant_id,
        name=row.name,
        hint=row.hint,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
