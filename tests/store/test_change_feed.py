"""The change feed in a real Postgres: durable with the assessments, in one order, and nothing missed or read twice."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from itertools import count, pairwise

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.reading import Aspect
from app.core.verdict import Verdict
from app.ports.changes import AssessmentChange, ForgottenPlaceError, Page
from app.store.assessments import PostgresAssessments
from app.store.change_feed import PostgresChangeFeed
from app.store.change_hints import PostgresChangeHints
from app.store.engine import transaction
from app.store.erasures import PostgresErasures
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.use_cases.follow_changes import FollowChanges
from tests.postgres import Server
from tests.store.test_assessments import NOW, assessments, engine, ledger, made, reads, tenant
from tests.store.test_ledger import event
from tests.waiting import until

__all__ = ["assessments", "engine", "ledger", "reads", "tenant"]


@pytest.fixture
def feed(engine: AsyncEngine, reads: Reads) -> PostgresChangeFeed:
    return PostgresChangeFeed(engine, reads)


@pytest.fixture
async def hints(fresh_database_url: str) -> AsyncIterator[PostgresChangeHints]:
    # So long that a test which rests on looking now and then alone would not end.
    found = PostgresChangeHints(fresh_database_url, look_seconds=120)
    yield found
    await found.close()


@pytest.fixture
def follow(feed: PostgresChangeFeed, hints: PostgresChangeHints) -> FollowChanges:
    return FollowChanges(feed, hints, 30, 20)


async def changes(feed: PostgresChangeFeed, tenant: str, after: int | None = None) -> Sequence[AssessmentChange]:
    return (await feed.page(tenant, after, 10_000)).changes


async def test_a_change_comes_with_the_assessment_and_what_stays_is_none(
    ledger: PostgresLedger, assessments: PostgresAssessments, feed: PostgresChangeFeed, tenant: str
):
    assert await feed.page(tenant, None, 10) == Page((), 0, has_more=False)
    assert await feed.newest(tenant) == 0
    await ledger.append(tenant, [event(1), event(2, "other")])
    await assessments.keep(tenant, [made(score=41)])
    await assessments.keep(tenant, [made(score=49), made("other", score=12)])
    await assessments.keep(tenant, [made(score=55)])
    later = NOW + timedelta(seconds=1)
    await assessments.keep(tenant, [made(score=55, verdict=Verdict.PART, as_of=later)])
    # An older one is not stored, so it changes nothing.
    await assessments.keep(tenant, [made(score=5)])
    found = await changes(feed, tenant)
    assert [(one.place, one.client_id, set(one.aspects)) for one in found] == [
        (1, "acme", set(Aspect)),
        (2, "other", set(Aspect)),
        (3, "acme", {Aspect.SCORE_STEP}),
        (4, "acme", {Aspect.VERDICT}),
    ]
    assert [one.before and (one.before.score, one.before.verdict) for one in found] == [
        None,
        None,
        (49, Verdict.KEEP),
        (55, Verdict.KEEP),
    ]
    assert (found[3].after.score, found[3].after.verdict, found[3].as_of) == (55, Verdict.PART, later)
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert await feed.newest(tenant) == 4
    first = await feed.page(tenant, None, 3)
    assert (len(first.changes), first.place, first.has_more) == (3, 3, True)
    rest = await feed.page(tenant, first.place, 3)
    assert ([one.place for one in rest.changes], rest.place, rest.has_more) == ([4], 4, False)
    with pytest.raises(ForgottenPlaceError):
        await feed.page(tenant, 5, 3)


async def test_what_is_rolled_back_was_never_told(
    engine: AsyncEngine, ledger: PostgresLedger, assessments: PostgresAssessments, feed: PostgresChangeFeed, tenant: str
):
    await ledger.append(tenant, [event(1)])

    async def broken_off() -> None:
        async with transaction(engine, tenant) as connection:
            await assessments._keep(connection, tenant, [made()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken_off()
    assert await feed.newest(tenant) == 0
    await assessments.keep(tenant, [made()])
    assert [one.place for one in await changes(feed, tenant)] == [1]


async def test_who_follows_beside_many_writers_misses_nothing_and_reads_nothing_twice(  # noqa: PLR0917 - fixtures
    engine: AsyncEngine,
    ledger: PostgresLedger,
    assessments: PostgresAssessments,
    feed: PostgresChangeFeed,
    follow: FollowChanges,
    tenant: str,
):
    """Transactions commit in another order than they began; a sequence in its place would lose some of these."""
    clients = [f"c-{n}" for n in range(40)]
    await ledger.append(tenant, [event(name, name) for name in clients])
    seconds, end = count(), list[int]()

    async def write(number: int) -> None:
        chance = random.Random(number)
        # Each client has two writers, who take turns.
        mine = clients[number % 3 :: 3]
        for _ in range(15):
            async with transaction(engine, tenant) as connection:
                as_of = NOW + timedelta(seconds=next(seconds))
                new = [made(name, score=chance.randrange(0, 100), as_of=as_of) for name in mine]
                await asyncio.sleep(chance.uniform(0, 0.02))
                await assessments._keep(connection, tenant, new)
                await asyncio.sleep(chance.uniform(0, 0.02))

    async def write_all() -> None:
        await asyncio.gather(*(write(n) for n in range(6)))
        end.append(await feed.newest(tenant))

    async def read(limit: int) -> list[AssessmentChange]:
        found: list[AssessmentChange] = []
        async with aclosing(follow.pages(tenant, None, limit, 0.5)) as pages:
            async for page in pages:
                found += page.changes
                if end and page.place >= end[0]:
                    return found
        raise AssertionError("pages have no end")

    async with asyncio.timeout(60):
        _, one, other = await asyncio.gather(write_all(), read(7), read(100))
    assert one == other
    assert len(one) > 500
    assert [change.place for change in one] == list(range(1, len(one) + 1))
    assert one == list(await changes(feed, tenant))
    for name in clients:
        mine = [change for change in one if change.client_id == name]
        assert mine[0].before is None
        # Within its step a score may have moved between.
        for earlier, later in pairwise(mine):
            assert later.before is not None
            assert later.before.step == earlier.after.step, "a change between was missed"


async def test_nobody_sees_an_erased_client_in_the_feed(
    engine: AsyncEngine, ledger: PostgresLedger, assessments: PostgresAssessments, feed: PostgresChangeFeed, tenant: str
):
    await ledger.append(tenant, [event(n, f"c-{n % 2}") for n in range(2)])
    for turn in range(3):
        as_of = NOW + timedelta(seconds=turn)
        await assessments.keep(tenant, [made(f"c-{n}", score=20.0 * turn, as_of=as_of) for n in range(2)])
    erasures = PostgresErasures(engine, rows=2)
    found = await erasures.begin(tenant, "c-1", NOW)
    assert found is not None
    page = await feed.page(tenant, None, 10)
    assert ([one.client_id for one in page.changes], page.place) == (["c-0"] * 3, 6)
    while (await erasures.step(tenant, found.digest, NOW)).name == "MORE":
        pass
    assert await feed.page(tenant, None, 10) == page
    # Who was in the middle goes on.
    assert len(await changes(feed, tenant, 4)) == 1
    async with transaction(engine, tenant) as connection:
        left = text("SELECT count(*) FROM assessment_change WHERE client_id = 'c-1'")
        assert (await connection.execute(left)).scalar_one() == 0


async def test_what_is_old_goes_and_who_would_miss_it_is_told(
    engine: AsyncEngine, ledger: PostgresLedger, assessments: PostgresAssessments, feed: PostgresChangeFeed, tenant: str
):
    await ledger.append(tenant, [event(1)])
    for turn in range(6):
        await assessments.keep(tenant, [made(score=10.0 * turn, as_of=NOW + timedelta(seconds=turn))])
    assert await feed.remove_old(30, 100) == 0
    async with transaction(engine, tenant) as connection:
        await connection.execute(text("UPDATE assessment_change SET at = at - interval '31 days' WHERE place <= 4"))
    assert await feed.remove_old(30, 3) == 3
    assert await feed.remove_old(30, 3) == 1
    assert await feed.remove_old(30, 3) == 0
    assert [one.place for one in await changes(feed, tenant)] == [5, 6]
    assert [one.place for one in await changes(feed, tenant, 4)] == [5, 6]
    with pytest.raises(ForgottenPlaceError):
        await feed.page(tenant, 3, 10)
    async with transaction(engine, tenant) as connection:
        await connection.execute(text("UPDATE assessment_change SET at = at - interval '31 days'"))
    assert await feed.remove_old(30, 100) == 2
    page = await feed.page(tenant, None, 10)
    assert (list(page.changes), page.place) == ([], 6)
    assert await feed.newest(tenant) == 6
    await assessments.keep(tenant, [made(score=95, as_of=NOW + timedelta(seconds=9))])
    assert [one.place for one in await changes(feed, tenant, 6)] == [7]


async def test_who_waits_is_told_at_once_and_others_are_not(
    ledger: PostgresLedger,
    assessments: PostgresAssessments,
    follow: FollowChanges,
    hints: PostgresChangeHints,
    tenant: str,
):
    other = str(uuid.uuid4())
    await ledger.append(tenant, [event(1)])
    waiting = asyncio.create_task(follow.page(tenant, None, 10, 60))
    unconcerned = asyncio.create_task(follow.page(other, None, 10, 60))
    await asyncio.sleep(0.1)
    await assessments.keep(tenant, [made()])
    async with asyncio.timeout(20):
        assert [one.client_id for one in (await waiting).changes] == ["acme"]
    assert not unconcerned.done()
    unconcerned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await unconcerned
    assert hints._watches == {}, "nobody waits any more"


async def test_a_lost_connection_of_hints_is_made_anew(  # noqa: PLR0917 - fixtures
    fresh_database_url: str,
    postgres: Server,
    ledger: PostgresLedger,
    assessments: PostgresAssessments,
    follow: FollowChanges,
    tenant: str,
):
    await ledger.append(tenant, [event(1)])
    waiting = asyncio.create_task(follow.page(tenant, None, 10, 60))
    administrator = postgres.administrator_url(fresh_database_url.rpartition("/")[2])
    admin = await asyncpg.connect(administrator.replace("+asyncpg", ""))

    listeners = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"

    async def listens() -> bool:
        return bool(await admin.fetchval(f"SELECT EXISTS (SELECT {listeners})"))

    await until(listens)
    await admin.execute(f"SELECT pg_terminate_backend(pid, 10000) {listeners}")
    await assessments.keep(tenant, [made()])
    # The next one looks by itself at what came in between.
    async with asyncio.timeout(30):
        assert len((await waiting).changes) == 1
    await admin.close()


async def test_who_waits_ends_when_the_server_does(feed: PostgresChangeFeed, tenant: str):
    hints, ending = PostgresChangeHints("postgresql+asyncpg://127.0.0.1:1/x", look_seconds=0.1), asyncio.Event()
    quick = FollowChanges(feed, hints, 30, 20, ending.is_set)
    waiting = asyncio.create_task(quick.page(tenant, None, 10, 60))
    await asyncio.sleep(0.05)
    ending.set()
    async with asyncio.timeout(10):
        assert (await waiting).changes == ()
    await hints.close()
