"""The ledger in a real Postgres: once and for ever, whoever writes at the same time."""

import asyncio
import hashlib
import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.composition import SystemClock
from app.ports.ledger import EventFilter, EventKey, NewEvent, Outcome, StoreUnavailableError
from app.store.clients import PostgresClients
from app.store.engine import make_engine, transaction
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.store.writes import Writes
from app.wire.cloudevents import EventDecoder

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
A, D, C, X = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.ABORTED


def event(
    number: object, client: str = "acme", source: str = "s", kind: str = "call.received", **data: object
) -> NewEvent:
    body = json.dumps(data)
    digest = hashlib.sha256(f"{kind}{client}{body}".encode()).digest()
    at = BEGIN + timedelta(minutes=number if isinstance(number, int) else 0)
    return NewEvent(source, str(number), kind, client, at, body, digest)


async def test_each_event_is_stored_once(ledger: PostgresLedger, tenant: str):
    assert await ledger.append(tenant, [event(1), event(2)]) == [A, A]
    assert await ledger.append(tenant, [event(2), event(3)]) == [D, A]
    found = await ledger.page(tenant, EventFilter(), None, 10)
    assert [one.id for one in found] == ["1", "2", "3"]


async def test_the_first_of_two_in_one_batch_counts(ledger: PostgresLedger, tenant: str):
    sent = [event(1), event(1), event(1, urgent=True)]
    assert await ledger.append(tenant, sent) == [A, D, C]
    (stored,) = await ledger.named(tenant, "1", None)
    assert stored.data == "{}"


async def test_other_content_is_a_conflict_and_changes_nothing(ledger: PostgresLedger, tenant: str):
    await ledger.append(tenant, [event(1)])
    before = await ledger.named(tenant, "1", None)
    assert await ledger.append(tenant, [event(1, "other"), event(2)]) == [C, A]
    assert await ledger.named(tenant, "1", None) == before
    assert "other" not in await ledger.revisions(tenant)


async def test_sources_have_ids_of_their_own(ledger: PostgresLedger, tenant: str):
    assert await ledger.append(tenant, [event(1), event(1, source="t", urgent=True)]) == [A, A]
    assert len(await ledger.named(tenant, "1", None)) == 2
    assert len(await ledger.named(tenant, "1", "t")) == 1


async def test_an_atomic_batch_is_all_or_nothing(ledger: PostgresLedger, tenant: str):
    await ledger.append(tenant, [event(1)])
    assert await ledger.append(tenant, [event(2), event(1, "other")], atomic=True) == [X, C]
    assert [one.id for one in await ledger.page(tenant, EventFilter(), None, 10)] == ["1"]
    assert await ledger.revisions(tenant) == {"acme": 1}
    assert await ledger.append(tenant, [event(2), event(1)], atomic=True) == [A, D]


async def test_tenants_see_nothing_of_each_other(ledger: PostgresLedger, tenant: str):
    other = str(uuid.uuid4())
    await ledger.append(tenant, [event(1)])
    assert await ledger.append(other, [event(1, "other", urgent=True)]) == [A]
    assert await ledger.revisions(other) == {"other": 1}
    assert (await ledger.named(other, "1", None))[0].client_id == "other"
    assert await ledger.histories(other, ["acme"]) == {"acme": []}
    assert len(await ledger.page(other, EventFilter(), None, 10)) == 1


async def test_many_writers_of_the_same_events_agree(ledger: PostgresLedger, tenant: str):
    """Overlapping batches in different orders: no deadlock, and each event is accepted exactly once."""
    events = [event(number, f"client-{number % 7}") for number in range(200)]
    batches = [events[start:] + events[:start] for start in range(0, 200, 20)]
    answers = await asyncio.gather(*(ledger.append(tenant, batch) for batch in batches))
    count = Counter(outcome for answer in answers for outcome in answer)
    assert count == {A: 200, D: 200 * 9}
    assert sum((await ledger.revisions(tenant)).values()) == 200


async def test_many_writers_with_other_content_leave_one_winner(ledger: PostgresLedger, tenant: str):
    answers = await asyncio.gather(*(ledger.append(tenant, [event(1, f"client-{n}")]) for n in range(12)))
    assert Counter(outcome for (outcome,) in answers) == {A: 1, C: 11}
    assert len(await ledger.revisions(tenant)) == 1


async def test_a_revision_is_never_seen_before_its_events(ledger: PostgresLedger, tenant: str):
    """Who reads a revision and then the events has at least so many of them."""
    done = asyncio.Event()

    async def write():
        await asyncio.gather(*(ledger.append(tenant, [event(n)]) for n in range(150)))
        done.set()

    async def watch():
        while not done.is_set():
            revision = (await ledger.revisions(tenant)).get("acme", 0)
            assert len((await ledger.histories(tenant, ["acme"]))["acme"]) >= revision

    await asyncio.gather(write(), watch())
    assert await ledger.revisions(tenant) == {"acme": 150}


async def test_a_batch_that_fails_leaves_nothing(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    bad = NewEvent("s", "2", "call.received", "acme", BEGIN, "\x00", bytes(32))
    with pytest.raises(Exception, match="0x00") as failed:
        await ledger.append(tenant, [event(1), bad])
    assert "acme" not in str(failed.value), "what is stored about people does not belong in logs"
    assert await ledger.page(tenant, EventFilter(), None, 10) == []
    assert await ledger.revisions(tenant) == {}
    async with transaction(engine, None) as connection:
        assert (await connection.execute(text("select 1"))).scalar() == 1


async def test_pages_are_complete_and_filtered(ledger: PostgresLedger, tenant: str):
    kinds = ("call.received", "message.received")
    sent = [event(n, f"c-{n % 3}", source=f"s-{n % 2}", kind=kinds[n % 2]) for n in range(25)]
    await ledger.append(tenant, sent)

    async def read(wanted: EventFilter) -> list[str]:
        names: list[str] = []
        after = None
        while page := await ledger.page(tenant, wanted, after, 4):
            names += [one.id for one in page]
            after = EventKey(page[-1].time, page[-1].source, page[-1].id)
        return names

    assert await read(EventFilter()) == [str(n) for n in range(25)]
    assert await read(EventFilter(client_id="c-1")) == [str(n) for n in range(25) if n % 3 == 1]
    assert await read(EventFilter(type="message.received", source="s-1")) == [str(n) for n in range(25) if n % 2]
    since, until = BEGIN + timedelta(minutes=5), BEGIN + timedelta(minutes=9)
    assert await read(EventFilter(since=since, until=until)) == ["5", "6", "7", "8"]
    assert await read(EventFilter(type="nothing.at_all")) == []


async def test_what_is_known_of_a_client_does_not_depend_on_the_order(reads: Reads, ledger: PostgresLedger):
    told = [
        event(1, kind="client.created", name="Old", country="DE"),
        event(2, kind="client.updated", name="New"),
        event(3, kind="client.updated", name="Wrong", currency="EUR"),
        NewEvent("s", "4", "event.voided", "acme", BEGIN, '{"source":"s","id":"3"}', bytes(32)),
    ]
    clients = PostgresClients(reads)
    for order in (told, told[::-1], [told[2], told[0], told[3], told[1]]):
        tenant = str(uuid.uuid4())
        for one in order:
            await ledger.append(tenant, [one])
        found = await clients.get(tenant, "acme")
        assert found is not None
        assert (found.name, found.country, found.currency, found.revision) == ("New", "DE", None, 4)


async def test_a_database_that_is_away_is_named_so():
    nowhere = "postgresql+asyncpg://nobody:x@127.0.0.1:1/none"
    away = make_engine(nowhere, 1)
    ledger = PostgresLedger(away, Writes(nowhere, 1, 1.0), EventDecoder(SystemClock()).load)
    with pytest.raises(StoreUnavailableError):
        await ledger.append("t", [event(1)])
    with pytest.raises(StoreUnavailableError):
        await ledger.revisions("t")
    await away.dispose()


async def test_what_is_acknowledged_is_committed_synchronously(engine: AsyncEngine):
    async with transaction(engine, None) as connection:
        assert (await connection.execute(text("show synchronous_commit"))).scalar() == "on"
