"""Stored assessments become fresh again, whoever dies or writes meanwhile, and nothing is ever lost."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.composition import services_for, verification_for
from app.core.events import Event
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import portfolio_of
from app.core.verdict import Verdict
from app.ports.ledger import NewEvent
from app.services import Services
from app.settings import Settings
from app.store.engine import transaction
from app.use_cases.list_clients import Order, Wanted, Window
from app.use_cases.portfolios import Present
from app.use_cases.reassess import made_from
from app.use_cases.viewpoint import Viewpoint
from tests.cloud_events import EVERY_TYPE, as_json, cloud_event

LEASE = 1.0


@pytest.fixture
def settings(fresh_database_url: str) -> Settings:
    return Settings(worker_lease=LEASE).with_database(fresh_database_url)


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[Services]:
    async with services_for(settings) as found:
        yield found


@pytest.fixture
async def tenant(services: Services) -> str:
    return await tenant_of(services)


async def tenant_of(services: Services) -> str:
    key = await services.keys.create(f"tenant-{uuid.uuid4()}", frozenset())
    return (await services.keys.authenticate(key)).tenant_id


async def send(services: Services, tenant_id: str, *events: dict[str, Any]) -> None:
    decoded = [services.decoder.structured(as_json(one)) for one in events]
    sent = [one for one in decoded if isinstance(one, NewEvent)]
    assert len(sent) == len(events)
    await services.record(tenant_id, sent)


async def quiet(services: Services, *tenants: str, seconds: float = 60) -> None:
    """Work until nothing is due any more, and nobody has claimed anything."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        busy = await services.reassess.step()
        if not busy and not any([await still_due(services, tenant_id) for tenant_id in tenants]):
            return
        assert asyncio.get_running_loop().time() < deadline, "it never ends"
        if not busy:
            await asyncio.sleep(0.05)


async def still_due(services: Services, tenant_id: str) -> bool:
    """Whether anything is due or claimed, or a portfolio is to be put together within the minute."""
    statement = """
        SELECT EXISTS (SELECT FROM client WHERE due_at < now() + interval '1 minute')
            OR EXISTS (SELECT FROM portfolio WHERE due_at < now() + interval '1 minute')
    """
    async with transaction(services.reassess._assessments._engine, tenant_id) as connection:
        return bool((await connection.execute(text(statement))).scalar())


async def all_listed(services: Services, tenant_id: str) -> list[Any]:
    found, _ = await services.reassess._assessments.window(tenant_id, Wanted(), Window(10_000))
    return found


async def is_as_fresh(services: Services, settings: Settings, tenant_id: str) -> int:
    """Hold each stored assessment against one that is made now from all events; how many there are."""
    clients = await services.clients.all(tenant_id)
    stored = await all_listed(services, tenant_id)
    assert {one.record.client_id for one in stored} == set(clients), "each client has one"
    for one in stored:
        case = await services.assess.cases.one(tenant_id, one.record.client_id, Viewpoint(one.as_of))
        assert one.made.assessment == await case.assessment()
        assert one.made.revision == clients[one.record.client_id].revision
    async with verification_for(settings) as (_, verify):
        async for checked in verify(tenant_id):
            assert (checked.differences, checked.outdated) == ((), 0)
    return len(stored)


def some_events(chance: random.Random, prefix: str, count: int) -> list[dict[str, Any]]:
    """Events of some clients, in no order: late ones, corrections, and what has not happened yet."""
    kinds = sorted(EVERY_TYPE)
    found = []
    for number in range(count):
        at = datetime.now(UTC) - timedelta(days=chance.uniform(-1, 400))
        kind = chance.choice(kinds)
        data = {"source": "/t", "id": f"{prefix}-{chance.randrange(count)}"} if kind == "event.voided" else None
        more = {} if data is None else {"data": data}
        client = f"client-{chance.randrange(6)}"
        found.append(cloud_event(f"{prefix}-{number}", kind, client, time=at.isoformat(), **more))
    return found


@pytest.mark.slow
async def test_workers_that_die_beside_writers_lose_nothing(settings: Settings, services: Services):
    """Several workers, some cancelled at any point, and several writers at once; then all is as if made anew."""
    chance = random.Random(5)
    tenants = [await tenant_of(services) for _ in range(3)]
    done = asyncio.Event()

    async def write(tenant_id: str, writer: int) -> None:
        for batch in range(12):
            events = some_events(chance, f"{writer}-{batch}", chance.randrange(1, 12))
            await send(services, tenant_id, *events)
            await asyncio.sleep(chance.uniform(0, 0.1))

    async def work(worker: Services) -> None:
        while not done.is_set():
            if not await worker.reassess.step(newest=chance.random() < 0.5):
                await asyncio.sleep(0.01)

    async def work_and_die(worker: Services) -> None:
        while not done.is_set():
            task = asyncio.create_task(work(worker))
            await asyncio.sleep(chance.uniform(0.01, 0.2))
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def read(tenant_id: str) -> None:
        while not done.is_set():
            await services.listing.window(tenant_id, None, Wanted(), Window(5))
            await asyncio.sleep(0.05)

    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(services_for(settings)) for _ in range(3)]
        async with asyncio.TaskGroup() as group:
            others = [work_and_die(workers[0]), work_and_die(workers[1]), work(workers[2]), read(tenants[0])]
            for other in others:
                group.create_task(other)
            async with asyncio.TaskGroup() as writing:
                for tenant_id in tenants:
                    for writer in range(2):
                        writing.create_task(write(tenant_id, writer))
            done.set()
    await quiet(services, *tenants)
    for tenant_id in tenants:
        assert await is_as_fresh(services, settings, tenant_id) == 6


async def test_who_dies_after_a_portfolio_is_stored_leaves_the_rest_to_others(
    services: Services, settings: Settings, tenant: str, monkeypatch: pytest.MonkeyPatch
):
    await send(services, tenant, *(cloud_event(f"c{n}", "contract.sent", f"c-{n}") for n in range(5)))
    await quiet(services, tenant)
    before = await services.assess._portfolios.present(tenant, DEFAULT_POLICY)
    late = {"amount": 100, "currency": "USD", "due_date": "2026-01-02"}
    issued = [cloud_event(f"i{n}", "invoice.issued", "c-0", data=late | {"invoice": f"I-{n}"}) for n in range(20)]
    await send(services, tenant, *issued)

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(services.assess._portfolios._stored, "spread", die)
    with pytest.raises(asyncio.CancelledError):
        await services.assess._portfolios.renew(tenant)
    monkeypatch.undo()
    assert (await services.assess._portfolios.present(tenant, DEFAULT_POLICY)).number > before.number
    await quiet(services, tenant)
    assert await is_as_fresh(services, settings, tenant) == 5


async def test_few_clients_are_listed_as_they_stand_even_without_a_worker(
    services: Services, settings: Settings, tenant: str
):
    await send(services, tenant, cloud_event("1", "contract.sent"), cloud_event("2", "contract.sent", "other"))
    part = await services.listing.window(tenant, None, Wanted(), Window(10))
    assert ([one.record.client_id for one in part.items], part.more, part.stale) == (["acme", "other"], False, 0)
    before = {one.record.client_id: one.assessment.score for one in part.items}
    await send(services, tenant, cloud_event("3", "contract.declined", "other", time="2026-03-01T00:00:00Z"))
    part = await services.listing.window(tenant, None, Wanted(), Window(10))
    assert [one.record.client_id for one in part.items] == ["other", "acme"]
    assert part.items[0].assessment.score > before["other"]
    assert await is_as_fresh(services, settings, tenant) == 2


async def test_another_client_in_the_place_of_one_that_is_gone_is_noticed(services: Services, tenant: str):
    """As many clients with as many events in all: and yet another portfolio."""
    late = {"invoice": "A", "amount": 100, "currency": "USD", "due_date": "2026-01-02"}
    for number in range(12):
        await send(services, tenant, cloud_event(f"i{number}", "invoice.issued", f"c-{number}", data=late))
    before = await services.assess._portfolios.present(tenant, DEFAULT_POLICY)
    async with transaction(services.reassess._assessments._engine, tenant) as connection:
        await connection.execute(text("DELETE FROM client WHERE client_id = 'c-3'"))
        await connection.execute(text("DELETE FROM event WHERE client_id = 'c-3'"))
    await send(services, tenant, cloud_event("x", "call.received", "new"))
    after = await services.assess._portfolios.present(tenant, DEFAULT_POLICY)
    assert after.number > before.number
    assert after.portfolio.recovery.at_risk[0] == before.portfolio.recovery.at_risk[0] - 1 == 11


async def test_what_a_worker_has_claimed_is_fresh_for_few_clients_too(services: Services, tenant: str):
    """Who lists does not wait for a worker that may be dead."""
    await send(services, tenant, cloud_event("1", "contract.sent"))
    assert await services.reassess._assessments.claim(10, 1000) == [(tenant, "acme")]
    part = await services.listing.window(tenant, None, Wanted(), Window(10))
    assert ([one.record.client_id for one in part.items], part.stale) == (["acme"], 0)


async def test_an_event_told_ahead_of_its_time_counts_from_its_time_on(services: Services, tenant: str):
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    await send(
        services,
        tenant,
        cloud_event("1", "contract.sent"),
        cloud_event("2", "contract.declined", time=soon.isoformat()),
    )
    await quiet_but_for(services, soon)
    (before,) = await all_listed(services, tenant)
    assert before.made.holds_until == soon
    await asyncio.sleep(1.6)
    await services.reassess.step()
    (after,) = await all_listed(services, tenant)
    assert after.made.assessment.score > before.made.assessment.score
    assert after.made.holds_until > soon


async def quiet_but_for(services: Services, soon: datetime) -> None:
    while await services.reassess.step():
        assert datetime.now(UTC) < soon


def test_an_assessment_holds_until_the_local_day_ends():
    present = Present(7, portfolio_of({}, DEFAULT_POLICY), few=True)
    at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    ends = datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC)
    for ahead, until in ((None, ends), (at + timedelta(hours=2), ends), (at + timedelta(minutes=2), None)):
        found = made_from("acme", [], 3, DEFAULT_POLICY, present, at, ahead)
        assert (found.revision, found.portfolio, found.assessment.as_of) == (3, 7, at)
        assert found.holds_until == (until or ahead)


MANY = 320


@pytest.mark.slow
async def test_many_clients(services: Services, settings: Settings, tenant: str):
    told = [cloud_event(f"c{n}", "client.created", f"c-{n:03}", data={"name": f"N{n % 7}"}) for n in range(MANY)]
    # Scores of several heights, with many that are the same.
    told += [cloud_event(f"d{n}", "contract.declined", f"c-{n:03}") for n in range(0, MANY, 5)]
    await send(services, tenant, *told)
    part = await services.listing.window(tenant, None, Wanted(), Window(50))
    assert (part.items, part.stale) == ([], MANY), "it is left to the workers"
    await quiet(services, tenant)
    assert await is_as_fresh(services, settings, tenant) == MANY

    # Pages in each direction are the whole list, with the scores that all have when all are assessed.
    stored = {one.record.client_id: one.made.assessment.score for one in await all_listed(services, tenant)}
    ranked = sorted(stored, key=lambda client_id: (-stored[client_id], client_id))
    now = {
        one.client_id: one.assessment.score
        for one in await services.assess.ranking(tenant, Viewpoint(datetime.now(UTC)))
    }
    assert now == pytest.approx(stored, abs=0.01)
    for reverse in (False, True):
        for backwards in (False, True):
            assert await paged(services, tenant, Wanted(reverse=reverse), backwards) == (
                ranked[::-1] if reverse else ranked
            )
    by_name = sorted(range(MANY), key=lambda n: (f"N{n % 7}", f"c-{n:03}"))
    wanted = Wanted(order=Order.NAME, verdicts=frozenset(Verdict))
    assert await paged(services, tenant, wanted, False) == [f"c-{n:03}" for n in by_name]

    # One event: who lists assesses that client, and sees it.
    await send(services, tenant, cloud_event("x", "contract.declined", "c-001", time="2026-02-01T00:00:00Z"))
    part = await services.listing.window(tenant, None, Wanted(text="C-001"), Window(50))
    assert (part.stale, [one.record.revision for one in part.items]) == (0, [2])
    assert part.items[0].assessment.leading_sign == "contract"

    # A share that changes is in the portfolio of all, a while later.
    number = (await all_listed(services, tenant))[0].made.portfolio
    paid = [cloud_event(f"i{n}", client=f"c-{n:03}", time="2026-01-01T00:00:00Z") for n in range(30)]
    await send(services, tenant, *paid)
    await quiet(services, tenant)
    assert {one.made.portfolio for one in await all_listed(services, tenant)} != {number}
    assert await is_as_fresh(services, settings, tenant) == MANY

    # Another policy is another portfolio for all.
    record = await services.policies.draft(tenant, {"prior_decibans": -8})
    await services.policies.activate(tenant, record.version)
    await quiet(services, tenant)
    assert {one.made.assessment.policy_version for one in await all_listed(services, tenant)} == {record.version}
    assert await is_as_fresh(services, settings, tenant) == MANY
    assert await services.listing.count(tenant, None, Wanted()) == MANY
    together = await services.listing.together(tenant)
    scores = sorted(one.made.assessment.score for one in await all_listed(services, tenant))
    assert together.median == pytest.approx((scores[MANY // 2 - 1] + scores[MANY // 2]) / 2)
    assert sum(count for *_, count in together.groups) == MANY


async def paged(services: Services, tenant: str, wanted: Wanted, backwards: bool) -> list[str]:
    found: list[str] = []
    place = None
    while True:
        window = Window(47, before=place, backwards=True) if backwards else Window(47, place)
        part = await services.listing.window(tenant, None, wanted, window)
        ids = [one.record.client_id for one in part.items]
        found = ids + found if backwards else found + ids
        if not part.more:
            return found
        place = part.items[0 if backwards else -1].place


async def test_a_long_history_is_read_from_checkpoints_on(services: Services, settings: Settings, tenant: str):
    """What comes out is what all events come to."""
    begin = datetime.now(UTC) - timedelta(days=500)
    kinds = ("call.received", "time.logged", "message.received", "meeting.missed", "contract.declined")
    told = [
        cloud_event(f"{n}", kinds[n % 5 if n % 50 else 4], time=(begin + timedelta(hours=7 * n)).isoformat())
        for n in range(1_600)
    ]
    for start in range(0, len(told), 400):
        await send(services, tenant, *told[start : start + 400])
    await quiet(services, tenant)
    engine = services.reassess._assessments._engine
    async with transaction(engine, tenant) as connection:
        assert (await connection.execute(text("SELECT count(*) FROM checkpoint"))).scalar_one() > 5
    await send(services, tenant, cloud_event("new", "contract.declined", time=datetime.now(UTC).isoformat()))
    await quiet(services, tenant)
    assert await is_as_fresh(services, settings, tenant) == 1


async def test_supposing_of_a_long_history_that_something_is_taken_back_is_as_if_it_were(
    services: Services, tenant: str
):
    begin = datetime.now(UTC) - timedelta(days=300)
    told = [
        cloud_event(f"{n}", "meeting.missed", time=(begin + timedelta(hours=7 * n)).isoformat()) for n in range(600)
    ]
    await send(services, tenant, *told)
    await quiet(services, tenant)
    now = datetime.now(UTC)
    for target in ("3", "never told", "599"):
        data = {"source": told[0]["source"], "id": target}
        void = cloud_event(f"void-{target}", "event.voided", time=now.isoformat(), data=data)
        (one,) = services.decoder.supposed(as_json({"events": [void]}), 1, "acme", now)
        assert isinstance(one, NewEvent)
        event = Event(one.source, one.id, one.type, "acme", one.time, services.decoder.load(one.type, one.data), now)
        viewpoint = Viewpoint(now)
        simulating = services.assess.simulate(tenant, "acme", viewpoint, [event])
        supposed = (await asyncio.wait_for(simulating, 30)).after.assessment
        await send(services, tenant, void)
        assert supposed == await (await services.assess.cases.one(tenant, "acme", viewpoint)).assessment()


async def test_the_backlog_is_told(services: Services, tenant: str):
    before = await services.reassess.backlog()
    assert (before.clients, before.seconds) == (0, 0)
    await send(services, tenant, cloud_event("1", "contract.sent"))
    await asyncio.sleep(0.05)
    found = await services.reassess.backlog()
    assert found.clients == 1
    assert 0.05 <= found.seconds < 30
    await quiet(services, tenant)
    assert (await services.reassess.backlog()).clients == 0


async def test_a_client_that_cannot_be_assessed_holds_nobody_up(
    services: Services, settings: Settings, tenant: str, monkeypatch: pytest.MonkeyPatch
):
    clients = ["acme", "bad", "other"]
    await send(services, tenant, *(cloud_event(name, "contract.sent", name) for name in clients))
    from app.use_cases import reassess

    real = reassess.made_from

    def fails(client_id: str, *more: Any) -> Any:
        if client_id == "bad":
            raise ZeroDivisionError
        return real(client_id, *more)

    monkeypatch.setattr(reassess, "made_from", fails)
    await services.reassess.step()
    assert [one.record.client_id for one in await all_listed(services, tenant)] == ["acme", "other"]
    monkeypatch.undo()
    await quiet(services, tenant)
    assert await is_as_fresh(services, settings, tenant) == 3
