"""The schema can be distributed by tenant: keys begin with it, nothing reaches across, statements find their shard."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.composition import create_app
from app.ports.tenants import Scope
from app.settings import Settings
from app.store.grants import grant
from tests.cloud_events import BATCH, EVERY_TYPE, as_json, cloud_event
from tests.postgres import Server

REFERENCE = {"tenant", "api_key", "former_secret"}
"""Asked before the tenant is known, and small: on a distributed database a copy is on every node."""
OPERATORS = {"alembic_version"}
SHARDS = 16

_COLUMNS = """
    SELECT c.relname AS table, a.attname AS column, a.attnotnull AS required,
        format_type(a.atttypid, a.atttypmod) AS type,
        a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%', false) AS numbered
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
"""
_UNIQUE = """
    SELECT c.relname AS table, i.indexrelid::regclass::text AS name, i.indisprimary AS primary, a.attname AS first
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
"""
_ACROSS = """
    SELECT conrelid::regclass::text || ' refers to ' || confrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND connamespace = 'public'::regnamespace
        -- A key that is the tenant's and more stays on its node.
        AND NOT (cardinality(conkey) > 1 AND (
            SELECT bool_and(attname = 'tenant_id') FROM pg_attribute
            WHERE (attrelid, attnum) IN ((conrelid, conkey[1]), (confrelid, confkey[1]))
        ))
    UNION ALL SELECT tgrelid::regclass::text || ' has trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'sequence ' || relname FROM pg_class
    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
"""


async def faults_of(connection: AsyncConnection) -> set[str]:
    """What stands in the way of distributing the tables of a database by tenant."""
    columns = [row._mapping for row in await connection.execute(text(_COLUMNS))]
    tables = {row["table"] for row in columns}
    tenants = {row["table"]: row for row in columns if row["column"] == "tenant_id"}
    faults = {f"{table} has no tenant_id" for table in tables - set(tenants) - OPERATORS}
    for table, row in tenants.items():
        if not row["required"] or row["type"] != "text":
            faults.add(f"{table}.tenant_id is not of the type that all have")
    faults |= {f"{row['table']}.{row['column']} is numbered" for row in columns if row["numbered"]}
    unique = [row._mapping for row in await connection.execute(text(_UNIQUE))]
    keyed = {row["table"] for row in unique if row["primary"]}
    faults |= {f"{table} has no primary key" for table in tables - keyed}
    for row in unique:
        if row["first"] != "tenant_id" and row["table"] not in REFERENCE | OPERATORS:
            faults.add(f"{row['name']} does not begin with tenant_id")
    return faults | set((await connection.execute(text(_ACROSS))).scalars())


@pytest.fixture
async def owner(postgres: Server, fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(postgres.owner_of(fresh_database_url), poolclass=NullPool)
    yield engine
    await engine.dispose()


async def test_nothing_in_the_catalogue_stands_in_the_way(owner: AsyncEngine):
    async with owner.connect() as connection:
        assert await faults_of(connection) == set()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("CREATE TABLE bad (id text PRIMARY KEY)", "bad has no tenant_id"),
        ("CREATE TABLE bad (tenant_id text NOT NULL, id text)", "bad has no primary key"),
        ("CREATE TABLE bad (tenant_id text, id text, PRIMARY KEY (id, tenant_id))", "bad_pkey does not begin with"),
        ("CREATE UNIQUE INDEX bad ON event (id)", "bad does not begin with tenant_id"),
        ("CREATE UNIQUE INDEX bad ON client (lower(client_id), tenant_id)", "bad does not begin with tenant_id"),
        ("CREATE TABLE bad (tenant_id uuid PRIMARY KEY)", "bad.tenant_id is not of the type"),
        ("CREATE TABLE bad (tenant_id text, id bigserial, PRIMARY KEY (tenant_id, id))", "sequence bad_id_seq"),
        (
            "CREATE TABLE bad (tenant_id text, id bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (tenant_id, id))",
            "bad.id is numbered",
        ),
        ("ALTER TABLE client ADD FOREIGN KEY (tenant_id) REFERENCES tenant", "client refers to tenant"),
        (
            "CREATE TRIGGER bad BEFORE UPDATE ON event EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "event has trigger bad",
        ),
    ],
)
async def test_what_would_stand_in_the_way_is_found(owner: AsyncEngine, statement: str, fault: str):
    async with owner.connect() as connection:
        await connection.execute(text(statement))
        assert any(found.startswith(fault) for found in await faults_of(connection))


async def _shard(owner: AsyncEngine) -> set[str]:
    """Put every tenant's table into shards by the hash of the tenant, as Postgres itself can: the same keys are needed
    for it, and it shows which shards a statement looks at."""
    async with owner.begin() as connection:
        rows = [row._mapping for row in await connection.execute(text(_COLUMNS))]
        names = {row["table"] for row in rows if row["column"] == "tenant_id"} - REFERENCE
        for name in names:
            await connection.execute(text(f"ALTER TABLE {name} RENAME TO {name}_whole"))
            like = f"CREATE TABLE {name} (LIKE {name}_whole INCLUDING ALL) PARTITION BY HASH (tenant_id)"
            await connection.execute(text(like))
            for number in range(SHARDS):
                part = f"FOR VALUES WITH (MODULUS {SHARDS}, REMAINDER {number})"
                await connection.execute(text(f"CREATE TABLE {name}_{number} PARTITION OF {name} {part}"))
            await connection.execute(text(f"DROP TABLE {name}_whole CASCADE"))
    async with owner.connect() as connection:
        assert await grant(connection) is None
    return names


async def _use_everything(api: httpx.AsyncClient) -> None:
    async def ask(method: str, path: str, **more: Any) -> httpx.Response:
        answer = await api.request(method, path, **more)
        assert answer.is_success, (method, path, answer.text)
        return answer

    events = [
        cloud_event(f"{client}-{kind}", kind, client=client, time="2026-02-01T00:00:00Z")
        for client in ("a", "b", "c")
        for kind in EVERY_TYPE
    ]
    for _ in range(2):  # new, and duplicates
        await ask("POST", "/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    await ask("PUT", "/v1/clients/a", json={"name": "A"})
    await ask("GET", "/v1/events?client_id=a&type=call.received")
    cursor = (await ask("GET", "/v1/events?limit=5")).json()["next"]
    await ask("GET", "/v1/events", params={"cursor": cursor})
    await ask("GET", "/v1/events/a-call.received")
    for query in ("", "?as_of=2026-03-01", "?verdict=keep"):
        await ask("GET", f"/v1/clients{query}")
    for end in ("", "/score", "/explanation", "/history", "/timeline", "/recourse"):
        await ask("GET", f"/v1/clients/a{end}")
    await ask("POST", "/v1/clients/a/simulate", json={"events": [{"type": "call.received"}]})
    once = {"json": {"settings": {}}, "headers": {"Idempotency-Key": "once"}}
    version = (await ask("POST", "/v1/policies", **once)).json()["version"]
    assert (await ask("POST", "/v1/policies", **once)).headers["idempotency-replayed"] == "true"
    await ask(
        "POST", "/v1/clients/b/simulate", json={"events": [{"type": "call.received"}]}, headers={"Idempotency-Key": "b"}
    )
    await ask("GET", f"/v1/policies/{version}/preview")
    await ask("POST", f"/v1/policies/{version}/activate", headers={"If-Match": "*"})
    await ask("GET", "/v1/policies")
    query = """{ clients(first: 2, orderBy: {by: NAME}, filter: {text: "a"}) { totalCount edges { node { name
      score { score } explanation { signs { events { id } } } events { edges { node { id } } } } } } portfolio {
      clients } }"""
    assert "errors" not in (await ask("POST", "/graphql", json={"query": query})).json()
    assert (await ask("DELETE", "/v1/clients/b")).status_code == 204
    late = await ask("POST", "/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    assert late.json()["invalid"] == len(EVERY_TYPE)
    await ask("GET", "/v1/erasures")


async def _uses(owner: AsyncEngine) -> dict[str, int]:
    """How often each table was looked at or written to, as far as connections that are closed did it."""
    used = "seq_scan + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del"
    async with owner.connect() as connection:
        rows = await connection.execute(text(f"SELECT relname, {used} AS used FROM pg_stat_user_tables"))
        return {row.relname: row.used for row in rows}


async def test_every_statement_of_a_tenant_looks_at_its_shard_alone(owner: AsyncEngine, fresh_database_url: str):
    names = await _shard(owner)
    before = await _uses(owner)
    app = create_app(Settings().with_database(fresh_database_url))
    async with app.router.lifespan_context(app):
        key = await app.state.services.keys.create("tenant", frozenset(Scope))
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as api:
            await _use_everything(api)
    after = await _uses(owner)
    used = {name for name, count in after.items() if count > before[name] and name.rpartition("_")[0] in names}
    async with owner.connect() as connection:
        home = (await connection.execute(text("SELECT DISTINCT tableoid::regclass::text FROM event"))).scalar_one()
    number = home.removeprefix("event_")
    assert used <= {f"{name}_{number}" for name in names}
    assert used >= {
        f"{name}_{number}"
        for name in ("event", "client", "policy", "policy_activation", "erasure", "request", "secret")
    }
