"""A server is killed in the middle of a request with an `Idempotency-Key`; sent again, it is done once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.postgres import Server
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

LEASE = "2"
NAME = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
POLICY: dict[str, Any] = {"url": "/v1/policies", "json": {"settings": {}, "note": "once"}, "headers": NAME}
EVENTS: dict[str, Any] = {
    "url": "/v1/events",
    "content": as_json([cloud_event("a"), cloud_event("b")]),
    "headers": NAME | {"Content-Type": BATCH},
}


@pytest.fixture
def service(fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("PARTWISE_IDEMPOTENCY_LEASE", LEASE)
    found = Service(tmp_path / "home", free_port(), database_url=fresh_database_url, kind="serve")
    found.home.mkdir()
    found.start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
async def api(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    key = service.key("tenant", "ingest,read,manage")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as found:
        yield found


_WAIT = """
    CREATE FUNCTION wait_before_answer() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END
    $$;
    CREATE TRIGGER wait_before_answer BEFORE UPDATE ON request FOR EACH ROW
        WHEN (NEW.answer IS NOT NULL) EXECUTE FUNCTION wait_before_answer();
"""


class Holder:
    """Holds up what a server does, by locks that it needs."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._url)
        try:
            tenant = await connection.fetchval("SELECT tenant_id FROM all_tenants()")
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)
                yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def answers_waiting(self) -> AsyncIterator[None]:
        """No answer is kept for as long as the block lasts."""
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(_WAIT)
            await connection.execute("SELECT pg_advisory_lock(42)")
            yield
            await connection.execute("SELECT pg_advisory_unlock(42)")
            await connection.execute("DROP FUNCTION wait_before_answer CASCADE")
        finally:
            await connection.close()

    async def until(self, statement: str) -> None:
        """Wait until a statement finds something."""
        while True:
            async with self.transaction() as connection:
                if await connection.fetchval(statement):
                    return
            await asyncio.sleep(0.01)


@pytest.fixture
def holder(postgres: Server, fresh_database_url: str) -> Holder:
    return Holder(postgres.owner_of(fresh_database_url))


async def again(api: httpx.AsyncClient, asked: dict[str, Any]) -> httpx.Response:
    """Send it as a good client does: again after 409, when it is told to."""
    while True:
        answer = await api.post(**asked)
        if answer.status_code != 409:
            return answer
        assert answer.json()["type"] == "/problems/idempotency-in-flight"
        await asyncio.sleep(float(answer.headers["Retry-After"]))


async def killed(service: Service, asking: "asyncio.Task[httpx.Response]") -> None:
    service.kill()
    with pytest.raises(httpx.TransportError):
        await asking


async def outcome(api: httpx.AsyncClient) -> tuple[list[str], list[str]]:
    policies, events = await api.get("/v1/policies"), await api.get("/v1/events")
    return [one["version"] for one in policies.json()["items"]], [one["id"] for one in events.json()["items"]]


async def test_killed_between_claim_and_work(service: Service, api: httpx.AsyncClient, holder: Holder):
    async with holder.transaction() as holding:
        await holding.execute("SELECT 1 FROM tenant FOR UPDATE")
        asking = asyncio.create_task(api.post(**POLICY))
        await holder.until("SELECT count(*) FROM request WHERE answer IS NULL")
        await killed(service, asking)
    service.start()
    assert await outcome(api) == (["default-1"], [])
    answer = await again(api, POLICY)
    assert (answer.status_code, answer.json()["version"]) == (201, "v1")
    assert await outcome(api) == (["v1", "default-1"], [])
    last = await again(api, POLICY)
    assert (last.content, last.headers["idempotency-replayed"]) == (answer.content, "true")


async def test_killed_between_work_and_answer(service: Service, api: httpx.AsyncClient, holder: Holder):
    """The work is there and nobody was told: sent again, it is found and not done a second time."""
    async with holder.answers_waiting():
        asking = asyncio.create_task(api.post(**POLICY))
        await holder.until("SELECT count(*) FROM request WHERE made = 'v1'")
        await killed(service, asking)
    service.start()
    assert await outcome(api) == (["v1", "default-1"], [])
    answer = await again(api, POLICY)
    assert (answer.status_code, answer.json()["version"]) == (201, "v1")
    assert "idempotency-replayed" not in answer.headers
    assert await outcome(api) == (["v1", "default-1"], [])


async def test_a_key_whose_secret_nobody_saw(service: Service, api: httpx.AsyncClient, holder: Holder):
    """Made or rotated, and killed before the answer was kept: sent again it is the same key, and its secret counts."""

    async def killed_in(asked: dict[str, Any], made: str) -> httpx.Response:
        async with holder.answers_waiting():
            asking = asyncio.create_task(api.post(**asked))
            await holder.until(made)
            await killed(service, asking)
        service.start()
        answer = await again(api, asked)
        assert answer.is_success, answer.text
        assert "idempotency-replayed" not in answer.headers
        bearer = {"Authorization": f"Bearer {answer.json()['secret']}"}
        assert (await api.get("/v1/clients", headers=bearer)).status_code == 200
        return answer

    asked: dict[str, Any] = {"url": "/v1/api-keys", "json": {"name": "crm", "scopes": ["read"]}, "headers": NAME}
    made = await killed_in(asked, "SELECT count(*) FROM api_key WHERE name = 'crm'")
    path = made.headers["Location"]
    tag = (await api.get(path)).headers["ETag"]
    headers = {"Idempotency-Key": "rotate", "If-Match": tag}
    asked = {"url": f"{path}/rotate", "json": {"overlap": 0}, "headers": headers}
    rotated = await killed_in(asked, f"SELECT count(*) FROM request WHERE made = '{made.json()['key_id']}'")
    assert rotated.json()["key_id"] == made.json()["key_id"]
    keys = (await api.get("/v1/api-keys")).json()["items"]
    assert [one["hint"] for one in keys if one["name"] == "crm"] == [rotated.json()["hint"]]


async def test_killed_after_the_answer_was_kept(service: Service, api: httpx.AsyncClient):
    for asked in (POLICY, {**EVENTS, "headers": EVENTS["headers"] | {"Idempotency-Key": "another"}}):
        first = await api.post(**asked)
        assert first.is_success
        service.kill()
        service.start()
        second = await api.post(**asked)
        assert (second.content, second.headers["idempotency-replayed"]) == (first.content, "true")
    assert await outcome(api) == (["v1", "default-1"], ["a", "b"])


async def test_events_that_were_stored_are_no_others(service: Service, api: httpx.AsyncClient, holder: Holder):
    """Killed before the answer was kept: the events are known by their own ids."""
    async with holder.answers_waiting():
        asking = asyncio.create_task(api.post(**EVENTS))
        await holder.until("SELECT count(*) = 2 FROM event")
        await killed(service, asking)
    service.start()
    answer = await again(api, EVENTS)
    assert (answer.status_code, answer.json()["duplicate"]) == (200, 2)
    last = await again(api, EVENTS)
    assert (last.content, last.headers["idempotency-replayed"]) == (answer.content, "true")
