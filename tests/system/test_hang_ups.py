"""Clients that hang up in the middle of a query, over real connections."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from app.embedded import EmbeddedPostgres
from tests.service import Service

pytestmark = pytest.mark.system

PATIENCE = 0.3
QUERY = '{ client(clientId: "acme") { name } }'
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/hang-ups",
    "type": "call.received",
    "subject": "acme",
    "time": "2026-01-01T00:00:00Z",
    "data": {},
}


@pytest.fixture
async def postgres(service: Service) -> AsyncIterator[asyncpg.Connection]:
    """The owner of the running service's database."""
    with EmbeddedPostgres(service.home) as server:
        connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
        yield connection
        await connection.close()


async def busy(postgres: asyncpg.Connection) -> int:
    """How many of the service's connections are in a statement or a transaction; others' states are not shown."""
    return int(
        await postgres.fetchval(
            "select count(*) from pg_locks join pg_stat_activity using (pid) "
            "where application_name = 'partwise' and locktype = 'virtualxid'"
        )
    )


async def quiet(postgres: asyncpg.Connection) -> None:
    for _ in range(100):
        if await busy(postgres) == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("connections stay in the middle of something")


async def test_clients_that_hang_up_leave_nothing_behind(service: Service, postgres: asyncpg.Connection):
    key = service.key("hang-ups")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=10) as http:

        def asked() -> list:
            return [
                http.get("/v1/clients/acme", timeout=PATIENCE),
                http.get("/v1/clients/acme/score", timeout=PATIENCE),
                http.get("/v1/events", timeout=PATIENCE),
                http.post("/graphql", json={"query": QUERY}, timeout=PATIENCE),
                http.post(
                    "/v1/events",
                    json=EVENT,
                    headers={"Content-Type": "application/cloudevents+json"},
                    timeout=PATIENCE,
                ),
            ]

        first = await http.post("/v1/events", json=EVENT, headers={"Content-Type": "application/cloudevents+json"})
        assert first.is_success
        for one in await asyncio.gather(*asked()):
            assert one.is_success, one.text
        await quiet(postgres)

        transaction = postgres.transaction()
        await transaction.start()
        await postgres.execute("lock table client, event in access exclusive mode")
        for _ in range(5):
            for one in await asyncio.gather(*asked(), return_exceptions=True):
                assert isinstance(one, httpx.TimeoutException), one
        assert await busy(postgres) > 0
        await transaction.rollback()

        await quiet(postgres)
        for _ in range(3):
            for one in await asyncio.gather(*asked()):
                assert one.is_success, one.text
        await quiet(postgres)
