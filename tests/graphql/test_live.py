"""What is behind subscriptions: one reading for many followers, who is too slow, seats, and keys that end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing

import httpx
import pytest

from app.graphql.live.ends import End
from app.graphql.live.keeper import Keeper
from app.graphql.live.seats import FullError, Seats
from app.ports.changes import Page
from app.ports.ledger import StoreUnavailableError
from app.ports.tenants import Scope
from app.services import Ending, Services
from app.use_cases.keys import Principal
from app.use_cases.live_changes import FellBehindError, LiveChanges
from tests.graphql.streams import tell
from tests.waiting import until

KEPT = 10


@pytest.fixture
async def tenant_id(services: Services, tenant: str, api: httpx.AsyncClient) -> str:
    del api
    return await services.keys.tenant(tenant)


def clients_of(page: Page) -> list[str]:
    return [one.client_id for one in page.changes]


async def taken(pages: AsyncGenerator[Page, None], count: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += clients_of(await anext(pages))
    return found


async def test_who_is_too_slow_is_told_and_goes_on_from_where_it_was(
    api: httpx.AsyncClient, services: Services, tenant_id: str
):
    live = LiveChanges(services.changes, kept=KEPT)
    names = [f"c-{n:02}" for n in range(4 * KEPT)]
    async with aclosing(live.pages(tenant_id, 0)) as slow, aclosing(live.pages(tenant_id, 0)) as quick:
        assert clients_of(await anext(slow)) == clients_of(await anext(quick)) == []
        # Both follow what comes from here on.
        waiting = asyncio.create_task(anext(slow))
        following = asyncio.create_task(taken(quick, len(names)))
        await tell(api, names[0])
        seen: Page = await waiting
        assert clients_of(seen) == names[:1]
        for number in range(1, len(names), 5):
            await tell(api, *names[number : number + 5])
        assert sorted(await following) == names
        with pytest.raises(FellBehindError):
            await anext(slow)
    async with aclosing(live.pages(tenant_id, seen.place)) as again:
        assert sorted(await taken(again, len(names) - 1)) == names[1:]
    await until(lambda: _is(not live._readings))


async def test_who_is_alone_is_read_for_as_fast_as_it_takes(api: httpx.AsyncClient, services: Services, tenant_id: str):
    live = LiveChanges(services.changes, kept=KEPT)
    names = [f"c-{n:02}" for n in range(4 * KEPT)]
    async with aclosing(live.pages(tenant_id, 0)) as pages:
        assert clients_of(await anext(pages)) == []
        waiting = asyncio.create_task(taken(pages, 1))
        await tell(api, names[0])
        assert await waiting == names[:1]
        for number in range(1, len(names), 5):
            await tell(api, *names[number : number + 5])
        assert sorted(await taken(pages, len(names) - 1)) == names[1:]


async def test_whoever_comes_when_has_each_change_once_in_order(
    api: httpx.AsyncClient, services: Services, tenant_id: str
):
    live = LiveChanges(services.changes)
    found: list[tuple[int, list[int]]] = []

    async def follow(after: int, until_place: int) -> None:
        places: list[int] = []
        async with aclosing(live.pages(tenant_id, after)) as pages, asyncio.timeout(30):
            async for page in pages:
                places += [one.place for one in page.changes]
                if page.place >= until_place:
                    break
        found.append((after, places))

    total = 60
    async with asyncio.TaskGroup() as tasks:
        for number in range(0, total, 5):
            await tell(api, *(f"c-{n}" for n in range(number, number + 5)))
            newest = await services.changes.newest(tenant_id)
            for after in {0, newest // 2, newest}:
                tasks.create_task(follow(after, total))
    assert len(found) > 20
    for after, places in found:
        assert places == list(range(after + 1, total + 1))


async def test_a_reading_outlives_an_outage(api: httpx.AsyncClient, services: Services, tenant_id: str):
    changes, failures = services.changes, 2

    class Failing:
        """The feed, of which the first readings go wrong."""

        def __getattr__(self, name: str) -> object:
            return getattr(changes, name)

        async def pages(self, *given: object) -> AsyncGenerator[Page, None]:
            nonlocal failures
            if failures:
                failures -= 1
                raise StoreUnavailableError
            async for page in changes.pages(*given):  # type: ignore[arg-type]
                yield page

    live = LiveChanges(Failing())  # type: ignore[arg-type]
    async with aclosing(live.pages(tenant_id, 0)) as pages:
        await anext(pages)
        waiting = asyncio.create_task(taken(pages, 1))
        await tell(api, "a")
        assert await waiting == ["a"]
    assert not failures


# ------------------------------------------------------------------------------------------------------------ seats


def principal(tenant_id: str, name: str) -> Principal:
    return Principal(tenant_id, name, frozenset({Scope.READ}))


def test_seats_are_counted_by_key_by_tenant_and_in_all():
    seats = Seats("subscriptions", most=5, of_tenant=3, of_key=2)
    with ExitStack() as stack:

        def taken_by(tenant_id: str, name: str) -> None:
            stack.enter_context(seats.taken(principal(tenant_id, name)))

        taken_by("a", "key:1")
        taken_by("a", "key:1")
        with pytest.raises(FullError, match="a key may have 2 subscriptions"):
            taken_by("a", "key:1")
        taken_by("a", "key:2")
        with pytest.raises(FullError, match="a tenant may have 3 subscriptions"):
            taken_by("a", "key:2")
        taken_by("b", "key:1")
        taken_by("c", "key:1")
        with pytest.raises(FullError, match="too many subscriptions on this server"):
            taken_by("d", "key:1")
    assert not seats._by_key
    assert not seats._by_tenant
    assert not seats._taken


# ------------------------------------------------------------------------------------------------------------- keys


class Open:
    """Something that is open."""

    def __init__(self, who: Principal, secret: str) -> None:
        self.principal = who
        self.secret = secret
        self.ends: list[tuple[End, bool]] = []

    def end(self, end: End, detail: str, *, forbidden: bool = False) -> None:
        assert detail or end is End.SHUTDOWN
        self.ends.append((end, forbidden))


async def opened(services: Services, tenant: str) -> Open:
    secret = await services.keys.create(tenant, frozenset({Scope.READ}))
    return Open(await services.authenticate(secret), secret)


async def test_what_a_key_has_opened_ends_with_it(services: Services, tenant: str):
    one, other = await opened(services, tenant), await opened(services, tenant)
    keeper = Keeper(services.authenticate, Ending(), look_seconds=0.05)
    assert one.principal.key_id
    with keeper.keeping(one), keeper.keeping(other):
        await services.keys.revoke(one.principal.tenant_id, one.principal.key_id)
        await until(lambda: _is(bool(one.ends)))
        assert one.ends[0] == (End.KEY, False)
        assert not other.ends
    await until(lambda: _is(keeper._task is None))


async def test_who_may_less_than_before_is_ended(services: Services, tenant: str):
    one = await opened(services, tenant)
    one.principal = Principal(one.principal.tenant_id, one.principal.name, frozenset({Scope.READ, Scope.MANAGE}))
    with Keeper(services.authenticate, Ending(), look_seconds=0.05).keeping(one):
        await until(lambda: _is(bool(one.ends)))
    assert one.ends[0] == (End.KEY, True)


async def test_an_outage_ends_it_only_when_it_lasts(services: Services, tenant: str):
    looks = 0

    async def away(secret: str, request_id: str | None) -> Principal:
        nonlocal looks
        looks += 1
        raise StoreUnavailableError

    one = await opened(services, tenant)
    with Keeper(away, Ending(), look_seconds=0.05).keeping(one):  # type: ignore[arg-type]
        await until(lambda: _is(looks > 1))
        assert not one.ends
        await until(lambda: _is(bool(one.ends)))
    assert one.ends[0] == (End.UNAVAILABLE, False)
    assert looks >= 4


async def test_everything_ends_when_the_process_does(services: Services, tenant: str):
    one, ending = await opened(services, tenant), Ending()
    keeper = Keeper(services.authenticate, ending)
    with keeper.keeping(one):
        assert not keeper.is_ending
        ending.begin()
        await until(lambda: _is(bool(one.ends)))
    assert one.ends[0] == (End.SHUTDOWN, False)


async def _is(so: bool) -> bool:
    return so
