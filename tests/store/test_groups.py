"""Appends of a tenant that wait for each other: one transaction, in which each keeps its own answer."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.composition import SystemClock
from app.ports.ledger import EventFilter, NewEvent, Outcome, StoreBusyError
from app.store.engine import transaction
from app.store.groups import AT_ONCE, GroupedAppends
from app.store.ledger import PostgresLedger
from app.store.writes import Writes
from app.wire.cloudevents import EventDecoder

A, D, C = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NEVER_STORED = "\x00"
"""No text of Postgres can hold it; nothing that was decoded has it."""


def event(number: int, said: str = "{}") -> NewEvent:
    digest = hashlib.sha256(said.encode()).digest()
    return NewEvent("s", f"{number:05}", "call.received", "acme", BEGIN + timedelta(minutes=number), said, digest)


@asynccontextmanager
async def stuck(ledger: PostgresLedger, engine: AsyncEngine, tenant: str) -> AsyncIterator[list[asyncio.Task]]:
    """Nobody else gets to a client; as many appends as there may be at once wait for that, and all others for them."""
    await ledger.append(tenant, [event(9000)])
    async with transaction(engine, tenant) as connection:
        await connection.execute(text("SELECT 1 FROM client WHERE tenant_id = :tenant FOR UPDATE"), {"tenant": tenant})
        first = [asyncio.create_task(ledger.append(tenant, [event(9001 + number)])) for number in range(AT_ONCE)]
        await asyncio.sleep(0.2)
        yield first
    assert await asyncio.gather(*first) == [[A]] * AT_ONCE


def begin(ledger: PostgresLedger, tenant: str, sent: Sequence[Sequence[NewEvent]]) -> list[asyncio.Task]:
    return [asyncio.create_task(ledger.append(tenant, events)) for events in sent]


async def recorded(ledger: PostgresLedger, tenant: str) -> dict[int, datetime]:
    return {int(one.id): one.recorded_at for one in await ledger.page(tenant, EventFilter(), None, 10_000)}


async def test_those_that_wait_become_one_transaction(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    async with stuck(ledger, engine, tenant):
        waiting = begin(ledger, tenant, [[event(10 * n), event(10 * n + 1)] for n in range(20)])
        await asyncio.sleep(0.1)
    assert await asyncio.gather(*waiting) == [[A, A]] * 20
    found = await recorded(ledger, tenant)
    assert len({at for number, at in found.items() if number < 9000}) == 1
    assert len(set(found.values())) == 1 + AT_ONCE + 1


async def test_a_group_is_a_part_of_what_its_first_is_for():
    whose = ContextVar("whose", default="")
    seen: list[tuple[str, int]] = []
    go_on = asyncio.Event()

    async def append(tenant: str, events: Sequence[NewEvent]) -> list[Outcome]:
        seen.append((whose.get(), len(events)))
        await go_on.wait()
        return [A] * len(events)

    grouped = GroupedAppends(append, 5)

    async def send(name: str) -> list[Outcome]:
        whose.set(name)
        return await grouped("t", [event(1)])

    names = [f"request {number}" for number in range(AT_ONCE + 3)]
    sent = [asyncio.create_task(send(name)) for name in names]
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(*sent) == [[A]] * len(names)
    assert seen == [*((name, 1) for name in names[:AT_ONCE]), (names[AT_ONCE], 3)]


async def test_each_has_its_own_answer(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    async with stuck(ledger, engine, tenant):
        waiting = begin(ledger, tenant, [[event(1)], [event(1), event(2)], [event(2, '{"a":1}')], [event(9000)]])
        await asyncio.sleep(0.1)
    assert await asyncio.gather(*waiting) == [[A], [D, A], [C], [D]]


async def test_a_transaction_has_a_limit(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    async with stuck(ledger, engine, tenant):
        waiting = begin(ledger, tenant, [[event(n) for n in range(800 * k, 800 * (k + 1))] for k in range(5)])
        await asyncio.sleep(0.1)
    assert await asyncio.gather(*waiting) == [[A] * 800] * 5
    found = await recorded(ledger, tenant)
    assert len({at for number, at in found.items() if number < 9000}) == 3


async def test_who_hangs_up_while_waiting_has_sent_nothing(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    async with stuck(ledger, engine, tenant):
        gone, left = begin(ledger, tenant, [[event(1)], [event(2)]])
        await asyncio.sleep(0.1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert await left == [A]
    found = await recorded(ledger, tenant)
    assert 2 in found
    assert 1 not in found


async def test_what_cannot_be_stored_is_nobody_elses_fault(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    async with stuck(ledger, engine, tenant):
        before, bad, after = begin(ledger, tenant, [[event(1)], [event(2, NEVER_STORED)], [event(3)]])
        await asyncio.sleep(0.1)
    assert (await before, await after) == ([A], [A])
    with pytest.raises(asyncpg.PostgresError):
        await bad
    # And the line goes on.
    assert await ledger.append(tenant, [event(4)]) == [A]


async def test_who_waits_too_long_is_told_so_and_has_sent_nothing(database_url: str, engine: AsyncEngine, tenant: str):
    writes = Writes(database_url, 8, 0.3)
    ledger = PostgresLedger(engine, writes, EventDecoder(SystemClock()).load)
    async with stuck(ledger, engine, tenant):
        with pytest.raises(StoreBusyError):
            await ledger.append(tenant, [event(1)])
    assert await ledger.append(tenant, [event(2)]) == [A]
    assert 1 not in await recorded(ledger, tenant)
    await writes.close()


async def test_tenants_do_not_wait_for_each_other(ledger: PostgresLedger, engine: AsyncEngine, tenant: str):
    async with stuck(ledger, engine, tenant), asyncio.timeout(5):
        assert await ledger.append(f"{tenant}-2", [event(1)]) == [A]
