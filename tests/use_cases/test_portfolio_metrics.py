"""The sums behind portfolio metrics are what the stored assessments come to, whatever happens beside."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from app.core.signs import SIGNS
from app.core.tally import Term
from app.core.verdict import Verdict
from app.ports.tallies import Tallied
from app.services import Services
from app.store.engine import transaction
from app.store.tallies import SLOTS, PostgresTallies
from app.use_cases import portfolio_metrics
from app.use_cases.errors import NotFoundError
from app.use_cases.portfolio_metrics import PortfolioMetrics
from tests.cloud_events import cloud_event
from tests.use_cases.test_reassess import (
    all_listed,
    quiet,
    send,
    services,
    settings,
    some_events,
    tenant,
    tenant_of,
)

__all__ = ["services", "settings", "tenant"]

TODAY = datetime.now(UTC).date


class At:
    """A clock that stands."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


def tallies_of(services: Services) -> PostgresTallies:
    found = services.portfolio_metrics._tallies
    assert isinstance(found, PostgresTallies)
    return found


async def execute(services: Services, tenant_id: str, statement: str, **values: Any) -> Any:
    async with transaction(tallies_of(services)._engine, tenant_id) as connection:
        return await connection.execute(text(statement), {"tenant": tenant_id, **values})


async def tallied(services: Services, tenant_id: str) -> Tallied:
    return await tallies_of(services).read(tenant_id, 1000, date(2020, 1, 1), 100)


async def agree(services: Services, tenant_id: str) -> None:
    """Hold the sums against the stored assessments, which are counted here, and by the database."""
    assert await tallies_of(services).differences(tenant_id) == {}
    listed, found = await all_listed(services, tenant_id), await tallied(services, tenant_id)
    made = [one.made.assessment for one in listed]
    counted = Counter(f"{one.verdict.value}:{one.client_type.name}" for one in made)
    assert {label: amount for (term, label), amount in found.sums.items() if term == Term.CLIENTS and amount} == counted
    assert float(found.sums.get((Term.SCORE, ""), 0)) == pytest.approx(sum(one.score for one in made), abs=1e-4)
    for place, sign in enumerate(SIGNS):
        strain = float(found.sums.get((Term.STRAIN, sign.name), 0))
        assert strain == pytest.approx(sum(one.signs[place].decibans for one in made), abs=1e-4)
        leads = sum(one.leading_sign == sign.name for one in made)
        assert found.sums.get((Term.LEADS, sign.name), 0) == leads
    assert [one.client_id for one in found.first] == [one.record.client_id for one in listed][:100]


async def erase_some(services: Services, tenant_id: str, chance: random.Random) -> None:
    with suppress(NotFoundError):
        await services.erase(tenant_id, f"client-{chance.randrange(6)}")


@pytest.mark.parametrize("seed", range(3))
async def test_sums_are_those_of_the_stored_assessments(services: Services, tenant: str, seed: int):
    """After events in any order, clients that are erased and come to be again, and other policies."""
    chance = random.Random(seed)
    for turn in range(12):
        await send(services, tenant, *some_events(chance, f"{seed}-{turn}", chance.randrange(1, 15)))
        match chance.randrange(4):
            case 0:
                await erase_some(services, tenant, chance)
            case 1:
                prior = {"prior_decibans": chance.uniform(-15, 5)}
                version = (await services.policies.draft(tenant, prior)).version
                await services.policies.activate(tenant, version)
            case _:
                await services.reassess.freshen(tenant)
        await agree(services, tenant)
    await quiet(services, tenant)
    await agree(services, tenant)
    for client_id in await services.clients.all(tenant):
        await services.erase(tenant, client_id)
    found = await tallied(services, tenant)
    assert not any(found.sums.values())
    assert found.first == []
    assert await tallies_of(services).differences(tenant) == {}


async def test_many_at_once_add_up(services: Services, tenant: str):
    """Writers, workers and erasures of one tenant, all at the same time."""
    chance, done = random.Random(7), asyncio.Event()

    async def work() -> None:
        while not done.is_set():
            if not await services.reassess.step():
                await asyncio.sleep(0.01)

    async def write(writer: int) -> None:
        for turn in range(8):
            await send(services, tenant, *some_events(chance, f"{writer}-{turn}", 8))
            await services.reassess.freshen(tenant)

    async def erase() -> None:
        for _ in range(6):
            await erase_some(services, tenant, chance)
            await asyncio.sleep(0.05)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    # An erased client's id is refused from then on, so that `send` is told.
    await asyncio.gather(*(write(writer) for writer in range(3)))
    await erase()
    done.set()
    await asyncio.gather(*workers)
    await agree(services, tenant)
    slots = await execute(services, tenant, "SELECT count(*) FROM tally_slot WHERE tenant_id = :tenant")
    assert 1 < slots.scalar() <= SLOTS, "not all wait for one row"


async def test_what_is_interrupted_adds_nothing(services: Services, tenant: str, monkeypatch: pytest.MonkeyPatch):
    """The sums change in the transaction that stores the assessment, or neither does."""
    from app.store import tallies

    await send(services, tenant, cloud_event("one", "contract.declined"))
    real = tallies._add

    async def dies(*what: Any) -> None:
        await real(*what)
        raise RuntimeError("killed")

    monkeypatch.setattr(tallies, "_add", dies)
    with pytest.raises(RuntimeError, match="killed"):
        await services.reassess.freshen(tenant)
    assert await all_listed(services, tenant) == []
    assert (await tallied(services, tenant)).sums == {}
    monkeypatch.setattr(tallies, "_add", real)
    await services.reassess.freshen(tenant)
    await agree(services, tenant)
    monkeypatch.setattr(tallies, "_add", dies)
    with pytest.raises(RuntimeError, match="killed"):
        await services.erase(tenant, "acme")
    monkeypatch.setattr(tallies, "_add", real)
    await agree(services, tenant)


async def test_the_revision_moves_with_what_is_shown_and_not_without(services: Services, tenant: str):
    async def revision() -> int:
        return (await tallies_of(services).state(tenant, 1000)).revision

    assert await revision() == 0
    await send(services, tenant, cloud_event("one", "contract.sent", time="2026-01-01T00:00:00Z"))
    await services.reassess.freshen(tenant)
    first = await revision()
    assert first > 0
    # Assessed again, it comes to the same.
    await execute(services, tenant, "UPDATE assessment SET holds_until = now() WHERE tenant_id = :tenant")
    await services.reassess.freshen(tenant)
    assert await revision() == first
    await send(services, tenant, cloud_event("two", "contract.declined", time="2026-02-01T00:00:00Z"))
    await services.reassess.freshen(tenant)
    second = await revision()
    assert second > first
    await services.erase(tenant, "acme")
    assert await revision() > second


# ------------------------------------------------------------------------------------------------------------- changes


async def test_changes_are_told_of_whole_days_of_utc(services: Services, tenant: str):
    await send(services, tenant, cloud_event("one", "contract.sent", time="2026-01-01T00:00:00Z"))
    await services.reassess.freshen(tenant)
    today = TODAY()
    for ago, before, after in ((0, "keep", "watch"), (6, "watch", "part"), (7, "part", "keep"), (29, "keep", "part")):
        await execute(
            services,
            tenant,
            "INSERT INTO verdict_change VALUES (:tenant, :day, 1, :before, :after, 2)",
            day=today - timedelta(days=ago),
            before=before,
            after=after,
        )
    await execute(
        services,
        tenant,
        "INSERT INTO verdict_change VALUES (:tenant, :day, 1, 'watch', 'keep', 9)",
        day=today - timedelta(days=30),
    )
    shown, _ = await services.portfolio_metrics.shown(tenant, 0)
    week, month = shown.changes
    assert (week.days, week.since, month.days) == (7, today - timedelta(days=6), 30)
    assert (week.improved, week.worsened) == (0, 4)
    assert (month.improved, month.worsened) == (2, 6)

    def moves(part: portfolio_metrics.Changes) -> dict[tuple[Verdict | None, Verdict | None], int]:
        return {(one.before, one.after): one.clients for one in part.moves}

    assert len(moves(week)) == len(week.moves) == 20, "each that can be, also where nobody made it"
    assert moves(week)[Verdict.KEEP, Verdict.WATCH] == moves(week)[Verdict.WATCH, Verdict.PART] == 2
    assert moves(week)[None, Verdict.KEEP] == 1
    assert moves(month)[Verdict.WATCH, Verdict.KEEP] == 0
    await services.erase(tenant, "acme")
    shown, _ = await services.portfolio_metrics.shown(tenant, 0)
    assert moves(shown.changes[0])[Verdict.KEEP, None] == 1


async def test_old_changes_are_put_together(services: Services, tenant: str):
    await send(services, tenant, cloud_event("one", "contract.sent", time="2026-01-01T00:00:00Z"))
    await services.reassess.freshen(tenant)
    await agree(services, tenant)
    days = "SELECT day, clients FROM verdict_change WHERE tenant_id = :tenant ORDER BY day"
    ((day, count),) = (await execute(services, tenant, days)).all()
    assert (day, count) == (TODAY(), 1)

    def at(days: int) -> PortfolioMetrics:
        metrics = services.portfolio_metrics
        clock = At(datetime.now(UTC) + timedelta(days=days))
        return PortfolioMetrics(metrics._tallies, metrics._reassess, metrics._policies, clock, 10)

    assert not await at(39).fold()
    assert await at(40).fold()
    assert not await at(40).fold()
    assert (await execute(services, tenant, days)).all() == [(date(1, 1, 1), 1)]
    await send(services, tenant, cloud_event("two", "contract.sent", "other", time="2026-01-01T00:00:00Z"))
    await services.reassess.freshen(tenant)
    assert await at(40).fold()
    assert (await execute(services, tenant, days)).all() == [(date(1, 1, 1), 2)]
    await agree(services, tenant)


# -------------------------------------------------------------------------------------- beside earlier versions of this


@pytest.fixture
async def upgraded(services: Services, tenant: str) -> str:
    """A tenant whose assessments an earlier version has stored."""
    told = [cloud_event(f"{kind}-{who}", kind, who) for who in "abc" for kind in ("contract.sent", "invoice.issued")]
    await send(services, tenant, *told)
    await quiet(services, tenant)
    await execute(services, tenant, "UPDATE assessment SET tally = NULL WHERE tenant_id = :tenant")
    for table in ("tally_sum", "tally_slot", "verdict_change"):
        await execute(services, tenant, f"DELETE FROM {table} WHERE tenant_id = :tenant")
    return tenant


async def test_what_has_no_tally_yet_is_stale_and_then_tallied(services: Services, upgraded: str):
    state = await tallies_of(services).state(upgraded, 1000)
    assert (state.revision, state.stale, state.changed_at) == (0, 3, None)
    shown, _ = await services.portfolio_metrics.shown(upgraded, 10)
    assert (shown.count, shown.state.stale) == (3, 0)
    assert all(one.before is None for part in shown.changes for one in part.moves if one.clients) is True
    assert not any(one.clients for part in shown.changes for one in part.moves), "they were assessed long ago"
    await agree(services, upgraded)


async def test_the_next_portfolio_lets_them_be_due(services: Services, upgraded: str):
    await execute(services, upgraded, "UPDATE portfolio SET due_at = now() WHERE tenant_id = :tenant")
    await quiet(services, upgraded)
    assert (await tallies_of(services).state(upgraded, 1000)).stale == 0
    await agree(services, upgraded)


async def test_what_an_earlier_version_erases_is_taken_away_later(services: Services, tenant: str):
    told = [cloud_event(f"{kind}-{who}", kind, who) for who in "abc" for kind in ("contract.sent", "invoice.issued")]
    await send(services, tenant, *told)
    await quiet(services, tenant)
    for table in ("client", "assessment", "portfolio_share"):
        await execute(services, tenant, f"DELETE FROM {table} WHERE tenant_id = :tenant AND client_id = 'b'")
    assert (await tallies_of(services).differences(tenant))["total", ""] == (Decimal(3), Decimal(2))
    await execute(services, tenant, "UPDATE portfolio SET due_at = now() WHERE tenant_id = :tenant")
    await quiet(services, tenant)
    await agree(services, tenant)
    shown, _ = await services.portfolio_metrics.shown(tenant, 10)
    assert shown.count == 2


async def test_several_who_mend_do_it_once(services: Services, tenant: str):
    await send(services, tenant, *(cloud_event(who, "contract.sent", who) for who in "abc"))
    await quiet(services, tenant)
    await execute(services, tenant, "DELETE FROM assessment WHERE tenant_id = :tenant AND client_id = 'b'")
    found = await asyncio.gather(*(tallies_of(services).mend(tenant) for _ in range(5)))
    assert found.count(True) >= 1
    assert await tallies_of(services).differences(tenant) == {}
    assert not await tallies_of(services).mend(tenant)


async def test_tenants_are_apart(services: Services, tenant: str):
    other = await tenant_of(services)
    await send(services, tenant, cloud_event("one", "contract.declined"))
    await quiet(services, tenant, other)
    assert (await tallied(services, tenant)).sums
    found = await tallied(services, other)
    assert (found.sums, found.first, found.changes, found.state.revision) == ({}, [], [], 0)
