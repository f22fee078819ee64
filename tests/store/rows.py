"""A row for any table, as the database describes it, whatever migrations have made of it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

# What is read as more than a text, by table and column.
MEANINGFUL: Mapping[tuple[str, str], Any] = {
    ("event", "type"): "call.received",
    ("event", "data"): "{}",
    ("api_key", "scopes"): ["read"],
    ("policy", "settings"): "{}",
    ("policy", "version"): "v1",
    ("policy_activation", "version"): "v1",
}


async def tables(connection: asyncpg.Connection) -> list[str]:
    """The tables of the schema, those of the machinery too."""
    found = await connection.fetch(
        "select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') "
        "and not relispartition order by relname"
    )
    return [row[0] for row in found]


async def tenant_tables(connection: asyncpg.Connection) -> list[str]:
    """Those whose rows belong to tenants."""
    found = await connection.fetch(
        "select relname from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant_id' "
        "where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition "
        "order by relname"
    )
    return [row[0] for row in found]


async def put(connection: asyncpg.Connection, table: str, tenant_id: str, **given: Any) -> dict[str, Any]:
    """Store a row of a tenant, each value of which names the tenant where it can; return it."""
    columns = await connection.fetch(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = current_schema() and table_name = $1 and is_generated = 'NEVER' "
        "order by ordinal_position",
        table,
    )
    row = {name: given.get(name, _value(table, name, kind, tenant_id)) for name, kind in columns}
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await connection.execute(f"insert into {table} ({names}) values ({marks})", *row.values())
    return row


def _value(table: str, column: str, kind: str, tenant_id: str) -> Any:
    if column == "tenant_id":
        return tenant_id
    if (table, column) in MEANINGFUL:
        return MEANINGFUL[table, column]
    if column in ("revoked_at", "expires_at", "last_used_at", "known_at", "finished_at"):
        return None
    values: Mapping[str, Any] = {
        "text": f"{column}-of-{tenant_id}",
        "timestamp with time zone": MOMENT,
        "date": MOMENT.date(),
        "bytea": f"{column}-of-{tenant_id}".encode(),
        "integer": 1,
        "bigint": 1,
        "smallint": 1,
        "double precision": 1.5,
        "numeric": 1,
        "boolean": False,
        "jsonb": json.dumps({}),
        "json": json.dumps({}),
        "ARRAY": [],
    }
    # A type that is not named here fails by its name.
    return values[kind]
