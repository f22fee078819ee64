"""Notices that feeds have grown: few, after the commit, and nobody is harmed where they cannot be told."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.store.assessments import PostgresAssessments
from app.store.change_feed import CHANNEL, PostgresChangeFeed
from app.store.change_notices import PostgresChangeNotices
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.wire.assessments import PackedAssessments
from tests.postgres import Server
from tests.store.test_assessments import NOW, engine, ledger, made, reads, tenant
from tests.store.test_ledger import event
from tests.waiting import until

__all__ = ["engine", "ledger", "reads", "tenant"]


@pytest.fixture
async def heard(fresh_database_url: str) -> AsyncIterator[list[str]]:
    """Whose feeds are told to have grown, in the order in which it is told."""
    found: list[str] = []
    connection = await asyncpg.connect(fresh_database_url.replace("+asyncpg", ""))
    await connection.add_listener(CHANNEL, lambda *told: found.append(str(told[3])))
    yield found
    await connection.close()


@pytest.fixture
async def notices(fresh_database_url: str) -> AsyncIterator[PostgresChangeNotices]:
    found = PostgresChangeNotices(fresh_database_url, pause_seconds=0.2)
    yield found
    await found.close()


async def so(is_so: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return is_so()

    await until(asked)


async def test_what_comes_close_together_is_told_together_and_the_last_of_it_too(
    notices: PostgresChangeNotices, heard: list[str]
):
    tenants = [str(uuid.uuid4()) for _ in range(3)]
    for _ in range(5):
        for one in tenants:
            notices.tell(one)
        await asyncio.sleep(0)
    await so(lambda: len(heard) >= 6)
    notices.tell(tenants[0])
    await so(lambda: len(heard) >= 7)
    # The first of each at once, the rest together, and what came after that.
    assert sorted(heard[:3]) == sorted(heard[3:6]) == sorted(tenants)
    assert heard[6:] == [tenants[0]]


async def test_it_is_told_once_it_is_durable_and_only_where_something_changed(  # noqa: PLR0917 - fixtures
    engine: AsyncEngine,
    reads: Reads,
    ledger: PostgresLedger,
    notices: PostgresChangeNotices,
    heard: list[str],
    tenant: str,
):
    found, feed = list[int](), PostgresChangeFeed(engine, reads)
    told: list[str] = []

    def grown(tenant_id: str) -> None:
        told.append(tenant_id)
        notices.tell(tenant_id)

    assessments = PostgresAssessments(engine, reads, PackedAssessments(), grown)
    await ledger.append(tenant, [event(1)])
    await assessments.keep(tenant, [made(score=41)])
    await so(lambda: heard == [tenant])
    found.append(await feed.newest(tenant))
    await assessments.keep(tenant, [made(score=42, as_of=NOW + timedelta(seconds=1))])
    await assessments.keep(tenant, [made(score=1)])
    assert (found, told) == ([1], [tenant])


async def test_who_stores_is_not_harmed_where_nobody_can_be_told(
    engine: AsyncEngine, reads: Reads, ledger: PostgresLedger, tenant: str, caplog: pytest.LogCaptureFixture
):
    away = PostgresChangeNotices("postgresql+asyncpg://127.0.0.1:1/x", pause_seconds=0.01)
    assessments = PostgresAssessments(engine, reads, PackedAssessments(), away.tell)
    await ledger.append(tenant, [event(1)])
    with caplog.at_level(logging.WARNING, "partwise.changes"):
        await assessments.keep(tenant, [made(score=41)])
        await so(lambda: "nobody is told" in caplog.text)
        await assessments.keep(tenant, [made(score=81, as_of=NOW + timedelta(seconds=1))])
    await away.close()
    assert await PostgresChangeFeed(engine, reads).newest(tenant) == 2


async def test_a_connection_that_was_lost_is_made_anew(
    notices: PostgresChangeNotices, heard: list[str], postgres: Server, fresh_database_url: str
):
    notices.tell("first")
    await so(lambda: heard == ["first"])
    admin = await asyncpg.connect(
        postgres.administrator_url(fresh_database_url.rpartition("/")[2]).replace("+asyncpg", "")
    )
    tellers = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_notify%'"
    await admin.fetchval(f"SELECT pg_terminate_backend(pid, 10000) {tellers} AND pid <> pg_backend_pid()")
    await admin.close()
    # What was told to nobody is lost, and what comes then is told.
    number = 0

    async def told_again() -> bool:
        nonlocal number
        number += 1
        notices.tell(f"again-{number}")
        await asyncio.sleep(0.05)
        return len(heard) > 1

    await until(told_again)
