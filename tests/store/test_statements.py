"""Every statement names the tenant, and finds the same without: row-level security stands behind it."""

import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.events import EventRef
from app.ports.audit import CLI, Action, AuditFilter, key_subject
from app.ports.ledger import EventFilter, NewEvent, Outcome
from app.ports.policies import PolicyRecord
from app.ports.tenants import ApiKey, Scope
from app.store import reads as reading
from app.store.audit import PostgresAuditLog
from app.store.clients import PostgresClients
from app.store.engine import make_engine
from app.store.ledger import PostgresLedger
from app.store.policies import PostgresPolicies
from app.store.reads import Reads
from app.store.tables import METADATA
from app.store.tenants import PostgresTenants
from app.store.writes import Writes
from tests.ledgers import DECODER, ledger_over
from tests.store.statements import modules, nameless, openings
from tests.store.without_tenants import without_tenants

STORE = Path(reading.__file__).parent
CHECKOUT = STORE.parent.parent
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2199, 1, 1, tzinfo=UTC)


def test_every_statement_names_the_tenant():
    found = {str(path): faults for path in modules(STORE) if (faults := nameless(path.read_text()))}
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "s = select(event).where(event.c.id == id)",
        "async def f():\n    async for a in b(select(event)):\n        pass",
        "s = select(func.count(event.c.id))",
        "async def f():\n    async with a() as b:\n        await b.execute(update(client).values(x))",
        "s = 'SELECT * FROM client WHERE client_id = $2'",
        "s = text('DELETE FROM event WHERE id = :id')",
        "s = f'UPDATE client SET name = {x}'",
        "s = 'INSERT INTO erasure (digest) VALUES ($2)'",
        "s = 'WITH x AS (SELECT 1) SELECT * FROM x JOIN event USING (id)'",
    ],
)
def test_one_that_does_not_is_found(source: str):
    assert len(nameless(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "s = select(event).where(event.c.tenant_id == tenant_id)",
        "s = 'SELECT * FROM client WHERE tenant_id = $1'",
        "C = 'SELECT a, b FROM client '\ns = C + 'WHERE tenant_id = $1'",
        "'''Reads from client and event.'''",
        "s = text('SELECT * FROM api_key_by_digest(:digest)')",
    ],
)
def test_one_that_does_is_none(source: str):
    assert nameless(source) == []


def test_connections_are_opened_in_one_place():
    """Elsewhere they would begin as whoever logs in, perhaps a superuser; migrations do, as the owner."""
    found = {path.name for path in modules(STORE) if openings(path.read_text())}
    assert found == {"connection.py", "migrate.py"}


@pytest.mark.parametrize(
    "source",
    [
        "a = asyncpg.connect(url)",
        "a = asyncpg.create_pool(url, min_size=1)",
        "a = create_async_engine(url, pool_size=1)",
    ],
)
def test_one_that_is_opened_otherwise_is_found(source: str):
    assert len(openings(source)) == 1


# ------------------------------------------------------------------------------- without any condition on the tenant


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    found = make_engine(database_url, 3)
    yield found
    await found.dispose()


@pytest.fixture
async def reads(database_url: str) -> AsyncIterator[Reads]:
    found = Reads(database_url, 2)
    yield found
    await found.close()


def events(mark: str) -> list[NewEvent]:
    """The same ids, clients and sources for everybody, with content of one's own."""
    return [
        NewEvent(
            "s", str(n), kind, f"c-{n % 3}", NOW + timedelta(n), data, hashlib.sha256(f"{mark}{n}".encode()).digest()
        )
        for n, kind, data in (
            (1, "client.created", f'{{"name":"{mark}"}}'),
            (2, "call.received", "{}"),
            (3, "call.received", "{}"),
            (4, "client.updated", f'{{"name":"{mark}","country":"DE"}}'),
        )
    ]


async def everything_asked(engine: AsyncEngine, reads: Reads, tenant_id: str) -> dict[str, Any]:
    """What the store answers a tenant, question by question."""
    async with ledger_over(engine, 1) as ledger:
        return await _asked(ledger, engine, reads, tenant_id)


async def _asked(ledger: PostgresLedger, engine: AsyncEngine, reads: Reads, tenant_id: str) -> dict[str, Any]:
    policies, clients, tenants = PostgresPolicies(engine), PostgresClients(reads), PostgresTenants(engine)
    names = ["c-0", "c-1", "c-2"]
    return {
        "page": await ledger.page(tenant_id, EventFilter(), None, 100),
        "page of a client": await ledger.page(tenant_id, EventFilter(client_id="c-1", since=NOW), None, 100),
        "named": await ledger.named(tenant_id, "1", None),
        "several": await ledger.several(tenant_id, [EventRef("s", "1"), EventRef("s", "2")]),
        "revisions": await ledger.revisions(tenant_id),
        "histories": await ledger.histories(tenant_id, names),
        "duplicates": await ledger.append(tenant_id, events(tenant_id)),
        "client": await clients.get(tenant_id, "c-1"),
        "some clients": await clients.several(tenant_id, names),
        "all clients": await clients.all(tenant_id),
        "count": await clients.count(tenant_id),
        "count of a text": await clients.count(tenant_id, "c"),
        "clients by name": await clients.page(tenant_id, "c", ("a", "a"), None, 10, last=False),
        "policies": await policies.all(tenant_id),
        "active policy": await policies.active(tenant_id),
        "policy": await policies.get(tenant_id, "v1"),
        "keys": await tenants.keys_of(tenant_id),
        "page of keys": await tenants.key_page(tenant_id, (NOW, ""), 10),
        "changes": await PostgresAuditLog(engine).page(tenant_id, AuditFilter(actor="cli"), (LATER, "~"), 10),
    }


async def fill(engine: AsyncEngine) -> str:
    """A tenant of whom the store knows everything that it can; return its id, which stands in all of it."""
    tenants = PostgresTenants(engine)
    tenant_id = await tenants.ensure(f"tenant-{uuid.uuid4()}")
    key = ApiKey(str(uuid.uuid4()), tenant_id, tenant_id, "pw_1234", frozenset(Scope), NOW)
    noted = CLI.did(Action.KEY_CREATED, key_subject(key.key_id), NOW)
    await tenants.add_key(key, uuid.uuid4().bytes, 10, noted)
    assert await tenants.rotate(
        tenant_id,
        key.key_id,
        uuid.uuid4().bytes,
        "pw_5678",
        LATER,
        most=1,
        entry=CLI.did(Action.KEY_ROTATED, key_subject(key.key_id), NOW),
    )
    policies = PostgresPolicies(engine)
    await policies.add(tenant_id, PolicyRecord("", "default-1", tenant_id, "{}", NOW, None))
    await policies.activate(tenant_id, "v1", NOW)
    async with ledger_over(engine, 1) as ledger:
        assert set(await ledger.append(tenant_id, events(tenant_id))) == {Outcome.ACCEPTED}
    return tenant_id


async def test_without_conditions_the_store_answers_the_same(engine: AsyncEngine, reads: Reads):
    ours, theirs = await fill(engine), await fill(engine)
    right = await everything_asked(engine, reads, ours)
    assert all(right.values()), right
    assert theirs not in repr(right)
    with without_tenants() as changed:
        assert await everything_asked(engine, reads, ours) == right
    # All of it was asked without: 17 answers, some of several statements.
    assert len(changed) >= len(right)


async def test_without_conditions_the_store_changes_nothing_of_the_neighbours(engine: AsyncEngine, reads: Reads):
    ours, theirs = await fill(engine), await fill(engine)
    before = await everything_asked(engine, reads, theirs)
    with without_tenants() as changed:
        more = [NewEvent("s", "9", "client.updated", "c-1", NOW, '{"name":"Other"}', bytes(32))]
        async with ledger_over(engine, 1) as ledger:
            assert await ledger.append(ours, [*events(ours), *more]) == [Outcome.DUPLICATE] * 4 + [Outcome.ACCEPTED]
        policies, tenants = PostgresPolicies(engine), PostgresTenants(engine)
        await policies.add(ours, PolicyRecord("", "default-1", None, "{}", NOW, None))
        await policies.activate(ours, "v2", NOW)
        (key,) = await tenants.keys_of(ours)
        (other,) = await tenants.keys_of(theirs)
        for one, known in ((key, True), (other, False)):
            digest, entry = uuid.uuid4().bytes, CLI.did(Action.KEY_ROTATED, key_subject(one.key_id), NOW)
            done = await tenants.rotate(ours, one.key_id, digest, "pw_9", LATER, most=2, entry=entry)
            entry = CLI.did(Action.KEY_REVOKED, key_subject(one.key_id), NOW)
            assert done is known
            assert await tenants.revoke(ours, one.key_id, entry, force=True) is known
        await tenants.used(ours, other.key_id, NOW)
    assert changed
    assert await everything_asked(engine, reads, theirs) == before


@pytest.mark.slow
def test_without_conditions_the_api_answers_the_same():
    """All that the tests of the API ask, side by side with all that others have stored."""
    files = [f"tests/rest/test_{name}.py" for name in ("clients", "events", "history", "policies", "simulations")]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "tests.store.without_tenants", *files]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, env=plain, cwd=CHECKOUT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(done.stdout.rpartition("without conditions: ")[2].split()[0]) > 500


async def test_a_read_that_names_no_tenant_is_refused(reads: Reads):
    with pytest.raises(ValueError, match=r"\$1"):
        await reads.rows("t", "SELECT * FROM client")


async def test_a_connection_that_rests_carries_no_tenant(database_url: str):
    """Pools of one, so that the same connection is looked at."""
    engine, reads = make_engine(database_url, 1), Reads(database_url, 1)
    ours = await fill(engine)
    writes = Writes(database_url, 1, 10.0)
    ledger, clients = PostgresLedger(engine, writes, DECODER.load), PostgresClients(reads)

    async def look(connection: asyncpg.Connection) -> None:
        assert await connection.fetchval("select coalesce(current_setting('app.tenant_id', true), '')") == ""
        for table in METADATA.tables:
            assert await connection.fetch(f"select * from {table}") == []

    async def rested() -> None:
        async with engine.connect() as connection:
            await look((await connection.get_raw_connection()).driver_connection)
        for pool in (reads._pool, writes._pool):
            if pool is not None:
                async with pool.acquire() as connection:
                    await look(connection)

    assert await clients.get(ours, "c-1")
    await rested()
    assert await ledger.revisions(ours)
    await rested()
    bad = NewEvent("s", "8", "call.received", "c-1", NOW, "\x00", bytes(32))
    with pytest.raises(Exception, match="0x00"):
        await ledger.append(ours, [bad])
    await rested()
    await ledger.append(ours, [NewEvent("s", "1", "call.received", "c-1", NOW, "{}", bytes(32))], atomic=True)
    await rested()
    with pytest.raises(asyncpg.PostgresError):
        await reads.rows(ours, "SELECT 1 / (revision - revision) FROM client WHERE tenant_id = $1")
    await rested()
    assert writes._pool is not None
    await writes.close()
    await reads.close()
    await engine.dispose()
