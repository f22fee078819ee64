"""When the database is slow: bounded room, clear answers before anything is lost, and all goes on afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from app.composition import create_app
from app.ports.tenants import Scope
from app.settings import Settings
from tests.cloud_events import BATCH, NDJSON, as_json, cloud_event
from tests.postgres import Server
from tests.waiting import until, waits_for_a_lock

PATIENCE = 2.0
"""Seconds; long enough for a slow machine to get to where all wait."""


@pytest.fixture
async def small(database_url: str) -> AsyncIterator[FastAPI]:
    """A service that writes one batch at a time, has little room and waits two seconds."""
    limits = Settings(database_write_pool_size=1, ingest_memory=16 * 2**20, ingest_patience=PATIENCE)
    app = create_app(limits.with_database(database_url))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(small: FastAPI, tenant: str) -> AsyncIterator[httpx.AsyncClient]:
    key = await small.state.services.keys.create(tenant, frozenset(Scope))
    transport = httpx.ASGITransport(small, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as found:
        yield found


@pytest.fixture
def administrator_url(database_url: str, postgres: Server) -> str:
    """Who sees every tenant's rows."""
    return postgres.administrator_url(database_url.rpartition("/")[2])


@asynccontextmanager
async def slow(administrator_url: str, client: httpx.AsyncClient) -> AsyncIterator[None]:
    """A database in which somebody else has the client `acme` locked for as long as the block lasts."""
    await client.post("/v1/events", content=as_json([cloud_event("first")]), headers={"Content-Type": BATCH})
    connection = await asyncpg.connect(administrator_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            # That of every tenant of this test's database.
            await connection.execute("SELECT 1 FROM client WHERE client_id = 'acme' FOR UPDATE")
            yield
    finally:
        await connection.close()


async def send(client: httpx.AsyncClient, *names: str, padding: int = 0) -> httpx.Response:
    events = [cloud_event(name, extra="x" * padding) for name in names]
    return await client.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})


async def send_much(client: httpx.AsyncClient, name: str) -> httpx.Response:
    """Five MiB of events, each as large as one may be."""
    return await send(client, *(f"{name}-{n}" for n in range(21)), padding=250_000)


def assert_told_to_come_again(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503


async def test_who_waits_too_long_is_told_to_come_again_and_nothing_is_lost(
    administrator_url: str, client: httpx.AsyncClient
):
    async with slow(administrator_url, client):
        stuck = asyncio.create_task(send(client, "1"))
        await until(lambda: waits_for_a_lock(administrator_url))
        refused = await asyncio.gather(*(send(client, f"{n}") for n in range(2, 8)))
        for answer in refused:
            assert_told_to_come_again(answer)
        assert not stuck.done()
    assert (await stuck).json()["accepted"] == 1
    again = await asyncio.gather(*(send(client, f"{n}") for n in range(1, 8)))
    assert [answer.json()["duplicate"] for answer in again] == [1] + [0] * 6
    listed = (await client.get("/v1/events")).json()["items"]
    assert sorted(item["id"] for item in listed) == [*"1234567", "first"]


async def test_what_has_no_room_is_refused_before_it_is_read(administrator_url: str, client: httpx.AsyncClient):
    was_read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal was_read
        was_read = True
        yield as_json([cloud_event("late")])

    async with slow(administrator_url, client):
        waiting = [asyncio.create_task(send_much(client, f"{n}")) for n in range(3)]
        # One writes, one waits for its turn, and there is no room for the third.
        await until(lambda: waits_for_a_lock(administrator_url))
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        announced = {"Content-Type": BATCH, "Content-Length": str(5 * 2**20)}
        answer = await client.post("/v1/events", content=body(), headers=announced)
        assert_told_to_come_again(answer)
        assert not was_read
        # Who does not say how much it is finds out as soon as it is too much.
        chunked = await client.post("/v1/events", content=_chunks(5 * 2**20), headers={"Content-Type": BATCH})
        assert_told_to_come_again(chunked)
        # One event takes little room, but it has to wait like all others.
        assert_told_to_come_again(await send(client, "small"))
    answers = await asyncio.gather(*waiting)
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503]
    assert (await send_much(client, "after")).json()["accepted"] == 21


async def _chunks(size: int) -> AsyncIterator[bytes]:
    yield b"["
    for _ in range(size // 65536):
        yield b" " * 65536
    yield as_json(cloud_event("chunked")) + b"]"


async def test_a_stream_stops_reading_and_ends_with_a_problem(administrator_url: str, client: httpx.AsyncClient):
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for taken in range(1000):
            lines = [as_json(cloud_event(f"{taken}-{n}", "call.received")) for n in range(500)]
            yield b"\n".join(lines) + b"\n"
            await asyncio.sleep(0)

    async with slow(administrator_url, client):
        stuck = asyncio.create_task(send(client, "1"))
        await until(lambda: waits_for_a_lock(administrator_url))
        answer = await client.post("/v1/events", content=endless(), headers={"Content-Type": NDJSON})
        assert taken < 10
        # Nothing was answered before, so that the status says it.
        assert_told_to_come_again(answer)
    assert (await stuck).json()["accepted"] == 1
    again = await client.post(
        "/v1/events", content=as_json(cloud_event("0-0")) + b"\n", headers={"Content-Type": NDJSON}
    )
    assert json.loads(again.text.splitlines()[-1])["summary"]["accepted"] == 1


async def test_a_stream_has_to_find_room_too(small: FastAPI, client: httpx.AsyncClient):
    with (
        small.state.services.intake.held("others", 12 * 2**20),
        small.state.services.intake.held("more", 4 * 2**20 - 1024),
    ):
        answer = await client.post("/v1/events", content=as_json(cloud_event()), headers={"Content-Type": NDJSON})
        assert_told_to_come_again(answer)
    answer = await client.post("/v1/events", content=as_json(cloud_event()), headers={"Content-Type": NDJSON})
    assert answer.status_code == 200
