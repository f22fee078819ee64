"""What appending does besides: large batches, clients, checkpoints, tombstones, and a database that is slow or gone."""

import asyncio
import hashlib
import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.composition import SystemClock
from app.ports.ledger import EventFilter, NewEvent, Outcome, StoreBusyError, StoreUnavailableError
from app.store.engine import transaction
from app.store.ledger import PostgresLedger
from app.store.writes import Writes
from app.wire.cloudevents import EventDecoder
from tests.postgres import Server

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
A, D, C, X, I = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.ABORTED, Outcome.INVALID  # noqa: E741
MANY = 300


def event(
    number: int, client: str = "acme", kind: str = "call.received", minute: int | None = None, **data: object
) -> NewEvent:
    body = json.dumps(data)
    digest = hashlib.sha256(f"{kind}{client}{body}".encode()).digest()
    at = BEGIN + timedelta(minutes=number if minute is None else minute)
    return NewEvent("s", f"{number:05}", kind, client, at, body, digest)


def many(first: int = 0, clients: int = 7) -> list[NewEvent]:
    return [event(number, f"c-{number % clients}") for number in range(first, first + MANY)]


async def ask(engine: AsyncEngine, tenant: str, statement: str, **values: Any) -> list[Any]:
    async with transaction(engine, tenant) as connection:
        return list(await connection.execute(text(statement), {"tenant": tenant, **values}))


async def test_a_large_batch_is_stored_as_it_is(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    """All columns of all rows, whatever characters they have."""
    sent = [
        NewEvent(
            "s\\'\"\u2028",
            f"{n}-Ä😀",
            "call.received",
            f"c, {{{n % 3}}} NULL",
            BEGIN + timedelta(microseconds=n),
            '{"a": "\\u001e"}',
            hashlib.sha256(b"%d" % n).digest(),
        )
        for n in range(MANY)
    ]
    assert await ledger.append(tenant, sent) == [A] * MANY
    rows = await ask(
        engine, tenant, "SELECT source, id, type, client_id, time, data, digest FROM event WHERE tenant_id = :tenant"
    )
    assert {tuple(row) for row in rows} == {tuple(one) for one in sent}
    assert await ledger.append(tenant, sent) == [D] * MANY
    assert await ledger.revisions(tenant) == {f"c, {{{n}}} NULL": MANY // 3 for n in range(3)}


async def test_a_large_batch_that_holds_one_twice(ledger: PostgresLedger, tenant: str):
    sent = [*many(), event(0, "c-0"), event(1, "other")]
    assert await ledger.append(tenant, sent) == [A] * MANY + [D, C]
    # The tenant repeats itself at present, so that the next ones are stored in the other way; to the same end.
    assert await ledger.append(tenant, [*many(MANY), *many()]) == [A] * MANY + [D] * MANY
    assert sum((await ledger.revisions(tenant)).values()) == 2 * MANY
    assert "other" not in await ledger.revisions(tenant)


async def test_a_large_atomic_batch_with_a_conflict(ledger: PostgresLedger, tenant: str):
    await ledger.append(tenant, [event(5)])
    outcomes = await ledger.append(tenant, many(), atomic=True)
    assert outcomes == [C if n == 5 else X for n in range(MANY)]
    assert await ledger.revisions(tenant) == {"acme": 1}


async def test_overlapping_large_batches_at_once_agree(ledger: PostgresLedger, tenant: str):
    events = many() + many(MANY)
    batches = [events[start:] + events[:start] for start in range(0, len(events), 100)]
    answers = await asyncio.gather(*(ledger.append(tenant, batch) for batch in batches))
    assert Counter(outcome for answer in answers for outcome in answer) == {
        A: 2 * MANY,
        D: 2 * MANY * (len(batches) - 1),
    }
    assert sum((await ledger.revisions(tenant)).values()) == 2 * MANY


@pytest.mark.parametrize("size", [1, MANY])
async def test_what_is_not_new_touches_no_client(ledger: PostgresLedger, engine: AsyncEngine, tenant: str, size: int):
    sent = many()[:size]
    await ledger.append(tenant, sent)
    before = await ask(engine, tenant, "SELECT * FROM client WHERE tenant_id = :tenant ORDER BY client_id")
    await ask(engine, tenant, "UPDATE client SET due_at = 'infinity' WHERE tenant_id = :tenant RETURNING 1")
    assert await ledger.append(tenant, sent) == [D] * size
    after = await ask(
        engine,
        tenant,
        "SELECT *, due_at = 'infinity' AS as_set FROM client WHERE tenant_id = :tenant ORDER BY client_id",
    )
    assert [row.revision for row in after] == [row.revision for row in before]
    assert all(row.as_set for row in after)
    assert await ledger.append(tenant, [event(9999, "c-0")]) == [A]
    due = await ask(engine, tenant, "SELECT client_id FROM client WHERE tenant_id = :tenant AND due_at <= now()")
    assert [row.client_id for row in due] == ["c-0"]


async def checkpoints(engine: AsyncEngine, tenant: str, client: str, *minutes: int) -> None:
    """As the core leaves them: at some minutes, and the client knows of the last."""
    for minute in minutes:
        await ask(
            engine,
            tenant,
            "INSERT INTO checkpoint VALUES (:tenant, :client, 'p', :at, 's', 'x', '') RETURNING 1",
            client=client,
            at=BEGIN + timedelta(minutes=minute),
        )
    await ask(
        engine,
        tenant,
        "UPDATE client SET checkpointed_until = :at WHERE tenant_id = :tenant AND client_id = :client RETURNING 1",
        client=client,
        at=BEGIN + timedelta(minutes=max(minutes)),
    )


async def kept(engine: AsyncEngine, tenant: str, client: str) -> tuple[list[int], int | None]:
    """The minutes of a client's checkpoints, and up to which one the client has any."""

    def minute(at: datetime | None) -> int | None:
        return None if at is None else int((at - BEGIN).total_seconds() // 60)

    rows = await ask(
        engine,
        tenant,
        "SELECT time FROM checkpoint WHERE tenant_id = :tenant AND client_id = :client ORDER BY 1",
        client=client,
    )
    (known,) = await ask(
        engine,
        tenant,
        "SELECT checkpointed_until FROM client WHERE tenant_id = :tenant AND client_id = :client",
        client=client,
    )
    return [minute(row.time) or 0 for row in rows], minute(known[0])


@pytest.mark.parametrize(
    "case",
    [
        ([31], ([10, 20, 30], 30)),
        ([30], ([10, 20], 20)),
        ([25], ([10, 20], 20)),
        ([40, 15, 22], ([10], 10)),
        ([10], ([], None)),
        ([5], ([], None)),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [1, MANY])
async def test_what_comes_late_deletes_the_checkpoints_that_missed_it(
    ledger: PostgresLedger, engine: AsyncEngine, tenant: str, case: tuple[list[int], Any], size: int
):
    minutes, left = case
    await ledger.append(tenant, [event(1, "a"), event(2, "b")])
    for client in ("a", "b"):
        await checkpoints(engine, tenant, client, 10, 20, 30)
    others = [event(1000 + n, "c", minute=0) for n in range(size - 1)]
    late = [event(100 + n, "a", minute=minute) for n, minute in enumerate(minutes)]
    assert set(await ledger.append(tenant, [*others, *late])) == {A}
    assert await kept(engine, tenant, "a") == left
    assert await kept(engine, tenant, "b") == ([10, 20, 30], 30)


async def test_a_late_event_that_is_not_new_deletes_nothing(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    await ledger.append(tenant, [event(1)])
    await checkpoints(engine, tenant, "acme", 10, 20)
    assert await ledger.append(tenant, [event(1), event(1, "acme", urgent=True)]) == [D, C]
    assert await kept(engine, tenant, "acme") == ([10, 20], 20)


@pytest.mark.parametrize(
    ("void", "left"),
    [("00015", ([10], 10)), ("00001", ([], None)), ("unknown", ([], None)), ("00050", ([10, 20, 30], 30))],
)
async def test_voiding_deletes_the_checkpoints_that_had_seen_it(
    ledger: PostgresLedger, engine: AsyncEngine, tenant: str, void: str, left: tuple[list[int], int | None]
):
    await ledger.append(tenant, [event(1), event(15), event(50), event(16, "other")])
    await checkpoints(engine, tenant, "acme", 10, 20, 30)
    assert await ledger.append(tenant, [event(60, kind="event.voided", source="s", id=void)]) == [A]
    assert await kept(engine, tenant, "acme") == left


async def erase(engine: AsyncEngine, tenant: str, client: str) -> None:
    """As an erasure begins: with a tombstone, and without the client."""
    async with transaction(engine, tenant) as connection:
        values = {"tenant": tenant, "client": client, "digest": hashlib.sha256(client.encode()).digest()}
        await connection.execute(
            text("SELECT 1 FROM client WHERE tenant_id = :tenant AND client_id = :client FOR UPDATE"), values
        )
        await connection.execute(text("INSERT INTO erasure VALUES (:tenant, :digest, now(), now())"), values)
        await connection.execute(text("DELETE FROM client WHERE tenant_id = :tenant AND client_id = :client"), values)
        await connection.execute(text("DELETE FROM event WHERE tenant_id = :tenant AND client_id = :client"), values)


@pytest.mark.parametrize("size", [2, MANY])
async def test_an_erased_client_is_refused_and_others_are_not(
    ledger: PostgresLedger, engine: AsyncEngine, tenant: str, size: int
):
    await ledger.append(tenant, [event(1)])
    await erase(engine, tenant, "acme")
    sent = [event(5000), *many()[: size - 1], event(5001), event(5002, "Acme")]
    assert await ledger.append(tenant, sent) == [I, *[A] * (size - 1), I, A]
    assert "acme" not in await ledger.revisions(tenant)
    assert await ledger.page(tenant, EventFilter(client_id="acme"), None, 10) == []
    assert await ledger.append(tenant, [event(6000, "c-0"), event(6001)], atomic=True) == [X, I]
    other = str(uuid.uuid4())
    assert await ledger.append(other, [event(1)]) == [A]


async def test_nothing_outlives_an_erasure_that_goes_on_meanwhile(ledger: PostgresLedger, engine: AsyncEngine):
    for attempt in range(15):
        tenant = str(uuid.uuid4())
        await ledger.append(tenant, [event(0)])
        sending = [ledger.append(tenant, [event(10 * n + attempt + 1), event(500 + n, f"c-{n}")]) for n in range(6)]
        *answers, _ = await asyncio.gather(*sending[:3], *sending[3:], erase(engine, tenant, "acme"))
        # What was stored before the erasure it has deleted; what came after was refused.
        assert await ledger.page(tenant, EventFilter(client_id="acme"), None, 100) == [], answers
        assert "acme" not in await ledger.revisions(tenant)
        assert await ledger.append(tenant, [event(9999)]) == [I]


async def test_who_waits_too_long_for_a_connection_is_told_so(database_url: str, engine: AsyncEngine, tenant: str):
    writes = Writes(database_url, 1, 0.2)
    ledger = PostgresLedger(engine, writes, EventDecoder(SystemClock()).load)
    await ledger.append(tenant, [event(1)])
    async with transaction(engine, tenant) as connection:
        await connection.execute(text("SELECT 1 FROM client WHERE tenant_id = :tenant FOR UPDATE"), {"tenant": tenant})
        stuck = asyncio.create_task(ledger.append(tenant, [event(2)]))
        await asyncio.sleep(0.1)
        with pytest.raises(StoreBusyError):
            await ledger.append(tenant, [event(3)])
    assert await stuck == [A]
    assert await ledger.append(tenant, [event(3)]) == [A]
    await writes.close()


async def test_who_hangs_up_leaves_no_transaction_behind(database_url: str, engine: AsyncEngine, tenant: str):
    writes = Writes(database_url, 1, 5.0)
    ledger = PostgresLedger(engine, writes, EventDecoder(SystemClock()).load)
    await ledger.append(tenant, [event(1)])
    async with transaction(engine, tenant) as connection:
        await connection.execute(text("SELECT 1 FROM client WHERE tenant_id = :tenant FOR UPDATE"), {"tenant": tenant})
        stuck = asyncio.create_task(ledger.append(tenant, [event(2)]))
        await asyncio.sleep(0.1)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
    assert await ledger.append(tenant, [event(2)]) == [A]
    assert await ledger.append(tenant, [event(2)]) == [D]
    await writes.close()


async def test_connections_that_died_while_they_rested_are_passed_over(
    database_url: str, postgres: Server, engine: AsyncEngine, tenant: str
):
    writes = Writes(database_url, 4, 5.0)
    ledger = PostgresLedger(engine, writes, EventDecoder(SystemClock()).load)
    async with asyncio.timeout(20):
        await asyncio.gather(*(ledger.append(tenant, [event(n)]) for n in range(4)))
        async with writes.transaction(tenant) as connection:
            own = await connection.fetchval("SELECT pg_backend_pid()")
        administrator = postgres.administrator_url(database_url.rpartition("/")[2])
        admin = await asyncpg.connect(administrator.replace("+asyncpg", ""))
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query = 'COMMIT' AND state = 'idle' AND pid <> pg_backend_pid()"
        )
        assert not await admin.fetchval("SELECT 1 FROM pg_stat_activity WHERE pid = $1", own)
        await admin.close()
        assert await ledger.append(tenant, [event(10)]) == [A]
    await writes.close()


async def test_a_transaction_that_fails_says_what_it_met(
    database_url: str, postgres: Server, writes: Writes, tenant: str
):
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with writes.transaction(tenant) as connection:
            await connection.execute("SELECT 1 / 0")
    administrator = postgres.administrator_url(database_url.rpartition("/")[2])
    admin = await asyncpg.connect(administrator.replace("+asyncpg", ""))

    async def killed() -> None:
        async with writes.transaction(tenant) as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            assert await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
            await connection.execute("SELECT 1")

    with pytest.raises(StoreUnavailableError):
        await killed()
    await admin.close()
    async with writes.transaction("it's \\ a tenant") as connection:
        assert await connection.fetchval("SELECT current_setting('app.tenant_id')") == "it's \\ a tenant"
    async with writes.transaction(tenant) as connection:
        assert await connection.fetchval("SELECT current_setting('app.tenant_id')") == tenant
