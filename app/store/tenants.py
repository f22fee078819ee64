"""Tenants and API keys in Postgres."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, Select, any_, bindparam, delete, func, literal, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ports.audit import CLI, Action, Actor, AuditEntry
from app.ports.conditions import UnfitError
from app.ports.database import Transaction
from app.ports.tenants import (
    ApiKey,
    FoundKey,
    LastManagerError,
    Scope,
    Tenant,
    TooManyKeysError,
    TooManySecretsError,
)
from app.store.audit import note
from app.store.engine import transaction
from app.store.requests import made_by, note_made
from app.store.tables import api_key, former_secret, tenant

__all__ = ["PostgresTenants"]

# Asked before the tenant is known.
_BY_DIGESTS: Final = text("SELECT * FROM api_keys_by_digests(:digests)").bindparams(
    bindparam("digests", type_=ARRAY(BYTEA))
)


class PostgresTenants:
    """Keeps the promise of `app.ports.tenants.Tenants`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine

    async def ensure(self, name: str, by: Actor = CLI) -> str:
        """Find or make a tenant; see the port."""
        new = str(uuid.uuid4())
        named = select(func.tenant_by_name(name))
        # As the tenant that it would be: nobody else may write its row.
        async with transaction(self._engine, new, Transaction.KEY) as connection:
            found = (await connection.execute(named)).scalar_one_or_none()
            if found is None:
                now = datetime.now(UTC)
                row = {"tenant_id": new, "name": name, "created_at": now}
                await connection.execute(insert(tenant).values(row).on_conflict_do_nothing(index_elements=["name"]))
                # Another one may have been quicker.
                found = (await connection.execute(named)).scalar_one()
                if found == new:
                    await note(connection, new, by.did(Action.TENANT_CREATED, f"tenant:{new}", now))
            return str(found)

    async def find(self, name: str) -> str | None:
        """Find a tenant; see the port."""
        async with transaction(self._engine, None, Transaction.KEY) as connection:
            found = (await connection.execute(select(func.tenant_by_name(name)))).scalar_one_or_none()
            return None if found is None else str(found)

    async def all(self) -> list[Tenant]:
        """List tenants; see the port."""
        async with transaction(self._engine, None, Transaction.KEY) as connection:
            rows = await connection.execute(text("SELECT tenant_id, name FROM all_tenants()"))
            return [Tenant(row.tenant_id, row.name) for row in rows]

    async def add_key(self, key: ApiKey, digest: bytes, most: int, entry: AuditEntry) -> None:
        """Store a key; see the port."""
        async with transaction(self._engine, key.tenant_id, Transaction.KEY) as connection:
            await _lock(connection, key.tenant_id)
            counted = select(func.count()).where(api_key.c.tenant_id == key.tenant_id, api_key.c.revoked_at.is_(None))
            if (await connection.execute(counted)).scalar_one() >= most:
                raise TooManyKeysError
            row = {
                "tenant_id": key.tenant_id,
                "key_id": key.key_id,
                "digest": digest,
                "name": key.name,
                "hint": key.hint,
                "scopes": sorted(key.scopes),
                "created_at": key.created_at,
                "expires_at": key.expires_at,
            }
            added = insert(api_key).values(row)
            again = {"digest": added.excluded.digest, "hint": added.excluded.hint}
            await connection.execute(added.on_conflict_do_update(index_elements=["tenant_id", "key_id"], set_=again))
            await note(connection, key.tenant_id, entry)

    async def keys_by_digests(self, digests: Sequence[bytes]) -> list[FoundKey]:
        """Find keys; see the port."""
        async with transaction(self._engine, None, Transaction.KEY) as connection:
            rows = await connection.execute(_BY_DIGESTS, {"digests": list(digests)})
            return [FoundKey(_key(row), bytes(row.digest), row.ends_at) for row in rows]

    async def key(self, tenant_id: str, key_id: str) -> ApiKey | None:
        """Find one key; see the port."""
        async with transaction(self._engine, tenant_id, Transaction.KEY) as connection:
            rows = await connection.execute(_keys(tenant_id).where(api_key.c.key_id == key_id))
            row = rows.one_or_none()
        return None if row is None else _key(row, row.overlap_ends_at)

    async def keys_of(self, tenant_id: str) -> list[ApiKey]:
        """List a tenant's keys; see the port."""
        return await self.key_page(tenant_id, None, None)

    async def key_page(self, tenant_id: str, after: tuple[datetime, str] | None, limit: int | None) -> list[ApiKey]:
        """List a tenant's keys; see the port."""
        statement = _keys(tenant_id).order_by(api_key.c.created_at, api_key.c.key_id).limit(limit)
        if after is not None:
            statement = statement.where(tuple_(api_key.c.created_at, api_key.c.key_id) > tuple_(*after))
        async with transaction(self._engine, tenant_id, Transaction.KEY) as connection:
            return [_key(row, row.overlap_ends_at) for row in await connection.execute(statement)]

    async def rotate(
        self,
        tenant_id: str,
        key_id: str,
        digest: bytes,
        hint: str,
        ends_at: datetime,
        *,
        most: int,
        entry: AuditEntry,
        fits: Callable[[ApiKey], bool] | None = None,
        request_id: str | None = None,
    ) -> bool:
        """Give a key another secret; see the port."""
        keys = api_key.c
        former = former_secret.c
        of_key = former.key_id == key_id
        async with transaction(self._engine, tenant_id, Transaction.KEY) as connection:
            locked = (
                select(api_key)
                .where(keys.tenant_id == tenant_id, keys.key_id == key_id, keys.revoked_at.is_(None))
                .with_for_update()
            )
            before = (await connection.execute(locked)).one_or_none()
            if before is None:
                return False
            is_again = await made_by(connection, tenant_id, request_id) is not None
            if fits is not None and not is_again and not fits(_key(before)):
                raise UnfitError
            await note_made(connection, tenant_id, request_id, key_id)
            earlier = func.least(former.ends_at, ends_at)
            await connection.execute(
                update(former_secret).where(former.tenant_id == tenant_id, of_key).values(ends_at=earlier)
            )
            await connection.execute(
                delete(former_secret).where(former.tenant_id == tenant_id, of_key, former.ends_at <= entry.at)
            )
            if ends_at > entry.at:
                counted = select(func.count(former.digest)).where(former.tenant_id == tenant_id, of_key)
                if (await connection.execute(counted)).scalar_one() >= most:
                    raise TooManySecretsError
                row = {"tenant_id": tenant_id, "key_id": key_id, "digest": before.digest, "ends_at": ends_at}
                await connection.execute(insert(former_secret).values(row))
            anew = update(api_key).where(keys.tenant_id == tenant_id, keys.key_id == key_id)
            await connection.execute(anew.values(digest=digest, hint=hint))
            await note(connection, tenant_id, entry)
        return True

    async def revoke(
        self,
        tenant_id: str,
        key_id: str,
        entry: AuditEntry,
        *,
        force: bool = False,
        fits: Callable[[ApiKey], bool] | None = None,
    ) -> bool:
        """End a key; see the port."""
        keys = api_key.c
        async with transaction(self._engine, tenant_id, Transaction.KEY) as connection:
            # Of two at once the second sees what the first has left.
            await _lock(connection, tenant_id)
            one = select(api_key).where(keys.tenant_id == tenant_id, keys.key_id == key_id).with_for_update()
            row = (await connection.execute(one)).one_or_none()
            if row is None or row.revoked_at is not None:
                return row is not None
            if fits is not None and not fits(_key(row)):
                raise UnfitError
            if not force and Scope.MANAGE in row.scopes and not _key(row).ended(entry.at):
                others = select(keys.key_id).where(
                    keys.tenant_id == tenant_id,
                    keys.key_id != key_id,
                    literal(Scope.MANAGE.value) == any_(keys.scopes),
                    keys.revoked_at.is_(None),
                    or_(keys.expires_at.is_(None), keys.expires_at > entry.at),
                )
                if (await connection.execute(others.limit(1))).one_or_none() is None:
                    raise LastManagerError
            ended = update(api_key).where(keys.tenant_id == tenant_id, keys.key_id == key_id)
            await connection.execute(ended.values(revoked_at=entry.at))
            former = former_secret.c
            await connection.execute(
                delete(former_secret).where(former.tenant_id == tenant_id, former.key_id == key_id)
            )
            await note(connection, tenant_id, entry)
        return True

    async def used(self, tenant_id: str, key_id: str, at: datetime) -> None:
        """Note a use; see the port."""
        keys = api_key.c
        # Another server may have noted a later one.
        older = or_(keys.last_used_at.is_(None), keys.last_used_at < at)
        noted = update(api_key).where(keys.tenant_id == tenant_id, keys.key_id == key_id, older)
        async with transaction(self._engine, tenant_id, Transaction.KEY) as connection:
            await connection.execute(noted.values(last_used_at=at))


async def _lock(connection: AsyncConnection, tenant_id: str) -> None:
    """Let one at a time change how many keys a tenant has."""
    await connection.execute(select(tenant.c.tenant_id).where(tenant.c.tenant_id == tenant_id).with_for_update())


def _keys(tenant_id: str) -> Select[Any]:
    former = former_secret.c
    overlap = (
        select(func.max(former.ends_at))
        .where(former.tenant_id == api_key.c.tenant_id, former.key_id == api_key.c.key_id, former.ends_at > func.now())
        .scalar_subquery()
        .label("overlap_ends_at")
    )
    return select(api_key, overlap).where(api_key.c.tenant_id == tenant_id)


def _key(row: Row[Any], overlap_ends_at: datetime | None = None) -> ApiKey:
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
        overlap_ends_at=overlap_ends_at,
    )
