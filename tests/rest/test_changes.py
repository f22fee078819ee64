"""Follow changes over REST: pages, cursors, waiting, streams."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from app.rest import changes
from app.services import Services
from app.store.change_feed import PostgresChangeFeed
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.conftest import Caller

STREAM = {"Accept": "text/event-stream"}


async def tell(api: httpx.AsyncClient, *clients: str, kind: str = "contract.sent", number: int = 0) -> None:
    told = [cloud_event(f"{kind}-{name}-{number}", kind, name) for name in clients]
    answer = await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(clients)
    # Whoever lists clients sees to it that they are assessed.
    assert (await api.get("/v1/clients?limit=1")).json()["stale"] == 0


async def page(api: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await api.get("/v1/changes", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_changes_are_followed_from_page_to_page(api: httpx.AsyncClient):
    empty = await page(api)
    assert (empty["items"], empty["has_more"]) == ([], False)
    await tell(api, "a", "b", "c")
    first = await page(api, limit=2)
    assert (len(first["items"]), first["has_more"]) == (2, True)
    second = await page(api, limit=2, after=first["next"])
    assert (len(second["items"]), second["has_more"]) == (1, False)
    items = first["items"] + second["items"]
    assert sorted(one["client_id"] for one in items) == ["a", "b", "c"]
    assert len({one["id"] for one in items}) == 3
    for one in items:
        score = (await api.get(f"/v1/clients/{one['client_id']}/score")).json()
        assert one["before"] is None
        assert one["aspects"] == ["client_type", "score_step", "verdict"]
        assert one["after"]["verdict"] == score["verdict"]
        assert one["after"]["score"] == pytest.approx(score["score"])
    assert (await page(api, after=second["next"]))["items"] == []
    # The same from the cursor of nothing, from before anything was.
    assert (await page(api, after=empty["next"]))["items"] == items


async def test_from_the_latest_on_only_what_comes_is_told(api: httpx.AsyncClient):
    await tell(api, "a")
    begin = await page(api, after="latest")
    assert begin["items"] == []
    await tell(api, "b")
    assert [one["client_id"] for one in (await page(api, after=begin["next"]))["items"]] == ["b"]


async def test_who_waits_is_answered_as_soon_as_there_is_something(api: httpx.AsyncClient):
    begin = await page(api, after="latest")
    waiting = asyncio.create_task(page(api, after=begin["next"], wait=15))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await tell(api, "a")
    assert [one["client_id"] for one in (await waiting)["items"]] == ["a"]


async def test_who_waits_for_nothing_is_told_so(api: httpx.AsyncClient):
    begin = await page(api, after="latest")
    assert await page(api, after=begin["next"], wait=1) == begin


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ("after=nonsense", 400, "?after"),
        ("after=", 400, "?after"),
        ("after=%FF", 422, "?after"),
        ("after=%00", 400, "?after"),
        ("after=1", 400, "?after"),
        ("wait=-1", 422, "?wait"),
        ("wait=61", 422, "?wait"),
        ("wait=x", 422, "?wait"),
        ("limit=0", 422, "?limit"),
        ("after=latest&after=latest", 422, "?after"),
    ],
)
async def test_what_cannot_be_understood_is_refused(api: httpx.AsyncClient, query: str, status: int, pointer: str):
    for headers in ({}, STREAM):
        answer = await api.get(f"/v1/changes?{query}", headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)


async def test_a_cursor_is_that_of_one_tenant_and_one_list(api: httpx.AsyncClient, caller: Caller):
    await tell(api, "a", "b")
    stranger = await caller("another-tenant")
    cursor = (await page(api, limit=1))["next"]
    for other in (cursor, (await api.get("/v1/events?limit=1")).json()["next"]):
        assert other
        assert (await stranger.get("/v1/changes", params={"after": other})).status_code == 400
    answer = await api.get("/v1/changes", headers={**STREAM, "Last-Event-ID": "nonsense"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "last-event-id:")


async def test_a_cursor_that_is_too_old_is_gone(api: httpx.AsyncClient, services: Services, tenant: str):
    begin = await page(api)
    await tell(api, "a", "b")
    tenant_id = await services.keys.tenant(tenant)
    feed = services.changes._feed
    assert isinstance(feed, PostgresChangeFeed)
    # As of a moment in the future, all is old.
    assert await feed._remove(tenant_id, -1, 10) == 2
    for headers in ({}, STREAM):
        answer = await api.get("/v1/changes", params={"after": begin["next"]}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/cursor-expired")
    assert (await page(api))["items"] == []
    assert await services.changes.newest(tenant_id) == 2


@asynccontextmanager
async def reading(api: httpx.AsyncClient, **headers: str) -> AsyncIterator["asyncio.Queue[dict[str, str] | None]"]:
    """The events of a stream as they come, and None at its end, for which the usual transport would wait."""
    found: asyncio.Queue[dict[str, str] | None] = asyncio.Queue()
    transport = api._transport
    assert isinstance(transport, httpx.ASGITransport)
    gone = asyncio.Event()
    request = api.build_request("GET", "/v1/changes", headers={**STREAM, **headers})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "root_path": "",
    }
    sent = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in sent:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            assert dict(message["headers"])[b"content-type"].startswith(b"text/event-stream")
            return
        for block in message["body"].decode().split("\n\n"):
            lines = [line.partition(":") for line in block.splitlines()]
            event = {name: value.strip() for name, _, value in lines}
            if event:
                found.put_nowait(event)
        if not message.get("more_body", False):
            found.put_nowait(None)

    application: Any = transport.app
    serving = asyncio.create_task(application(scope, receive, send))
    try:
        yield found
    finally:
        gone.set()
        async with asyncio.timeout(20):
            await serving


async def next_change(events: "asyncio.Queue[dict[str, str] | None]") -> tuple[str, dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            event = await events.get()
            assert event is not None, "the stream has ended"
            if event.get("event") == "change":
                return event["id"], json.loads(event["data"])


async def test_a_stream_tells_what_comes_and_goes_on_where_it_was(api: httpx.AsyncClient):
    await tell(api, "a")
    async with reading(api) as events:
        begun = await events.get()
        assert begun is not None
        assert set(begun) == {"retry", "id"}
        first, told = await next_change(events)
        assert told["client_id"] == "a"
        assert told == (await page(api))["items"][0]
        await tell(api, "b")
        _, told = await next_change(events)
        assert told["client_id"] == "b"
    await tell(api, "c")
    for begin, expected in ((first, ["b", "c"]), (begun["id"], ["a", "b", "c"])):
        async with reading(api, **{"Last-Event-ID": begin}) as events:
            assert [(await next_change(events))[1]["client_id"] for _ in expected] == expected


async def test_a_stream_ends_with_its_key(
    api: httpx.AsyncClient, caller: Caller, services: Services, tenant: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(changes, "_HEARTBEAT", 0.5)
    reader = await caller(tenant, Scope.READ)
    (key,) = [one for one in await services.keys.of(tenant) if one.scopes == {Scope.READ}]
    async with reading(reader) as events:
        assert await events.get()
        await api.delete(f"/v1/api-keys/{key.key_id}", headers={"If-Match": "*"})
        async with asyncio.timeout(20):
            while await events.get() is not None:
                pass


async def test_a_head_of_a_stream_has_an_end(api: httpx.AsyncClient):
    answer = await api.head("/v1/changes", headers=STREAM)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_what_reads_neither_form_is_told_so(api: httpx.AsyncClient):
    answer = await api.get("/v1/changes", headers={"Accept": "text/html"})
    assert answer.status_code == 406
