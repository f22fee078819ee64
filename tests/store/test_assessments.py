"""Stored assessments in a real Postgres: the newest stays, and who is due is claimed once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.course import assessment_at
from app.core.facts import gather
from app.core.money import Money
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import portfolio_of
from app.core.shares import share_of
from app.core.snapshot import Snapshot
from app.core.tally import tally_of
from app.core.verdict import Verdict
from app.ports.assessments import Made, Order, Wanted, Window
from app.ports.portfolios import ClientShare, DayOf
from app.store.assessments import PostgresAssessments
from app.store.change_notices import PostgresChangeNotices
from app.store.engine import make_engine, transaction
from app.store.ledger import PostgresLedger
from app.store.portfolios import PostgresPortfolios
from app.store.reads import Reads
from app.use_cases.portfolios import put_together
from app.wire.assessments import PackedAssessments, PackedPortfolios
from tests.ledgers import ledger_over
from tests.store.test_ledger import event

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LATER = datetime(2199, 1, 1, tzinfo=UTC)
OF = DayOf(NOW.date(), "default-1")


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    found = make_engine(fresh_database_url, 10)
    yield found
    await found.dispose()


@pytest.fixture
async def reads(fresh_database_url: str) -> AsyncIterator[Reads]:
    found = Reads(fresh_database_url, 4)
    yield found
    await found.close()


@pytest.fixture
async def assessments(engine: AsyncEngine, reads: Reads, fresh_database_url: str) -> AsyncIterator[PostgresAssessments]:
    notices = PostgresChangeNotices(fresh_database_url)
    yield PostgresAssessments(engine, reads, PackedAssessments(), notices.tell)
    await notices.close()


@pytest.fixture
def portfolios(engine: AsyncEngine, reads: Reads) -> PostgresPortfolios:
    return PostgresPortfolios(engine, reads, PackedPortfolios())


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[PostgresLedger]:
    async with ledger_over(engine) as found:
        yield found


@pytest.fixture
def tenant() -> str:
    return str(uuid.uuid4())


def made(
    client: str = "acme", revision: int = 1, score: float = 50.0, verdict: Verdict = Verdict.KEEP, as_of: datetime = NOW
) -> Made:
    found = assessment_at([], DEFAULT_POLICY, portfolio_of({}, DEFAULT_POLICY), as_of)
    one = replace(found, score=score, verdict=verdict)
    tally = tally_of(Snapshot(one, 1.5, {}, Money(Decimal("0.00"), "USD")))
    return Made(client, revision, 0, LATER, 1.5, one, tally)


async def due(assessments: PostgresAssessments, tenant: str) -> list[str]:
    return sorted(await assessments.due(tenant, 1000))


async def test_a_client_is_due_until_an_assessment_counts_all_its_events(
    ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str
):
    await ledger.append(tenant, [event(1)])
    assert await due(assessments, tenant) == ["acme"]
    await ledger.append(tenant, [event(2)])
    await assessments.keep(tenant, [made(revision=1)])
    assert await due(assessments, tenant) == ["acme"], "one event came meanwhile"
    await assessments.keep(tenant, [made(revision=2)])
    assert await due(assessments, tenant) == []
    await ledger.append(tenant, [event(2)])
    assert await due(assessments, tenant) == [], "a repetition is nothing new"
    await ledger.append(tenant, [event(3)])
    assert await due(assessments, tenant) == ["acme"]


async def test_an_older_assessment_never_takes_the_place_of_a_newer_one(
    ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str
):
    await ledger.append(tenant, [event(1), event(2)])
    await assessments.keep(tenant, [made(revision=2, score=70.0)])
    for older in (made(revision=1, score=1.0), made(revision=2, score=2.0, as_of=NOW - timedelta(seconds=1))):
        assert await assessments.keep(tenant, [older]) == []
        ((found,), _) = await assessments.window(tenant, Wanted(), Window(10))
        assert (found.made.revision, found.place) == (2, (70.0, "acme"))
        assert await due(assessments, tenant) == [], "the newer one still holds"


async def test_an_assessment_against_another_portfolio_is_due(
    ledger: PostgresLedger, assessments: PostgresAssessments, portfolios: PostgresPortfolios, tenant: str
):
    await ledger.append(tenant, [event(1)])
    state = await portfolios.state(tenant, 10)
    number = await portfolios.put(tenant, state, put_together(OF, {}, DEFAULT_POLICY), 60)
    assert number == 1
    await assessments.keep(tenant, [made()])
    assert await due(assessments, tenant) == ["acme"]
    await assessments.keep(tenant, [replace(made(), portfolio=1)])
    assert await due(assessments, tenant) == []


async def test_who_is_being_assessed_while_another_portfolio_comes_is_due_again(
    engine: AsyncEngine, ledger: PostgresLedger, portfolios: PostgresPortfolios, tenant: str
):
    """What was due when others began to look for who is not, and is due no more when they are done."""
    await ledger.append(tenant, [event(1)])
    async with transaction(engine, tenant) as connection:
        # What `keep` does with the number of the portfolio that it has seen.
        await connection.execute(text("SELECT FROM client FOR NO KEY UPDATE"))
        spreading = asyncio.create_task(portfolios.spread(tenant, 7, None, 10))
        await asyncio.sleep(0.2)
        await connection.execute(text("UPDATE client SET due_at = '2199-01-01'"))
    await spreading
    async with transaction(engine, tenant) as connection:
        statement = text("SELECT due_at <= now() FROM client WHERE tenant_id = :tenant")
        assert (await connection.execute(statement, {"tenant": tenant})).scalar_one()


async def test_a_portfolio_is_due_until_all_clients_that_it_concerns_are(
    ledger: PostgresLedger, portfolios: PostgresPortfolios, tenant: str
):
    await ledger.append(tenant, [event(1)])
    state = await portfolios.state(tenant, 10)
    together = put_together(OF, {}, DEFAULT_POLICY)
    number = await portfolios.put(tenant, state, together, 1)
    assert number == 1
    assert await portfolios.claim(60) is None
    await asyncio.sleep(1.05)
    assert await portfolios.claim(0) == tenant, "who stored it may have died"
    await portfolios.settle(tenant, state, number, LATER)
    assert await portfolios.claim(0) is None
    # What changed after the state was read is missing in it.
    await portfolios.hasten(tenant)
    assert await portfolios.put(tenant, await portfolios.state(tenant, 10), together, 0) == 1, "it is the same"
    await portfolios.settle(tenant, state, number, LATER)
    assert await portfolios.claim(0) == tenant


async def test_who_is_gone_is_passed_over(
    engine: AsyncEngine,
    ledger: PostgresLedger,
    assessments: PostgresAssessments,
    portfolios: PostgresPortfolios,
    tenant: str,
):
    await ledger.append(tenant, [event(1), event(2, "other")])
    async with transaction(engine, tenant) as connection:
        await connection.execute(text("DELETE FROM client WHERE client_id = 'acme'"))
    changes = await assessments.keep(tenant, [made("acme"), made("other"), made("never")])
    assert [one.client_id for one in changes] == ["other"]
    share = share_of(gather([], DEFAULT_POLICY, NOW), DEFAULT_POLICY)
    await portfolios.keep(tenant, OF, [ClientShare(name, 1, share) for name in ("acme", "other")], changed=True)
    assert list(await portfolios.shares(tenant, OF)) == ["other"]
    assert await assessments.count(tenant, Wanted()) == 1


async def test_changes_of_verdicts_are_told_once(ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str):
    await ledger.append(tenant, [event(1)])
    (first,) = await assessments.keep(tenant, [made(verdict=Verdict.KEEP)])
    assert (first.before, first.after) == (None, Verdict.KEEP)
    assert await assessments.keep(tenant, [made(verdict=Verdict.KEEP)]) == []
    (second,) = await assessments.keep(tenant, [made(verdict=Verdict.PART, as_of=NOW + timedelta(seconds=1))])
    assert (second.before, second.after, second.client_id) == (Verdict.KEEP, Verdict.PART, "acme")


async def test_many_claim_each_client_once(ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str):
    other = str(uuid.uuid4())
    for whose in (tenant, other):
        await ledger.append(whose, [event(n, f"c-{n}") for n in range(60)])
    found = await asyncio.gather(*(assessments.claim(15, 1000, newest=n % 2 == 0) for n in range(10)))
    claimed = [one for part in found for one in part]
    assert len(claimed) == len(set(claimed)), "nobody twice"
    while part := await assessments.claim(50, 1000):
        claimed += part
    assert sorted(claimed) == sorted((whose, f"c-{n}") for whose in (tenant, other) for n in range(60))
    assert await due(assessments, tenant) == []
    await ledger.append(tenant, [event("new", "c-7")])
    assert await assessments.claim(50, 1000) == [(tenant, "c-7")], "what comes meanwhile makes it due at once"


async def test_a_claim_ends_by_itself(ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str):
    await ledger.append(tenant, [event(1)])
    assert await assessments.claim(1, 1) == [(tenant, "acme")]
    assert await assessments.claim(1, 1) == []
    await asyncio.sleep(1.05)
    assert await assessments.claim(1, 1) == [(tenant, "acme")]


async def test_those_who_became_due_last_can_be_claimed_first(
    ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str
):
    for number in range(3):
        await ledger.append(tenant, [event(number, f"c-{number}")])
    assert await assessments.claim(1, 1000, newest=True) == [(tenant, "c-2")]
    assert await assessments.claim(1, 1000) == [(tenant, "c-0")]


async def test_due_at_stays_while_more_events_come(
    engine: AsyncEngine, ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str
):
    """So that a burst of events touches no index of the client's row."""

    async def due_at() -> datetime:
        async with transaction(engine, tenant) as connection:
            found: datetime = (await connection.execute(text("SELECT due_at FROM client"))).scalar_one()
            return found

    await ledger.append(tenant, [event(1)])
    first = await due_at()
    await ledger.append(tenant, [event(2)])
    assert await due_at() == first
    await assessments.keep(tenant, [made(revision=2)])
    assert await due_at() == LATER
    await ledger.append(tenant, [event(3)])
    assert first < await due_at() < LATER


async def test_filters_and_orders(ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str):
    names = ["a", "B", "ä", "b"]
    await ledger.append(tenant, [event(n, name, kind="client.created", name=name * 2) for n, name in enumerate(names)])
    scores = {"a": 10.0, "B": 30.0, "ä": 30.0, "b": 20.0}
    verdicts = {"a": Verdict.KEEP, "B": Verdict.PART, "ä": Verdict.PART, "b": Verdict.WATCH}
    await assessments.keep(
        tenant,
        [replace(made(name, 1, scores[name], verdicts[name]), change=-scores[name]) for name in names],
    )

    async def listed(**wanted: object) -> list[str]:
        found, more = await assessments.window(tenant, Wanted(**wanted), Window(10))  # type: ignore[arg-type]
        assert not more
        assert await assessments.count(tenant, Wanted(**wanted)) == len(found)  # type: ignore[arg-type]
        return [one.record.client_id for one in found]

    assert await listed() == ["B", "ä", "b", "a"]
    assert await listed(reverse=True) == ["a", "b", "ä", "B"]
    assert await listed(order=Order.CHANGE) == ["a", "b", "B", "ä"]
    assert await listed(order=Order.NAME) == ["B", "a", "b", "ä"]
    assert await listed(verdicts=frozenset({Verdict.PART})) == ["B", "ä"]
    assert await listed(verdicts=frozenset({Verdict.KEEP, Verdict.WATCH})) == ["b", "a"]
    assert await listed(text="BB") == ["B", "b"]
    assert await listed(text="%") == []
    assert await listed(client_types=frozenset({"unknown"})) == ["B", "ä", "b", "a"]
    assert await listed(client_types=frozenset({"slow_payer"})) == []
    assert await listed(signs=frozenset({"late"})) == []


async def test_what_another_version_stored_is_there_but_not_read(
    engine: AsyncEngine, ledger: PostgresLedger, assessments: PostgresAssessments, tenant: str
):
    await ledger.append(tenant, [event(1)])
    await assessments.keep(tenant, [made()])
    async with transaction(engine, tenant) as connection:
        await connection.execute(text("UPDATE assessment SET content = '\\x9202c0'"))
    ((found,), _) = await assessments.window(tenant, Wanted(), Window(10))
    assert (found.made, found.place) == (None, (50.0, "acme"))


async def test_a_page_of_a_long_list_begins_at_its_place(
    reads: Reads, engine: AsyncEngine, assessments: PostgresAssessments, tenant: str
):
    """Even where most clients have the same score, a page is one range of an index."""
    async with transaction(engine, tenant) as connection:
        await connection.execute(
            text(
                """
                INSERT INTO client (tenant_id, client_id, created_at, revision)
                SELECT :tenant, 'c-' || lpad(n::text, 6, '0'), now(), 1 FROM generate_series(1, 5000) AS n
                """.replace("n::text", "CAST(n AS text)")
            ),
            {"tenant": tenant},
        )
    names = [f"c-{n:06}" for n in range(1, 5001)]
    await assessments.keep(tenant, [made(name, 1, 9.0) for name in names])
    asked: list[tuple[str, tuple[object, ...]]] = []
    rows = reads.rows

    async def noted(tenant_id: str, statement: str, *values: object) -> list[object]:
        asked.append((statement, values))
        return await rows(tenant_id, statement, *values)

    assessments._reads = reads
    reads.rows = noted  # type: ignore[method-assign]
    found, more = await assessments.window(tenant, Wanted(), Window(5, after=(9.0, "c-004000")))
    assert ([one.record.client_id for one in found], more) == (names[4000:4005], True)
    ((statement, values),) = asked
    async with transaction(engine, tenant) as connection:
        # Whatever is known of the tables' sizes: it can be done so.
        for other in ("seqscan", "bitmapscan", "sort", "material", "memoize", "hashjoin", "mergejoin"):
            await connection.execute(text(f"SET LOCAL enable_{other} = off"))
        driver = (await connection.get_raw_connection()).driver_connection
        lines = await driver.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}", tenant, *values)
    plan = "\n".join(line[0] for line in lines)
    assert "assessment_by_score" in plan
    assert "ROW(by_score" in plan, plan
    assert "Rows Removed" not in plan, plan
    assert "Sort" not in plan, plan
