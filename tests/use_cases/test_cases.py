"""Cases of long histories: whatever was read of them before, the answers are those of all events."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.core.course import Pace
from app.core.policy import DEFAULT_POLICY
from app.services import Services
from app.store.engine import transaction
from app.use_cases.errors import NotFoundError
from app.use_cases.viewpoint import Viewpoint
from tests.cloud_events import cloud_event
from tests.use_cases.test_reassess import quiet, send, services, settings, tenant

__all__ = ["services", "settings", "tenant"]

KINDS = ("call.received", "time.logged", "message.received", "meeting.missed")


async def test_pages_of_a_timeline_neither_skip_nor_repeat(services: Services, tenant: str):
    """Many events have their instant in common, and later parts of the history are at hand."""
    chance = random.Random(4)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=200)
    told = []
    for n in range(900):
        at = begin + timedelta(hours=40 * (n // 9 if n // 9 % 3 else n // 27))
        name, source = f"{chance.choice('aBz_-')}{n}", chance.choice(["/t", "/T", "/_"])
        told.append(cloud_event(name, chance.choice(KINDS), time=at.isoformat(), source=source))
    await send(services, tenant, *told)
    await quiet(services, tenant)
    now = datetime.now(UTC)
    for as_of in (now, begin + timedelta(days=100), begin, begin - timedelta(days=1), now + timedelta(days=9_000)):
        case = await services.assess.cases.one(tenant, "acme", Viewpoint(as_of))
        expected, more = await (await services.assess.cases.whole(case)).timeline(None, 2_000)
        assert more is None
        for limit in (40, 300):
            found, place = await case.timeline(None, limit)
            while place is not None:
                part, place = await case.timeline(place, limit)
                assert 0 < len(part) <= limit
                found += part
            assert found == expected


@pytest.mark.parametrize("count", [256, 257, 1_024, 1_025])
async def test_answers_of_any_instant_are_those_of_all_events(services: Services, tenant: str, count: int):
    begin = datetime.now(UTC) - timedelta(days=100)
    times = [(begin + timedelta(hours=2 * n)).isoformat() for n in range(count)]
    await send(services, tenant, *(cloud_event(f"{n}", KINDS[n % 4], time=at) for n, at in enumerate(times)))
    for at in (datetime.now(UTC), begin, begin - timedelta(days=400), datetime(2200, 1, 1, tzinfo=UTC)):
        case = await services.assess.cases.one(tenant, "acme", Viewpoint(at))
        whole = await services.assess.cases.whole(case)
        assert await case.explanation() == await whole.explanation()
        assert await case.history(Pace.MONTH, None) == await whole.history(Pace.MONTH, None)
        assert (await case.timeline(None, 30))[0] == (await whole.timeline(None, 30))[0]
        assert await case.recourse() == await whole.recourse()


async def test_nothing_that_readers_put_down_outlives_an_erasure(services: Services, tenant: str):
    begin = datetime.now(UTC) - timedelta(days=300)
    times = [(begin + timedelta(hours=2 * n)).isoformat() for n in range(2_000)]
    await send(services, tenant, *(cloud_event(f"{n}", "meeting.missed", time=at) for n, at in enumerate(times)))
    gone = asyncio.Event()

    async def read() -> None:
        while True:
            case = await services.assess.cases.one(tenant, "acme", Viewpoint(datetime.now(UTC)))
            await case.explanation()
            await case.timeline(None, 20)

    async def read_until_it_is_gone() -> None:
        with pytest.raises(NotFoundError):
            await read()

    async def put_down() -> None:
        while not gone.is_set():
            await services.reassess._recall.catch_up(tenant, DEFAULT_POLICY, "acme")
            await services.reassess.step()

    async def erase() -> None:
        await asyncio.sleep(0.3)
        await services.erase(tenant, "acme")
        gone.set()

    await asyncio.wait_for(asyncio.gather(read_until_it_is_gone(), read_until_it_is_gone(), put_down(), erase()), 60)
    async with transaction(services.reassess._assessments._engine, tenant) as connection:
        for table in ("checkpoint", "put_away", "event", "client", "assessment", "portfolio_share"):
            assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0, table
