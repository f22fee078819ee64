"""Rates over several replicas by a clock of the test: what is let in, what it takes, with the database and without."""

import asyncio
from collections.abc import Sequence

import pytest

from app.ports.ledger import StoreUnavailableError
from app.ports.rates import LeasedTokens, Override, Rate, Unit, parse_rates
from app.ports.tenants import Scope
from app.use_cases.errors import RateLimitedError
from app.use_cases.keys import Principal
from app.use_cases.rates import RateLimits

BEGAN = 1_000_000_020.0
WHO = Principal("tenant", "key:1", frozenset(Scope))


class Clock:
    def __init__(self) -> None:
        self.seconds = BEGAN

    def __call__(self) -> float:
        return self.seconds


class Shared:
    """What Postgres keeps, in memory, by the same rules; it can go away."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.used: dict[tuple[str, str, str, float], int] = {}
        self.leases = 0
        self.is_away = False
        self.told: list[Override] = []

    async def lease(self, tenant_id: str, who: str, asked: Sequence[tuple[Rate, int]]) -> dict[str, LeasedTokens]:
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailableError("away")
        self.leases += 1
        found = {}
        for rate, tokens in asked:
            began = self._clock() // rate.seconds * rate.seconds
            key = (tenant_id, who, rate.name, began)
            self.used[key] = self.used.get(key, 0) + tokens
            found[rate.name] = LeasedTokens(began, self.used[key], self._clock())
        return found

    async def overrides(self, tenant_id: str) -> list[Override]:
        return self.told


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(clock: Clock) -> Shared:
    return Shared(clock)


def replica(shared: Shared, clock: Clock, rates: str) -> RateLimits:
    found = RateLimits(shared, parse_rates(rates), clock)  # type: ignore[arg-type]
    found.offset = 0.0
    return found


async def let_in(limits: RateLimits, count: int = 1, unit: Unit = Unit.REQUESTS, who: Principal = WHO) -> bool:
    try:
        await (await limits.of(who)).take(unit, count)
    except RateLimitedError:
        return False
    return True


@pytest.mark.parametrize("replicas", [1, 2, 5])
@pytest.mark.parametrize("quota", [1, 7, 100, 10_000])
async def test_all_replicas_together_let_in_the_quota(clock: Clock, shared: Shared, replicas: int, quota: int):
    made = [replica(shared, clock, f"burst={quota}/10") for _ in range(replicas)]
    admitted = 0
    for number in range(quota * 2 + 50):
        clock.seconds = BEGAN + number * 9.0 / (quota * 2 + 50)
        admitted += await let_in(made[number % replicas])
    # A hundredth a replica may be spent before anybody is asked.
    assert quota * 0.97 <= admitted <= quota + replicas * (quota // 100)
    # Not a write for each request: some dozens in a window.
    assert shared.leases <= min(admitted + 3 * replicas, 60 * replicas)


async def test_one_busy_and_one_quiet_replica(clock: Clock, shared: Shared):
    busy, quiet = replica(shared, clock, "burst=1000/10"), replica(shared, clock, "burst=1000/10")
    admitted = 0
    for number in range(3000):
        clock.seconds = BEGAN + number * 0.003
        admitted += await let_in(busy)
        if number % 300 == 0:
            admitted += await let_in(quiet)
    assert 970 <= admitted <= 1020


async def test_a_quiet_key_costs_no_write(clock: Clock, shared: Shared):
    limits = replica(shared, clock, "burst=1000/10 sustained=6000/60 events=60000/60")
    for _ in range(4):
        assert await let_in(limits)
    await asyncio.sleep(0)
    assert shared.leases == 0


async def test_a_new_window_begins_with_the_whole_quota(clock: Clock, shared: Shared):
    limits = replica(shared, clock, "burst=50/10")
    for _ in range(2):
        assert sum([await let_in(limits) for _ in range(80)]) == 50
        clock.seconds += 10


async def test_all_policies_of_a_unit_hold(clock: Clock, shared: Shared):
    limits = replica(shared, clock, "burst=50/10 sustained=70/60")
    assert sum([await let_in(limits) for _ in range(80)]) == 50
    clock.seconds += 10
    assert sum([await let_in(limits) for _ in range(80)]) == 20
    with pytest.raises(RateLimitedError) as refused:
        await (await limits.of(WHO)).take(Unit.REQUESTS)
    assert (refused.value.policy, refused.value.wait) == ("sustained", 50)


async def test_what_costs_more_than_a_quota_takes_all_of_it(clock: Clock, shared: Shared):
    """Else it could never be sent."""
    limits = replica(shared, clock, "events=100/10")
    assert await let_in(limits, 1000, Unit.EVENTS)
    assert not await let_in(limits, 1, Unit.EVENTS)
    clock.seconds += 10
    assert await let_in(limits, 1, Unit.EVENTS)
    assert not await let_in(limits, 1000, Unit.EVENTS)


async def test_many_at_once_wait_for_one_lease(clock: Clock, shared: Shared):
    limits = replica(shared, clock, "burst=1000/10")
    found = await asyncio.gather(*(let_in(limits) for _ in range(2000)))
    assert 970 <= sum(found) <= 1000
    assert shared.leases < 60


async def test_keys_do_not_share_and_tenants_do_not(clock: Clock, shared: Shared):
    limits = replica(shared, clock, "burst=5/10")
    for who in (WHO, Principal("tenant", "key:2", frozenset()), Principal("other", "key:1", frozenset())):
        assert sum([await let_in(limits, who=who) for _ in range(9)]) == 5


async def test_without_the_database_each_goes_on_with_its_share(clock: Clock, shared: Shared):
    ours, others = (replica(shared, clock, "burst=1000/10") for _ in range(2))
    for number in range(4000):
        clock.seconds = BEGAN + number * 0.0025
        await let_in(ours if number % 4 else others)
    clock.seconds = BEGAN + 10
    shared.is_away = True
    counts = [sum([await let_in(limits) for _ in range(2000)]) for limits in (ours, others)]
    assert sum(counts) == pytest.approx(1000, abs=30)
    assert counts[0] > counts[1] > 0
    # It is asked again after a second, and all is as it was.
    shared.is_away = False
    clock.seconds += 2
    assert await let_in(ours)


async def test_without_the_database_from_the_start_nobody_is_refused_for_it(clock: Clock, shared: Shared):
    shared.is_away = True
    limits = replica(shared, clock, "burst=100/10")
    assert sum([await let_in(limits) for _ in range(200)]) == 100


async def test_an_error_of_the_store_refuses_nobody(clock: Clock, shared: Shared, monkeypatch: pytest.MonkeyPatch):
    async def broken(*arguments: object) -> dict[str, LeasedTokens]:
        raise RuntimeError("a defect")

    monkeypatch.setattr(shared, "lease", broken)
    monkeypatch.setattr(shared, "overrides", broken)
    assert await let_in(replica(shared, clock, "burst=10/10"))


async def test_overrides_hold_for_a_key_before_its_tenant(clock: Clock, shared: Shared):
    shared.told = [
        Override("", "burst", 20, 10),
        Override("key:1", "burst", 30, 10),
        Override("key:2", "burst", None, 1),
    ]
    limits = replica(shared, clock, "burst=10/10")
    counts = {
        name: sum([await let_in(limits, who=Principal("tenant", name, frozenset())) for _ in range(50)])
        for name in ("key:1", "key:2", "key:3")
    }
    assert counts == {"key:1": 30, "key:2": 50, "key:3": 20}


async def test_a_changed_override_is_seen_within_a_minute(clock: Clock, shared: Shared):
    limits = replica(shared, clock, "burst=10/10")
    assert await let_in(limits)
    shared.told = [Override("", "burst", 20, 10)]
    for _ in range(2):
        clock.seconds += 31
        await let_in(limits)
        await asyncio.sleep(0.01)
    clock.seconds += 10
    assert sum([await let_in(limits) for _ in range(50)]) == 20


async def test_clocks_that_differ(shared: Shared, clock: Clock):
    """A replica goes by the clock of all, once it has asked."""
    late = RateLimits(shared, parse_rates("burst=100/10"), lambda: clock.seconds - 7)  # type: ignore[arg-type]
    late.offset = 0.0
    right = replica(shared, clock, "burst=100/10")
    admitted = 0
    for number in range(400):
        clock.seconds = BEGAN + number * 0.02
        admitted += await let_in(late if number % 2 else right)
    assert 95 <= admitted <= 105


async def test_memory_is_bounded(clock: Clock, shared: Shared, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.use_cases.rates._MOST_KEYS", 10)
    limits = replica(shared, clock, "burst=1000/10")
    for number in range(100):
        assert await let_in(limits, who=Principal("tenant", f"key:{number}", frozenset()))
    assert len(limits._keys._kept) == 10
