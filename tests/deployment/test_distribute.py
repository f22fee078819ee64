"""distribute.sql of the overlay citus, on plain Postgres: what it calls of Citus only notes that it was called."""

import asyncio
import subprocess
import uuid
from typing import Any

import asyncpg
import pytest

from app.composition import services_for
from app.embedded.binaries import Binaries
from app.ports.ledger import NewEvent
from app.ports.tenants import Scope
from app.settings import Settings
from app.store.tables import METADATA
from tests.cloud_events import as_json, cloud_event
from tests.deployment.ops_tools import K8S
from tests.postgres import Server
from tests.store.test_distribution import REFERENCE

SCRIPT = K8S / "overlays" / "citus" / "distribute.sql"
CITUS = """
    CREATE TABLE pg_dist_partition (logicalrelid regclass, turn serial);
    CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql
        AS 'INSERT INTO pg_dist_partition (logicalrelid) VALUES (name)';
    CREATE FUNCTION create_distributed_table(name regclass, by text, shard_count int = 0, colocate_with text = '')
        RETURNS void LANGUAGE sql AS 'INSERT INTO pg_dist_partition (logicalrelid) VALUES (name)';
"""


def distribute(url: str) -> None:
    psql = [
        Binaries.find().path("psql"),
        url,
        "--no-psqlrc",
        "--quiet",
        "--set",
        "ON_ERROR_STOP=1",
        "--file",
        str(SCRIPT),
    ]
    done = subprocess.run(psql, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


async def rows(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


@pytest.fixture
def distributed(postgres: Server, fresh_database_url: str) -> str:
    """The address of the owner of a database that was distributed."""
    owner = postgres.owner_of(fresh_database_url).replace("+asyncpg", "")

    async def prepare() -> None:
        connection = await asyncpg.connect(owner)
        try:
            await connection.execute(CITUS)
        finally:
            await connection.close()

    asyncio.run(prepare())
    distribute(owner)
    return owner


ORDER = "SELECT logicalrelid::text FROM pg_dist_partition ORDER BY turn"


def test_every_table_is_distributed_once_and_in_order(distributed: str):
    found = asyncio.run(rows(distributed, ORDER))
    assert sorted(found) == sorted(METADATA.tables)
    assert set(found[: len(REFERENCE)]) == REFERENCE
    assert found.index("client") < found.index("checkpoint") < found.index("put_away")
    distribute(distributed)
    assert asyncio.run(rows(distributed, ORDER)) == found


def test_no_policy_has_a_subquery(distributed: str):
    statement = "SELECT policyname FROM pg_policies WHERE concat(qual, with_check) LIKE '%SELECT%'"
    assert asyncio.run(rows(distributed, statement)) == []
    restrictive = "SELECT policyname FROM pg_policies WHERE permissive <> 'PERMISSIVE'"
    assert asyncio.run(rows(distributed, restrictive)) == []


def test_tenants_are_apart_and_the_service_works(distributed: str, fresh_database_url: str):
    async def work() -> None:
        async with services_for(Settings().with_database(fresh_database_url)) as services:
            tenants = []
            for _ in range(2):
                # A key is looked up before its tenant is known: a question across tenants.
                key = await services.keys.create(f"tenant-{uuid.uuid4()}", frozenset(Scope))
                tenant_id = (await services.keys.authenticate(key)).tenant_id
                sent = services.decoder.structured(as_json(cloud_event("1", client="acme")))
                assert isinstance(sent, NewEvent)
                await services.record(tenant_id, [sent])
                tenants.append(tenant_id)
            while await services.reassess.assess_due(newest=False):
                pass
            connection = await asyncpg.connect(fresh_database_url.replace("+asyncpg", ""))
            try:
                assert await connection.fetchval("SELECT count(*) FROM event") == 0
                for tenant_id in tenants:
                    async with connection.transaction():
                        await connection.execute(f"SET LOCAL app.tenant_id = '{tenant_id}'")
                        assert await connection.fetchval("SELECT count(*) FROM event") == 1
                        assert await connection.fetchval("SELECT count(*) FROM assessment") == 1
            finally:
                await connection.close()

    asyncio.run(work())
