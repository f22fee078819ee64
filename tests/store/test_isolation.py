"""Row-level security: whoever forgets a WHERE sees nothing of the neighbour."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app.store.connection import Connector
from app.store.isolation import privileges_of, question
from app.store.tables import METADATA
from tests.postgres import Server
from tests.store.rows import put, tables, tenant_tables

# Of no tenant: which migrations were applied.
MACHINERY = {"alembic_version"}
OURS = "(tenant_id = ( SELECT NULLIF(current_setting('app.tenant_id'::text, true), ''::text) AS \"nullif\"))"


@asynccontextmanager
async def acting_for(connection: asyncpg.Connection, tenant_id: str) -> AsyncIterator[None]:
    """A transaction of a tenant, rolled back at the end."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("select set_config('app.tenant_id', $1, true)", tenant_id)
    try:
        yield
    finally:
        await transaction.rollback()


@pytest.fixture
async def neighbours(owner: asyncpg.Connection) -> tuple[str, str]:
    """Two tenants with a row in every table."""
    ours, theirs = f"ours-{uuid.uuid4()}", f"theirs-{uuid.uuid4()}"
    for tenant_id in (ours, theirs):
        async with owner.transaction():
            await owner.execute("select set_config('app.tenant_id', $1, true)", tenant_id)
            for table in await tenant_tables(owner):
                await put(owner, table, tenant_id)
    return ours, theirs


async def test_every_table_of_tenants_is_isolated(owner: asyncpg.Connection):
    """A new table without `isolate` in its migration fails here."""
    found = await tables(owner)
    assert set(found) == set(METADATA.tables) | MACHINERY
    assert set(await tenant_tables(owner)) == set(METADATA.tables)
    for table in METADATA.tables:
        enabled, forced = await owner.fetchrow(
            "select relrowsecurity, relforcerowsecurity from pg_class where oid = $1::regclass", table
        )
        assert (enabled, forced) == (True, True), f"{table}: isolate() it in the migration that makes it"


async def test_policies_ask_for_the_tenant_or_answer_one_question(owner: asyncpg.Connection):
    """There is no third kind, and each question is a function that has no more rights than its caller."""
    questions = set()
    for row in await owner.fetch("select * from pg_policies where schemaname = current_schema()"):
        assert row["permissive"] == "PERMISSIVE"
        assert row["roles"] == ["public"]
        if row["policyname"] == "tenant":
            assert (row["cmd"], row["qual"], row["with_check"]) == ("ALL", OURS, OURS), row["tablename"]
        else:
            question, _, command = row["policyname"].rpartition("_")
            rule = f"(( SELECT current_setting('app.question'::text, true) AS current_setting) = '{question}'::text)"
            assert (row["qual"] or row["with_check"], row["cmd"].lower()) == (rule, command)
            questions.add(question)
    functions = await owner.fetch("select * from pg_proc where pronamespace = current_schema()::regnamespace")
    assert {row["proname"] for row in functions} == questions
    assert not any(row["prosecdef"] for row in functions)


async def test_without_a_where_one_sees_ones_own(service: asyncpg.Connection, neighbours: tuple[str, str]):
    for tenant_id in neighbours:
        async with acting_for(service, tenant_id):
            for table in METADATA.tables:
                rows = await service.fetch(f"select * from {table}")
                assert {row["tenant_id"] for row in rows} == {tenant_id}, table
                assert await service.fetchval(f"select count(*) from {table}") == len(rows)


async def test_who_says_nothing_sees_nothing(service: asyncpg.Connection, neighbours: tuple[str, str]):
    ours, _ = neighbours
    for table in METADATA.tables:
        assert await service.fetch(f"select * from {table} where tenant_id = $1", ours) == []
    async with acting_for(service, ""):
        for table in METADATA.tables:
            assert await service.fetch(f"select * from {table}") == []


async def test_the_neighbours_rows_cannot_be_changed(
    service: asyncpg.Connection, owner: asyncpg.Connection, neighbours: tuple[str, str]
):
    ours, theirs = neighbours
    for table in METADATA.tables:
        for statement, privilege in (
            (f"update {table} set tenant_id = tenant_id", "UPDATE"),
            (f"delete from {table}", "DELETE"),
        ):
            async with acting_for(service, ours):
                if privilege not in privileges_of(table):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                        await service.execute(statement)
                else:
                    # Without a WHERE: all of ours, and none of theirs.
                    assert await service.execute(statement) == f"{privilege} 1"
                    assert await service.execute(f"{statement} where tenant_id = $1", theirs) == f"{privilege} 0"
        if "UPDATE" in privileges_of(table):
            async with acting_for(service, ours):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await service.execute(f"update {table} set tenant_id = $1", theirs)
        async with acting_for(service, ours):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await put(service, table, f"a third beside {theirs}")
    async with acting_for(owner, theirs):
        for table in METADATA.tables:
            assert await owner.fetchval(f"select count(*) from {table}") == 1


async def test_it_holds_for_the_owner_too(owner: asyncpg.Connection, neighbours: tuple[str, str]):
    """Who has one role for everything is isolated all the same."""
    ours, theirs = neighbours
    for table in METADATA.tables:
        assert await owner.fetch(f"select * from {table}") == []
        async with acting_for(owner, ours):
            assert {row["tenant_id"] for row in await owner.fetch(f"select * from {table}")} == {ours}
            assert await owner.execute(f"delete from {table} where tenant_id = $1", theirs) == "DELETE 0"


async def test_a_question_across_tenants_is_asked_by_its_function_alone(
    service: asyncpg.Connection, neighbours: tuple[str, str]
):
    ours, theirs = neighbours
    digest = f"digest-of-{theirs}".encode()
    async with acting_for(service, ours):
        (key,) = await service.fetch("select * from api_key_by_digest($1)", digest)
        assert key["tenant_id"] == theirs
        assert await service.fetch("select * from api_key_by_digest($1)", b"another") == []
        assert await service.fetchval("select tenant_by_name($1)", f"name-of-{theirs}") == theirs
        # Nothing of it stays.
        assert await service.fetchval("select current_setting('app.question', true)") == ""
        assert await service.fetch("select * from api_key where digest = $1", digest) == []
        assert await service.fetch("select * from tenant where tenant_id = $1", theirs) == []


async def test_it_is_asked_once_and_indexes_are_used(service: asyncpg.Connection, neighbours: tuple[str, str]):
    async with acting_for(service, neighbours[0]):
        await service.execute("set local enable_seqscan = off")
        for statement in (
            "select * from event where client_id = 'c' order by time",
            "select * from event where tenant_id = 'x' and client_id = 'c' order by time",
            "select * from client where tenant_id = 'x' and client_id = 'c'",
            "select * from event where (time, source, id) > (now(), 's', 'i') order by time, source, id limit 5",
        ):
            plan = "\n".join(row[0] for row in await service.fetch(f"explain {statement}"))
            assert "InitPlan 1" in plan, plan
            assert "SubPlan" not in plan, plan
            condition = plan.partition("Index Cond: ")[2].partition("\n")[0]
            assert "tenant_id = " in condition, plan


async def test_a_question_may_claim_across_tenants(fresh_database_url: str, postgres: Server):
    """As a worker would: lock what nobody else has, change it, and learn whose it is; other rows stay as they are."""
    owner = await asyncpg.connect(postgres.owner_of(fresh_database_url).replace("+asyncpg", ""))
    for statement in question(
        "claimed",
        "most integer",
        "TABLE (tenant_id text, client_id text)",
        """
        UPDATE client SET due_at = now() + interval '1 minute' FROM (
            SELECT tenant_id, client_id FROM client WHERE due_at <= now()
            ORDER BY due_at LIMIT most FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE client.tenant_id = due.tenant_id AND client.client_id = due.client_id
        RETURNING client.tenant_id, client.client_id
        """,
        about="client",
        commands=("SELECT", "UPDATE"),
    ):
        await owner.execute(statement)
    for tenant_id in ("a", "b"):
        async with owner.transaction():
            await owner.execute("select set_config('app.tenant_id', $1, true)", tenant_id)
            await put(owner, "client", tenant_id)
    await owner.close()

    one, other = await Connector(fresh_database_url)(), await Connector(fresh_database_url)()
    async with one.transaction():
        (first,) = await one.fetch("select * from claimed(1)")
        (second,) = await other.fetch("select * from claimed(10)")
        assert {first["tenant_id"], second["tenant_id"]} == {"a", "b"}
        assert await one.fetch("select * from client") == []
    assert await one.fetch("select * from claimed(10)") == []
    await one.close()
    await other.close()


# ---------------------------------------------------------------------------------------------- what the role may do


async def test_the_service_owns_nothing_and_has_just_its_rights(service: asyncpg.Connection, postgres: Server):
    me = await service.fetchrow("select * from pg_roles where rolname = current_user")
    assert me["rolname"] == "partwise_service"
    for right in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication"):
        assert me[right] is False, right
    # Where one login is for everything (TEST_DATABASE_URL), that one owns what it made.
    roles = (
        "current_user::regrole"
        if postgres.service == postgres.owner
        else "current_user::regrole, session_user::regrole"
    )
    mine = f"select {{}}::text from {{}} where {{}} in ({roles})"
    for name, catalogue, column in (
        ("oid::regclass", "pg_class", "relowner"),
        ("oid::regprocedure", "pg_proc", "proowner"),
        ("nspname", "pg_namespace", "nspowner"),
        ("datname", "pg_database", "datdba"),
        ("typname", "pg_type", "typowner"),
    ):
        assert await service.fetch(mine.format(name, catalogue, column)) == [], catalogue
    for table in (*METADATA.tables, *MACHINERY):
        has = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
            if await service.fetchval("select has_table_privilege($1, $2)", table, right)
        }
        assert has == set(privileges_of(table)), table


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine (id int)",
        "create schema mine",
        "create function mine() returns int language sql as 'select 1'",
        "create trigger mine before insert on event for each row execute function suppress_redundant_updates_trigger()",
        "alter table event disable row level security",
        "alter table event no force row level security",
        "drop policy tenant on event",
        "alter policy tenant on event using (true)",
        "create policy mine on event using (true)",
        "truncate event",
        "update event set data = ''",
        "drop table event",
        "alter table event add column mine text",
        "drop function api_key_by_digest(bytea)",
        "set role partwise",
        "set session authorization partwise",
        "create role mine",
        "alter role partwise_service bypassrls",
        "update alembic_version set version_num = ''",
    ],
)
async def test_the_service_may_not(service: asyncpg.Connection, statement: str):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


async def test_a_setting_cannot_turn_it_off(service: asyncpg.Connection, neighbours: tuple[str, str]):
    """With row_security off Postgres refuses, rather than showing everything."""
    await service.execute("set row_security = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await service.fetch("select * from event")
