"""Erasures in a real Postgres: nothing is left, nothing comes back, whoever writes or dies meanwhile."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.composition import SystemClock
from app.core.events import EventRef
from app.ports.erasures import Step
from app.ports.ledger import EventFilter, NewEvent, Outcome
from app.store.clients import PostgresClients
from app.store.engine import make_engine, transaction
from app.store.erasures import AT_ONCE, EMPTIED, PostgresErasures, digest_of
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.store.tables import checkpoint
from app.use_cases.erase_clients import EraseClients
from tests.ledgers import ledger_over
from tests.postgres import Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    found = make_engine(database_url, 10)
    yield found
    await found.dispose()


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[PostgresLedger]:
    async with ledger_over(engine) as found:
        yield found


@pytest.fixture
def erasures(engine: AsyncEngine) -> PostgresErasures:
    return PostgresErasures(engine, rows=10)


@pytest.fixture
def tenant() -> str:
    return str(uuid.uuid4())


def event(number: object, client: str = "acme", kind: str = "call.received", **data: object) -> NewEvent:
    body = json.dumps(data)
    digest = hashlib.sha256(f"{kind}{client}{body}".encode()).digest()
    return NewEvent("s", str(number), kind, client, NOW, body, digest)


async def remembered(engine: AsyncEngine, tenant: str, marker: str) -> list[str]:
    """Tables in which any row that the tenant has says something: as text, or as the hexadecimal digits of bytes."""
    found = []
    digits = marker.encode().hex()
    async with transaction(engine, tenant) as connection:
        tables = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for (name,) in tables.all():
            says = f"SELECT count(*) FROM {name} AS r WHERE r::text LIKE :text OR r::text LIKE :hex"
            values = {"text": f"%{marker}%", "hex": f"%{digits}%"}
            if (await connection.execute(text(says), values)).scalar():
                found.append(name)
    return sorted(found)


async def test_every_table_that_knows_clients_is_emptied(engine: AsyncEngine):
    """The catalogue is asked, so that a table that is added later is not forgotten."""
    known = text("SELECT table_name FROM information_schema.columns WHERE column_name = :n AND table_schema = 'public'")
    async with transaction(engine, None) as connection:
        found = {row[0] for row in await connection.execute(known, {"n": "client_id"})}
    assert found == {table.name for table in (*AT_ONCE, *EMPTIED)} | {"erasure"}
    for table in AT_ONCE:
        assert table.primary_key.columns.keys() == ["tenant_id", "client_id"], "one row at most"
    assert not set(AT_ONCE) & set(EMPTIED)


async def test_nothing_is_left_in_any_table(
    engine: AsyncEngine, ledger: PostgresLedger, erasures: PostgresErasures, tenant: str
):
    marker = f"marker-{uuid.uuid4()}"
    told = [event(n, marker, note=marker) for n in range(25)]
    created = event("c", marker, "client.created", name=f"Name {marker}", country="DE")
    assert await ledger.append(tenant, [*told, created]) == [Outcome.ACCEPTED] * 26
    async with transaction(engine, tenant) as connection:
        row = {"tenant_id": tenant, "client_id": marker, "policy_version": "v", "time": NOW, "source": "s"}
        rows = [{**row, "id": str(number), "state": marker.encode()} for number in range(25)]
        await connection.execute(insert(checkpoint).values(rows))
    assert await remembered(engine, tenant, marker) == ["checkpoint", "client", "event"]

    begun = await erasures.begin(tenant, marker, NOW)
    assert begun is not None
    assert (begun.digest, begun.erased_at, begun.finished_at) == (digest_of(marker), NOW, None)
    steps = [await erasures.step(tenant, begun.digest, NOW + timedelta(seconds=n)) for n in range(7)]
    assert steps == [Step.MORE] * 5 + [Step.DONE] * 2, "51 rows, ten at a time"
    assert await remembered(engine, tenant, marker) == []
    kept = await erasures.get(tenant, begun.digest)
    assert kept is not None
    assert (kept.erased_at, kept.finished_at) == (NOW, NOW + timedelta(seconds=5))


async def test_nobody_sees_the_client_while_rows_are_left(
    database_url: str, ledger: PostgresLedger, erasures: PostgresErasures, tenant: str
):
    await ledger.append(tenant, [event(1), event(2, "other")])
    await erasures.begin(tenant, "acme", NOW)
    reads = Reads(database_url, 1)
    assert await PostgresClients(reads).get(tenant, "acme") is None
    await reads.close()
    assert await ledger.revisions(tenant) == {"other": 1}
    assert [one.id for one in await ledger.page(tenant, EventFilter(), None, 10)] == ["2"]
    assert await ledger.page(tenant, EventFilter(client_id="acme"), None, 10) == []
    assert await ledger.named(tenant, "1", None) == []
    assert set(await ledger.several(tenant, [EventRef("s", "1"), EventRef("s", "2")])) == {EventRef("s", "2")}
    assert await ledger.histories(tenant, ["acme"]) == {"acme": []}


async def test_late_events_are_refused_and_others_are_not(
    ledger: PostgresLedger, erasures: PostgresErasures, tenant: str
):
    await ledger.append(tenant, [event(1), event(2, "other")])
    await erasures.begin(tenant, "acme", NOW)
    for _ in range(2):  # while rows are left, and when none are
        sent = [event(1), event("late"), event(2, "other"), event(f"new-{uuid.uuid4()}", "other")]
        assert await ledger.append(tenant, sent) == [
            Outcome.INVALID,
            Outcome.INVALID,
            Outcome.DUPLICATE,
            Outcome.ACCEPTED,
        ]
        assert await ledger.append(tenant, [event("x", "other"), event("y")], atomic=True) == [
            Outcome.ABORTED,
            Outcome.INVALID,
        ]
        assert await erasures.step(tenant, digest_of("acme"), NOW) is Step.DONE
    assert await ledger.revisions(tenant) == {"other": 3}
    other = str(uuid.uuid4())
    assert await ledger.append(other, [event(1)]) == [Outcome.ACCEPTED], "another tenant's client of that id"


async def test_a_digest_is_what_postgres_and_a_shell_count(engine: AsyncEngine):
    """So docs/privacy.md says."""
    async with transaction(engine, None) as connection:
        counted = text("SELECT sha256(convert_to(:name, 'UTF8'))")
        for name in ("acme", "Ärger & Söhne", "👩‍💻"):
            assert bytes((await connection.execute(counted, {"name": name})).scalar_one()) == digest_of(name)
    assert digest_of("acme").hex() == "822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757"


async def test_a_tombstone_that_was_lifted_lets_the_client_begin_anew(
    postgres: Server, database_url: str, ledger: PostgresLedger, erasures: PostgresErasures, tenant: str
):
    await ledger.append(tenant, [event(1)])
    await EraseClients(erasures, SystemClock())(tenant, "acme")
    owner = create_async_engine(postgres.owner_of(database_url), poolclass=NullPool)
    async with owner.begin() as connection:
        await connection.execute(text(f"SET LOCAL app.tenant_id = '{tenant}'"))
        lift = "DELETE FROM erasure WHERE finished_at IS NOT NULL AND digest = sha256(convert_to('acme', 'UTF8'))"
        await connection.execute(text(lift + " AND tenant_id = :tenant"), {"tenant": tenant})
    await owner.dispose()
    assert await ledger.append(tenant, [event(1)]) == [Outcome.ACCEPTED]
    assert await ledger.revisions(tenant) == {"acme": 1}
    again = await EraseClients(erasures, SystemClock())(tenant, "acme")
    assert again.finished_at is not None


async def test_an_unknown_client_leaves_no_tombstone(ledger: PostgresLedger, erasures: PostgresErasures, tenant: str):
    assert await erasures.begin(tenant, "acme", NOW) is None
    assert await erasures.step(tenant, digest_of("acme"), NOW) is Step.DONE
    assert await ledger.append(tenant, [event(1)]) == [Outcome.ACCEPTED]


async def test_erasing_again_keeps_the_first_tombstone(ledger: PostgresLedger, erasures: PostgresErasures, tenant: str):
    await ledger.append(tenant, [event(1)])
    first = await erasures.begin(tenant, "acme", NOW)
    assert await erasures.begin(tenant, "acme", NOW + timedelta(days=1)) == first
    await erasures.step(tenant, digest_of("acme"), NOW)
    last = await erasures.begin(tenant, "acme", NOW + timedelta(days=2))
    assert last is not None
    assert (last.erased_at, last.finished_at) == (NOW, NOW)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_append_leaves_anything_behind_an_erasure(
    engine: AsyncEngine, ledger: PostgresLedger, erasures: PostgresErasures, tenant: str
):
    """Many writers of one client, of whom some make it anew, against its erasure: again and again, as they fall."""
    rounds, refused, taken = 60, 0, 0
    erase = EraseClients(erasures, SystemClock())
    for number in range(rounds):
        name = f"client-{number}"
        assert await ledger.append(tenant, [event(f"{name}-first", name)]) == [Outcome.ACCEPTED]

        async def write(writer: int, name: str = name) -> list[Outcome]:
            await asyncio.sleep(writer % 4 * 0.001)
            return await ledger.append(tenant, [event(f"{name}-{writer}", name), event(f"{name}-b{writer}", "beside")])

        async def remove(name: str = name) -> None:
            await asyncio.sleep(number % 5 * 0.001)  # noqa: B023 - within its round
            await erase(tenant, name)

        *answers, _ = await asyncio.gather(*(write(writer) for writer in range(8)), remove())
        assert all(beside is Outcome.ACCEPTED for _, beside in answers)  # type: ignore[misc]
        outcomes = [first for first, _ in answers]  # type: ignore[misc]
        assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.INVALID}
        refused += outcomes.count(Outcome.INVALID)
        taken += outcomes.count(Outcome.ACCEPTED)
        assert await ledger.append(tenant, [event(f"{name}-late", name)]) == [Outcome.INVALID]
    assert await ledger.revisions(tenant) == {"beside": rounds * 8}
    async with transaction(engine, tenant) as connection:
        left = text("SELECT count(*) FROM event WHERE tenant_id = :tenant AND client_id <> 'beside'")
        assert (await connection.execute(left, {"tenant": tenant})).scalar() == 0
    assert refused > rounds, "many came late"
    assert taken > rounds, "and many did not"


async def test_an_append_that_waited_for_the_erasure_finds_the_tombstone(
    engine: AsyncEngine, ledger: PostgresLedger, tenant: str
):
    """The order that is hardest: it began before, and goes on only when the client is gone."""
    await ledger.append(tenant, [event(1)])
    async with transaction(engine, tenant) as connection:
        gone = text("DELETE FROM client WHERE tenant_id = :tenant")
        await connection.execute(gone, {"tenant": tenant})
        waiting = asyncio.create_task(ledger.append(tenant, [event(2)]))
        await asyncio.sleep(0.2)
        assert not waiting.done(), "it waits for the client's row"
        stone = text("INSERT INTO erasure (tenant_id, digest, erased_at, client_id) VALUES (:t, :d, now(), 'acme')")
        await connection.execute(stone, {"t": tenant, "d": digest_of("acme")})
    assert await waiting == [Outcome.INVALID]
    assert await ledger.revisions(tenant) == {}


async def test_an_erasure_waits_for_an_append_that_came_before(
    engine: AsyncEngine, ledger: PostgresLedger, erasures: PostgresErasures, tenant: str
):
    await ledger.append(tenant, [event(1)])
    async with transaction(engine, tenant) as connection:
        add = "INSERT INTO event SELECT tenant_id, source, '2', type, client_id, time, now(), digest, data FROM event"
        await connection.execute(text(add + " WHERE tenant_id = :tenant"), {"tenant": tenant})
        touch = text("UPDATE client SET revision = 2 WHERE tenant_id = :tenant")
        await connection.execute(touch, {"tenant": tenant})
        erasing = asyncio.create_task(EraseClients(erasures, SystemClock())(tenant, "acme"))
        await asyncio.sleep(0.2)
        assert not erasing.done()
    assert (await erasing).finished_at is not None
    async with transaction(engine, tenant) as connection:
        count = text("SELECT count(*) FROM event WHERE tenant_id = :tenant")
        assert (await connection.execute(count, {"tenant": tenant})).scalar() == 0


async def test_many_may_finish_at_once(fresh_database_url: str, tenant: str):
    """Each erasure by one at a time, and none twice; what another is at is left alone."""
    engine = make_engine(fresh_database_url, 10)
    erasures = PostgresErasures(engine, rows=7)
    async with ledger_over(engine) as ledger:
        for number in range(6):
            await ledger.append(tenant, [event(f"{number}-{n}", f"client-{number}") for n in range(40)])
            await erasures.begin(tenant, f"client-{number}", NOW + timedelta(minutes=number))
    found = await erasures.unfinished(4)
    assert found == [(tenant, digest_of(f"client-{number}")) for number in range(4)], "the oldest first"

    async with transaction(engine, tenant) as connection:
        held = text("SELECT 1 FROM erasure WHERE tenant_id = :tenant AND client_id = 'client-0' FOR UPDATE")
        await connection.execute(held, {"tenant": tenant})
        assert await erasures.step(tenant, digest_of("client-0"), NOW) is Step.TAKEN
        erase = EraseClients(erasures, SystemClock())
        assert await asyncio.gather(*(erase.finish() for _ in range(4))) == [6] * 4
        assert await erasures.unfinished(10) == [(tenant, digest_of("client-0"))]
    assert await erase.finish() == 1
    assert await erase.finish() == 0
    assert await remembered(engine, tenant, "client-0") == await remembered(engine, tenant, "client-5") == []
    await engine.dispose()


async def test_a_request_leaves_to_others_what_takes_too_long(
    ledger: PostgresLedger, erasures: PostgresErasures, tenant: str
):
    await ledger.append(tenant, [event(n) for n in range(95)])
    hasty = EraseClients(erasures, SystemClock(), at_once=0.0)
    assert (await hasty(tenant, "acme")).finished_at is None
    assert await ledger.page(tenant, EventFilter(), None, 1) == []
    patient = EraseClients(erasures, SystemClock(), at_once=60.0)
    assert (await patient(tenant, "acme")).finished_at is not None


async def test_pages_of_tombstones(ledger: PostgresLedger, erasures: PostgresErasures, tenant: str):
    names = [f"c-{number}" for number in range(5)]
    await ledger.append(tenant, [event(name, name) for name in names])
    for name in names:
        await erasures.begin(tenant, name, NOW)
    use = EraseClients(erasures, SystemClock())
    seen, place = [], None
    while True:
        page, place = await use.page(tenant, place, 2)
        seen += [one.digest for one in page]
        if place is None:
            break
    assert seen == sorted(map(digest_of, names))
    assert await erasures.page(str(uuid.uuid4()), None, 9) == []
