"""Migrations: from nothing, from every earlier version with data, and while the database is in use."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import create_async_engine

import app.store.migrate
from app.ports.ledger import EventFilter, NewEvent, Outcome
from app.store.clients import PostgresClients
from app.store.engine import make_engine
from app.store.indexes import build_index, drop_index
from app.store.ledger import PostgresLedger
from app.store.migrate import MigrationError, migrate
from app.store.policies import PostgresPolicies
from app.store.reads import Reads
from app.store.tables import METADATA
from app.store.tenants import PostgresTenants
from app.store.writes import Writes
from tests.ledgers import DECODER
from tests.store.rows import MOMENT, put, tenant_tables
from tests.store.unsafe_sql import unsafe

LOCK_SECONDS = 0.2


def revisions() -> list[str]:
    """All, from the first to the last."""
    config = Config()
    config.set_main_option("script_location", str(Path(app.store.migrate.__file__).parent / "migrations"))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Every statement that goes through SQLAlchemy."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


async def version(url: str) -> str:
    async with connected(url) as connection:
        return str(await connection.fetchval("select version_num from alembic_version"))


# The first table is made where there is none, so that what is locked or dropped by the next ones is in use.
@pytest.mark.parametrize("revision", revisions())
async def test_no_migration_harms_a_table_in_use(empty_database_url: str, revision: str):
    before = revisions()[: revisions().index(revision)]
    for earlier in before:
        await migrate(empty_database_url, earlier)
    with recorded() as statements:
        await migrate(empty_database_url, revision)
    assert await version(empty_database_url) == revision
    # It ends where the rights are given.
    (end,) = [
        n for n, statement in enumerate(statements) if "alembic_version SET" in statement or "INTO alembic" in statement
    ]
    assert end > 3
    assert unsafe(statements[:end]) == []


@pytest.mark.parametrize("revision", revisions())
async def test_what_an_earlier_version_stored_is_read(empty_database_url: str, revision: str):
    await migrate(empty_database_url, revision)
    async with connected(empty_database_url) as owner:
        filled = await tenant_tables(owner)
        async with owner.transaction():
            await owner.execute("select set_config('app.tenant_id', 'old', true)")
            for table in filled:
                await put(owner, table, "old", **OLD.get(table, {}))
    await migrate(empty_database_url)
    assert await version(empty_database_url) == revisions()[-1]

    engine, reads = make_engine(empty_database_url, 2), Reads(empty_database_url, 2)
    writes = Writes(empty_database_url, 2, 10.0)
    ledger = PostgresLedger(engine, writes, DECODER.load)
    (stored,) = await ledger.page("old", EventFilter(), None, 10)
    assert (stored.client_id, stored.type, stored.data) == ("acme", "call.received", "{}")
    assert len((await ledger.histories("old", ["acme"]))["acme"]) == 1
    assert await ledger.revisions("old") == {"acme": 1}
    client = await PostgresClients(reads).get("old", "acme")
    assert client is not None
    assert client.name == "name-of-old"
    tenants, policies = PostgresTenants(engine), PostgresPolicies(engine)
    found = {one.digest: one.key for one in await tenants.keys_by_digests([b"digest-of-old", b"unknown"])}
    (key,) = await tenants.keys_of("old")
    assert found[b"digest-of-old"].key_id == key.key_id
    assert await tenants.ensure("name-of-old") == "old"
    if "policy" in filled:
        assert await policies.active("old") == ("v1", 1)
        assert [one.version for one in await policies.all("old")] == ["v1"]
    await reads.close()
    await writes.close()
    await engine.dispose()

    async with connected(empty_database_url) as owner, owner.transaction():
        await owner.execute("select set_config('app.tenant_id', 'old', true)")
        for table in METADATA.tables:
            assert await owner.fetchval(f"select count(*) from {table}") == (1 if table in filled else 0), table


OLD: dict[str, dict[str, Any]] = {"event": {"client_id": "acme"}, "client": {"client_id": "acme"}}


async def test_again_changes_nothing(empty_database_url: str):
    assert await migrate(empty_database_url) is None
    with recorded() as statements:
        assert await migrate(empty_database_url) is None
    words = {statement.split()[0] for statement in statements}
    # What the driver asks for itself, and DO, which makes the role where there is none.
    assert words <= {"SELECT", "select", "DO", "show"}, statements


async def test_two_at_once_do_it_once(empty_database_url: str):
    assert await asyncio.gather(*(migrate(empty_database_url) for _ in range(4))) == [None] * 4
    assert await version(empty_database_url) == revisions()[-1]


async def test_a_database_that_is_ahead_is_left_alone(empty_database_url: str):
    """As after going back to an earlier image."""
    await migrate(empty_database_url)
    async with connected(empty_database_url) as owner:
        await owner.execute("update alembic_version set version_num = '9999'")
    await migrate(empty_database_url)
    assert await version(empty_database_url) == "9999"


async def test_who_may_not_change_the_schema_is_told(fresh_database_url: str, postgres: Any):
    """The service's role finds that nothing is to be done, or that it is not to do it."""
    await migrate(fresh_database_url)
    async with connected(postgres.owner_of(fresh_database_url)) as owner:
        await owner.execute("update alembic_version set version_num = $1", revisions()[-2])
    with pytest.raises(MigrationError, match="MIGRATION_DATABASE_URL"):
        await migrate(fresh_database_url)


# ----------------------------------------------------------------------------------------------------------- under load


async def test_one_that_meets_a_lock_gives_up_and_is_tried_again(empty_database_url: str):
    """What it had done before stays; who came after it waited no longer than it did."""
    await migrate(empty_database_url, "0003")
    async with connected(empty_database_url) as busy, connected(empty_database_url) as reader:
        transaction = busy.transaction()
        await transaction.start()
        await busy.execute("lock table policy in access share mode")
        trying = asyncio.create_task(migrate(empty_database_url, lock_seconds=LOCK_SECONDS, attempts=2))
        waits = []
        while not trying.done():
            begin = time.monotonic()
            await reader.fetch("select count(*) from policy")
            waits.append(time.monotonic() - begin)
            await asyncio.sleep(0.01)
        with pytest.raises(MigrationError, match=r"in 2 attempts.*policy"):
            await trying
        assert LOCK_SECONDS / 4 < max(waits) < LOCK_SECONDS + 1.5
        assert await version(empty_database_url) != revisions()[-1]
        await transaction.rollback()
        await migrate(empty_database_url)
    assert await version(empty_database_url) == revisions()[-1]


async def test_one_that_meets_a_short_lock_does_it_by_itself(empty_database_url: str):
    await migrate(empty_database_url, "0003")
    async with connected(empty_database_url) as busy:
        transaction = busy.transaction()
        await transaction.start()
        await busy.execute("lock table client in access share mode")
        trying = asyncio.create_task(migrate(empty_database_url, lock_seconds=LOCK_SECONDS))
        await asyncio.sleep(2 * LOCK_SECONDS)
        await transaction.rollback()
        await trying
    assert await version(empty_database_url) == revisions()[-1]


async def in_a_migration(url: str, work: Any, **settings: str) -> None:
    """Run what a migration would, as Alembic runs it."""

    def run(connection: Connection) -> None:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with Operations.context(context), context.begin_transaction(_per_migration=True):
            work()

    engine = create_async_engine(url, connect_args={"server_settings": settings})
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


async def index_is_valid(url: str, name: str) -> bool | None:
    async with connected(url) as owner:
        return await owner.fetchval("select indisvalid from pg_index where indexrelid = to_regclass($1)", name)


async def test_an_index_is_built_while_rows_are_written(fresh_database_url: str, postgres: Any):
    url = postgres.owner_of(fresh_database_url)

    def build() -> None:
        build_index("client_by_country", "client (tenant_id, country)", unique=True)

    async with connected(url) as writer:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("select set_config('app.tenant_id', 't', true)")
        await put(writer, "client", "t", client_id="1", country="DE")
        # It waits for those who write already, however long, and lets others write meanwhile.
        building = asyncio.create_task(in_a_migration(url, build, lock_timeout="100", statement_timeout="100"))
        await asyncio.sleep(0.5)
        assert not building.done()
        async with connected(url) as other, other.transaction():
            await other.execute("select set_config('app.tenant_id', 't', true)")
            await other.execute("set local lock_timeout = '1s'")
            await put(other, "client", "t", client_id="2", country="DE")
        await transaction.commit()
        # One that failed leaves an index that is not valid; the next attempt begins anew.
        with pytest.raises(Exception, match=r"duplicate key|could not create unique index"):
            await building
        assert await index_is_valid(url, "client_by_country") is False
        async with writer.transaction():
            await writer.execute("select set_config('app.tenant_id', 't', true)")
            await writer.execute("delete from client where client_id = '2'")
    for _ in range(2):
        await in_a_migration(url, build)
        assert await index_is_valid(url, "client_by_country") is True
    await in_a_migration(url, lambda: drop_index("client_by_country"))
    assert await index_is_valid(url, "client_by_country") is None


_ENOUGH_TO_STORE = "0014"
"""The newest revision that storing events needs; a build of indexes stands for those that will come after it."""


async def test_the_service_goes_on_meanwhile(empty_database_url: str):
    """Events are stored without a failure from the oldest revision that they can be stored at to the newest."""
    await migrate(empty_database_url, _ENOUGH_TO_STORE)
    engine = make_engine(empty_database_url, 2)
    writes = Writes(empty_database_url, 2, 10.0)
    ledger = PostgresLedger(engine, writes, DECODER.load)
    done = asyncio.Event()

    async def write() -> int:
        number = 0
        while not done.is_set():
            number += 1
            one = NewEvent("s", str(number), "call.received", "acme", MOMENT, "{}", bytes(32))
            assert await ledger.append("t", [one]) == [Outcome.ACCEPTED]
        return number

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.2)
    await migrate(empty_database_url)
    for name in ("client_by_country", "client_by_currency"):
        column = name.rpartition("_")[2]
        await in_a_migration(empty_database_url, lambda: build_index(name, f"client (tenant_id, {column})"))  # noqa: B023
    await asyncio.sleep(0.2)
    done.set()
    stored = await writing
    assert stored > 10
    assert await ledger.revisions("t") == {"acme": stored}
    await writes.close()
    await engine.dispose()
