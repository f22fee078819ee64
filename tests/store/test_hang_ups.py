"""Requests that are cancelled in the middle: no connection is lost, none keeps a transaction or a tenant."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.store.engine import make_engine, transaction
from app.store.reads import Reads
from tests.postgres import Server

ROUNDS = 120
POOL = 2
SLOW = "SELECT pg_sleep(0.05)"


async def activity(watcher: asyncpg.Connection) -> list[tuple[str, str]]:
    """Each of the service's connections to this database: its state, and what it was asked last."""
    rows = await watcher.fetch(
        "select state, query from pg_stat_activity where datname = current_database() and application_name = 'partwise'"
    )
    return [(row["state"], row["query"]) for row in rows]


async def settled(look: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    for _ in range(int(seconds / 0.05)):
        if await look():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it does not settle")


async def cancelled_somewhere(work: Callable[[], Awaitable[object]], drawn: random.Random) -> None:
    """Do it, and cancel it after some time, mostly in the middle, and then perhaps again, as frameworks do."""
    task = asyncio.ensure_future(work())
    await asyncio.sleep(drawn.random() * 0.09)
    for _ in range(drawn.randint(1, 4)):
        task.cancel()
        await asyncio.sleep(0)
    with suppress(asyncio.CancelledError):
        await task


async def tenant_seen(engine: AsyncEngine) -> set[str]:
    """What the connections of a pool say whose they are, each of them asked."""
    found = set()

    async def look() -> None:
        async with transaction(engine, None) as connection:
            setting = text("SELECT coalesce(current_setting('app.tenant_id', true), '')")
            found.add(str((await connection.execute(setting)).scalar_one()))
            await asyncio.sleep(0.1)

    await asyncio.gather(*(look() for _ in range(POOL)))
    return found


@pytest.fixture
async def watcher(fresh_database_url: str, postgres: Server) -> AsyncIterator[asyncpg.Connection]:
    """Who sees all connections of a database where nobody else's are, and may end them."""
    url = postgres.administrator_url(fresh_database_url.rpartition("/")[2])
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    yield connection
    await connection.close()


async def test_cancelled_transactions_leave_nothing_behind(fresh_database_url: str, watcher: asyncpg.Connection):
    engine = make_engine(fresh_database_url, POOL)
    drawn = random.Random(1)

    async def work() -> None:
        async with transaction(engine, "t") as connection:
            await connection.execute(text(SLOW))
            row = "INSERT INTO client (tenant_id, client_id, created_at, revision) VALUES ('t', :id, now(), 1)"
            await connection.execute(text(row), {"id": str(drawn.random())})

    for _ in range(ROUNDS // 3):
        await asyncio.gather(*(cancelled_somewhere(work, drawn) for _ in range(3)))

    async def is_quiet() -> bool:
        states = [state for state, _ in await activity(watcher)]
        return engine.pool.checkedout() == 0 and len(states) <= POOL and set(states) <= {"idle"}

    await settled(is_quiet)
    assert await tenant_seen(engine) == {""}
    # As many can work at once as before.
    await asyncio.wait_for(asyncio.gather(work(), work()), 2)
    await engine.dispose()


async def test_cancelled_reads_leave_nothing_behind(fresh_database_url: str, watcher: asyncpg.Connection):
    reads = Reads(fresh_database_url, POOL)
    drawn = random.Random(2)

    async def work() -> None:
        assert await reads.value("t", "SELECT $1 || pg_sleep(0.05)::text") == "t"

    for _ in range(ROUNDS // 3):
        await asyncio.gather(*(cancelled_somewhere(work, drawn) for _ in range(3)))

    async def is_quiet() -> bool:
        states = [state for state, _ in await activity(watcher)]
        at_rest = reads._pool is not None and reads._pool.get_idle_size() == reads._pool.get_size()
        return at_rest and len(states) <= POOL and set(states) <= {"idle"}

    await settled(is_quiet)
    assert reads._pool is not None
    for _ in range(POOL):
        async with reads._pool.acquire() as connection:
            assert await connection.fetchval("SELECT coalesce(current_setting('app.tenant_id', true), '')") == ""
    await asyncio.wait_for(asyncio.gather(work(), work()), 2)
    await reads.close()


async def test_a_query_ends_with_who_asked_for_it(fresh_database_url: str, watcher: asyncpg.Connection):
    """It does not go on in Postgres until it is done, or for the half a minute that it may take."""
    engine, reads = make_engine(fresh_database_url, POOL), Reads(fresh_database_url, POOL)

    async def by_transaction() -> None:
        async with transaction(engine, "t") as connection:
            await connection.execute(text("SELECT pg_sleep(20)"))

    async def by_read() -> None:
        await reads.value("t", "SELECT $1 || pg_sleep(20)::text")

    async def is_asleep() -> bool:
        return any(state == "active" and "pg_sleep(20)" in query for state, query in await activity(watcher))

    async def is_quiet() -> bool:
        return {state for state, _ in await activity(watcher)} <= {"idle"}

    for work in (by_transaction, by_read):
        task = asyncio.ensure_future(work())

        await settled(is_asleep)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await settled(is_quiet, 3)
    await reads.close()
    await engine.dispose()


async def test_a_connection_that_died_at_rest_is_passed_over(fresh_database_url: str, watcher: asyncpg.Connection):
    """As after a restart of Postgres: nobody is told of it."""
    engine, reads = make_engine(fresh_database_url, POOL), Reads(fresh_database_url, POOL)

    async def work() -> None:
        async with transaction(engine, "t") as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
            await asyncio.sleep(0.05)

    await asyncio.gather(work(), work(), reads.value("t", "SELECT $1"))
    ended = await watcher.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and application_name = 'partwise'"
    )
    assert len(ended) == POOL + 1
    await asyncio.gather(work(), work())
    assert await reads.value("t", "SELECT $1") == "t"
    await reads.close()
    await engine.dispose()
