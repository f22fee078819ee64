"""Policies in Postgres."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ports.audit import CLI, Action, Actor
from app.ports.conditions import UnfitError
from app.ports.database import Transaction
from app.ports.policies import PolicyRecord
from app.store.audit import note
from app.store.engine import transaction
from app.store.requests import made_by, note_made
from app.store.tables import policy, policy_activation, portfolio, tenant

__all__ = ["PostgresPolicies"]


class PostgresPolicies:
    """Keeps the promise of `app.ports.policies.Policies`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine

    async def active(self, tenant_id: str) -> tuple[str, int] | None:
        """Find the active version; see the port."""
        activated = policy_activation.c
        statement = (
            select(activated.version, activated.number)
            .where(activated.tenant_id == tenant_id)
            .order_by(activated.number.desc())
            .limit(1)
        )
        async with transaction(self._engine, tenant_id, Transaction.POLICY) as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else (row.version, row.number)

    async def get(self, tenant_id: str, version: str) -> PolicyRecord | None:
        """Find one version; see the port."""
        async with transaction(self._engine, tenant_id, Transaction.POLICY) as connection:
            rows = await connection.execute(_records(tenant_id).where(policy.c.version == version))
            row = rows.one_or_none()
        return None if row is None else _record(row)

    async def all(self, tenant_id: str, after: str | None = None, most: int | None = None) -> list[PolicyRecord]:
        """List versions; see the port."""
        statement = _records(tenant_id).order_by(policy.c.number.desc()).limit(most)
        if after is not None:
            other = policy.alias()
            number = select(other.c.number).where(other.c.tenant_id == tenant_id, other.c.version == after)
            statement = statement.where(policy.c.number < number.scalar_subquery())
        async with transaction(self._engine, tenant_id, Transaction.POLICY) as connection:
            rows = await connection.execute(statement)
            return [_record(row) for row in rows]

    async def add(
        self, tenant_id: str, record: PolicyRecord, request_id: str | None = None, by: Actor = CLI
    ) -> PolicyRecord:
        """Keep a new version; see the port."""
        async with transaction(self._engine, tenant_id, Transaction.POLICY) as connection:
            # Of two at once the second waits for the first, and then counts it.
            await connection.execute(select(tenant).where(tenant.c.tenant_id == tenant_id).with_for_update())
            made = await made_by(connection, tenant_id, request_id)
            if made is not None:
                return _record((await connection.execute(_records(tenant_id).where(policy.c.version == made))).one())
            last = select(func.coalesce(func.max(policy.c.number), 0)).where(policy.c.tenant_id == tenant_id)
            number = (await connection.execute(last)).scalar_one() + 1
            values = {
                "tenant_id": tenant_id,
                "number": number,
                "version": f"v{number}",
                "based_on": record.based_on,
                "note": record.note,
                "settings": record.settings,
                "created_at": record.created_at,
            }
            await connection.execute(insert(policy).values(values))
            subject = f"policy:v{number}"
            entry = by.did(Action.POLICY_DRAFTED, subject, record.created_at, based_on=record.based_on)
            await note(connection, tenant_id, entry)
            await note_made(connection, tenant_id, request_id, f"v{number}")
            return _record((await connection.execute(_records(tenant_id).where(policy.c.number == number))).one())

    async def activate(  # noqa: PLR0917 - what it is made from
        self,
        tenant_id: str,
        version: str,
        at: datetime,
        request_id: str | None = None,
        by: Actor = CLI,
        fits: Callable[[int], bool] | None = None,
    ) -> None:
        """Make a version the active one; see the port."""
        activated = policy_activation.c
        async with transaction(self._engine, tenant_id, Transaction.POLICY) as connection:
            await connection.execute(select(tenant).where(tenant.c.tenant_id == tenant_id).with_for_update())
            if await made_by(connection, tenant_id, request_id) is not None:
                return
            last = select(func.coalesce(func.max(activated.number), 0)).where(activated.tenant_id == tenant_id)
            number = (await connection.execute(last)).scalar_one() + 1
            if fits is not None and not fits(number - 1):
                raise UnfitError
            await note_made(connection, tenant_id, request_id, version)
            values = {"tenant_id": tenant_id, "number": number, "version": version, "activated_at": at}
            await connection.execute(insert(policy_activation).values(values))
            # All clients are to be held against a portfolio by this policy: that one is due, and they are after it.
            anew = {"changes": portfolio.c.changes + 1, "due_at": func.now()}
            await connection.execute(update(portfolio).where(portfolio.c.tenant_id == tenant_id).values(anew))
            await note(connection, tenant_id, by.did(Action.POLICY_ACTIVATED, f"policy:{version}", at))


def _records(tenant_id: str) -> Select[Any]:
    activated = policy_activation.c
    newest = (
        select(func.max(activated.activated_at))
        .where(activated.tenant_id == policy.c.tenant_id, activated.version == policy.c.version)
        .scalar_subquery()
        .label("activated_at")
    )
    return select(policy, newest).where(policy.c.tenant_id == tenant_id)


def _record(row: Row[Any]) -> PolicyRecord:
    return PolicyRecord(row.version, row.based_on, row.note, row.settings, row.created_at, row.activated_at)
