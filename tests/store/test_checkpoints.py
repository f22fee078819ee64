"""Checkpoints in a real Postgres: whatever is told when, an answer from parts is that of the whole history."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.cost import window_begins
from app.core.events import Event
from app.core.events.agreement import AgreementAmended
from app.core.events.invoice import InvoicePaid, PaymentChargedBack
from app.core.events.relationship import EventVoided
from app.core.explanation import explain
from app.core.facts import Base, Facts, gather
from app.core.history import History, Reader, Segment
from app.core.policy import DEFAULT_POLICY as POLICY
from app.core.trend import LOOKS_BACK
from app.ports.checkpoints import Span
from app.ports.ledger import NewEvent, Outcome
from app.store.checkpoints import PostgresCheckpoints
from app.store.engine import make_engine, transaction
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.use_cases.histories import Histories
from app.use_cases.memories import Memories
from app.use_cases.recall import Recall
from app.wire.states import MessagePackStates
from benchmarks.relationship import NOW, relationship
from tests.core.telling import alone
from tests.ledgers import DECODER, ledger_over

ENCODE = msgspec.json.Encoder(order="deterministic").encode


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    found = make_engine(database_url, 10)
    yield found
    await found.dispose()


@pytest.fixture(scope="session")
async def reads(database_url: str) -> AsyncIterator[Reads]:
    found = Reads(database_url, 4)
    yield found
    await found.close()


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[PostgresLedger]:
    async with ledger_over(engine) as found:
        yield found


@pytest.fixture
def checkpoints(engine: AsyncEngine, reads: Reads) -> PostgresCheckpoints:
    return PostgresCheckpoints(engine, reads, DECODER.load, MessagePackStates())


@pytest.fixture
def recall(checkpoints: PostgresCheckpoints, ledger: PostgresLedger) -> Recall:
    return Recall(checkpoints, ledger, Histories(ledger, 10_000), Memories(100))


@pytest.fixture
def tenant() -> str:
    return str(uuid.uuid4())


def new(event: Event) -> NewEvent:
    data = ENCODE(event.data)
    digest = sha256(data).digest()
    return NewEvent(event.source, event.id, event.type, event.client_id, event.time, data.decode(), digest)


async def tell(ledger: PostgresLedger, tenant: str, events: Sequence[Event]) -> None:
    for start in range(0, len(events), 500):
        outcomes = await ledger.append(tenant, [new(event) for event in events[start : start + 500]])
        assert set(outcomes) == {Outcome.ACCEPTED}


async def explained(recall: Recall, ledger: PostgresLedger, tenant: str, as_of: datetime = NOW):
    instants = [window_begins(POLICY, as_of), *(as_of - timedelta(days=days) for days in LOOKS_BACK), as_of]
    revisions = await ledger.revisions(tenant)
    return await recall.ask(
        tenant, POLICY, revisions, instants, lambda found: explain("acme", found["acme"], POLICY, alone(), as_of)
    )


async def kept(engine: AsyncEngine, tenant: str) -> int:
    async with transaction(engine, tenant) as connection:
        statement = text("SELECT count(*) FROM checkpoint WHERE tenant_id = :tenant")
        return int((await connection.execute(statement, {"tenant": tenant})).scalar_one())


async def test_an_answer_from_parts_is_that_of_the_whole(
    engine: AsyncEngine, ledger: PostgresLedger, recall: Recall, tenant: str
):
    history = relationship(3_000)
    await tell(ledger, tenant, history)
    assert await explained(recall, ledger, tenant) == explain("acme", history, POLICY, alone(), NOW)
    assert await kept(engine, tenant) >= 3_000 // 128
    revisions = await ledger.revisions(tenant)
    for back in (0, 3, 40, 200, 650):
        as_of = NOW - timedelta(days=back, hours=back)
        found = await recall.ask(tenant, POLICY, revisions, [as_of], partial(facts_at, as_of))
        assert found == gather(history, POLICY, as_of)


def facts_at(as_of: datetime, found: Mapping[str, History]) -> Facts:
    return Reader(found["acme"], POLICY).facts(as_of)


async def test_parts_are_short(ledger: PostgresLedger, recall: Recall, checkpoints: PostgresCheckpoints, tenant: str):
    await tell(ledger, tenant, relationship(5_000))
    await recall.catch_up(tenant, POLICY, "acme")
    instants = [NOW - timedelta(days=days) for days in range(600, -1, -60)]
    found = await checkpoints.histories(tenant, POLICY.version, {"acme": [Span(at, at) for at in instants]}, None)
    assert found["acme"].longest <= 128


async def test_it_is_told_in_any_order_while_it_is_read(
    engine: AsyncEngine, ledger: PostgresLedger, recall: Recall, tenant: str
):
    """Writers in any order, and readers that make checkpoints all the while."""
    history = relationship(2_500)
    rng = random.Random(7)
    shuffled = rng.sample(history, len(history))
    batches = [shuffled[start : start + 100] for start in range(0, len(shuffled), 100)]

    async def write(own: list[list[Event]]) -> None:
        for batch in own:
            await tell(ledger, tenant, batch)

    written = asyncio.Event()

    async def read() -> int:
        made = 0
        while not written.is_set():
            made += await recall.catch_up(tenant, POLICY, "acme")
            await asyncio.sleep(0.01)
        return made

    await tell(ledger, tenant, batches[0])
    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.gather(write(batches[1::2]), write(batches[2::2]))
    written.set()
    assert sum(await asyncio.gather(*readers)) > 2, "nothing was put down while it was told"
    await recall.catch_up(tenant, POLICY, "acme")
    assert await explained(recall, ledger, tenant) == explain("acme", history, POLICY, alone(), NOW)
    assert await kept(engine, tenant) > 0


@pytest.mark.parametrize("days", [3, 300])
async def test_what_takes_back_what_was_put_down(ledger: PostgresLedger, recall: Recall, tenant: str, days: int):
    history = relationship(2_000)
    await tell(ledger, tenant, history)
    await explained(recall, ledger, tenant)
    told = [event for event in history if event.time < NOW - timedelta(days=days)]
    target = next(event for event in reversed(told) if event.type == "call.received")
    at = NOW - timedelta(hours=2)
    more = [
        Event("bench", "void", "event.voided", "acme", at, EventVoided(source=target.source, id=target.id), at),
        Event(
            "bench",
            "terms",
            "agreement.amended",
            "acme",
            at,
            AgreementAmended(hours=Decimal(20), period="month", starts=(NOW - timedelta(days=days)).date()),
            at,
        ),
    ]
    for one in more:
        await tell(ledger, tenant, [one])
        history = [*history, one]
        assert await explained(recall, ledger, tenant) == explain("acme", history, POLICY, alone(), NOW)


async def test_an_invoice_that_was_put_away_is_found_again(ledger: PostgresLedger, recall: Recall, tenant: str):
    history = relationship(2_000)
    await tell(ledger, tenant, history)
    await explained(recall, ledger, tenant)
    invoice = next(event.data.invoice for event in history if isinstance(event.data, InvoicePaid))
    at = NOW - timedelta(days=1)
    back = Event("bench", "back", "payment.charged_back", "acme", at, PaymentChargedBack(invoice=invoice), at)
    await tell(ledger, tenant, [back])
    assert await explained(recall, ledger, tenant) == explain("acme", [*history, back], POLICY, alone(), NOW)


@pytest.mark.parametrize("where", ["nowhere", "ahead", "elsewhere"])
async def test_what_takes_back_nothing_that_was_put_down(
    ledger: PostgresLedger, recall: Recall, tenant: str, where: str
):
    """Events that were never told, that are still to come, or of another client."""
    history = relationship(1_200)
    await tell(ledger, tenant, history)
    await explained(recall, ledger, tenant)
    at = NOW - timedelta(hours=2)
    void = Event("bench", "void", "event.voided", "acme", at, EventVoided(source="bench", id="other"), at)
    call = next(event.data for event in history if event.type == "call.received")
    ahead = Event("bench", "other", "call.received", "acme", NOW + timedelta(days=20), call, at)
    theirs = Event("bench", "other", "call.received", "another", NOW - timedelta(days=300), call, at)
    more = {"nowhere": [void], "ahead": [void, ahead], "elsewhere": [void]}[where]
    await tell(ledger, tenant, [*more, theirs] if where == "elsewhere" else more)
    history = [*history, *more]
    revisions = await ledger.revisions(tenant, ["acme"])
    asking = recall.ask(tenant, POLICY, revisions, [NOW], partial(facts_at, NOW))
    assert await asyncio.wait_for(asking, 30) == gather(history, POLICY, NOW)
    assert await asyncio.wait_for(recall.catch_up(tenant, POLICY, "acme"), 30) == 0
    later = NOW + timedelta(days=30)
    asking = recall.ask(tenant, POLICY, revisions, [later], partial(facts_at, later))
    assert await asyncio.wait_for(asking, 30) == gather(history, POLICY, later)


async def test_an_answer_that_no_part_can_give_is_given_from_the_whole(
    ledger: PostgresLedger, recall: Recall, tenant: str
):
    """Checkpoints that are wrong, for whatever reason, do not keep anybody waiting for ever."""
    history = relationship(1_200)
    await tell(ledger, tenant, history)
    target = history[0]
    void = Event("bench", "void", "event.voided", "acme", NOW, EventVoided(source=target.source, id=target.id), NOW)

    def work(found: Mapping[str, History]) -> Facts:
        part = found["acme"].segments[-1]
        return Reader([*part.events, void], POLICY).facts(NOW) if part.base is None else reached(part.base)

    def reached(base: Base) -> Facts:
        return Reader(History((Segment(base, [void]),)), POLICY).facts(NOW)

    revisions = await ledger.revisions(tenant)
    await recall.catch_up(tenant, POLICY, "acme")
    found = await asyncio.wait_for(recall.ask(tenant, POLICY, revisions, [NOW], work), 60)
    assert found == gather([*history, void], POLICY, NOW)


async def test_checkpoints_of_a_policy_that_was_active_before_are_dropped(
    engine: AsyncEngine, ledger: PostgresLedger, recall: Recall, tenant: str
):
    history = relationship(1_500)
    await tell(ledger, tenant, history)
    revisions = await ledger.revisions(tenant)
    other = replace(POLICY, version="other", half_life_days=90.0)
    assert await recall.catch_up(tenant, other, "acme")
    await recall.shorten(tenant, POLICY, revisions)
    async with transaction(engine, tenant) as connection:
        versions = text("SELECT DISTINCT policy_version FROM checkpoint WHERE tenant_id = :tenant")
        (version,) = (await connection.execute(versions, {"tenant": tenant})).scalars()
    assert version.endswith(f"/{POLICY.version}")
    assert await explained(recall, ledger, tenant) == explain("acme", history, POLICY, alone(), NOW)
