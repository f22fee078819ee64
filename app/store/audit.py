"""The audit log in Postgres."""

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ports.audit import Action, AuditEntry, AuditFilter
from app.ports.database import Transaction
from app.store.engine import transaction
from app.store.tables import audit_entry

__all__ = ["PostgresAuditLog", "note", "note_beside"]

_BESIDE: Final = """
    INSERT INTO audit_entry (tenant_id, at, entry_id, actor, action, subject, details, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    """


async def note(connection: AsyncConnection, tenant_id: str, entry: AuditEntry) -> None:
    """Note a change, in the transaction that makes it."""
    values = {
        "tenant_id": tenant_id,
        "at": entry.at,
        "entry_id": entry.entry_id,
        "actor": entry.actor,
        "action": entry.action.value,
        "subject": entry.subject,
        "details": _told(entry),
        "request_id": entry.request_id,
    }
    await connection.execute(insert(audit_entry).values(values))


async def note_beside(connection: Any, tenant_id: str, entry: AuditEntry) -> None:
    """Note a change, in a transaction on a connection of the driver."""
    told = (entry.at, entry.entry_id, entry.actor, entry.action.value, entry.subject, _told(entry), entry.request_id)
    await connection.execute(_BESIDE, tenant_id, *told)


class PostgresAuditLog:
    """Keeps the promise of `app.ports.audit.AuditLog`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine

    async def page(
        self, tenant_id: str, wanted: AuditFilter, before: tuple[datetime, str] | None, limit: int
    ) -> list[AuditEntry]:
        """List entries; see the port."""
        found = audit_entry.c
        statement = select(audit_entry).where(found.tenant_id == tenant_id)
        for column, value in (
            (found.actor, wanted.actor),
            (found.action, wanted.action),
            (found.subject, wanted.subject),
        ):
            if value is not None:
                statement = statement.where(column == str(value))
        if wanted.since is not None:
            statement = statement.where(found.at >= wanted.since)
        if wanted.until is not None:
            statement = statement.where(found.at < wanted.until)
        if before is not None:
            statement = statement.where(tuple_(found.at, found.entry_id) < tuple_(*before))
        statement = statement.order_by(found.at.desc(), found.entry_id.desc()).limit(limit)
        async with transaction(self._engine, tenant_id, Transaction.AUDIT) as connection:
            return [
                AuditEntry(
                    row.entry_id,
                    row.at,
                    row.actor,
                    Action(row.action),
                    row.subject,
                    json.loads(row.details),
                    row.request_id,
                )
                for row in await connection.execute(statement)
            ]


def _told(entry: AuditEntry) -> str:
    return json.dumps(dict(entry.details), ensure_ascii=False, separators=(",", ":"))
