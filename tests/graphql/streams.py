"""Streams of this process's application as they come, for which the usual transport would wait until their end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

__all__ = ["Stream", "streaming", "tell"]

from tests.cloud_events import BATCH, as_json, cloud_event

EVENTS = {"Accept": "text/event-stream"}


class Stream:
    """The events of one answer."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.comments = 0
        self._events: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()
        self._begun = asyncio.Event()

    async def next(self) -> tuple[str, Any] | None:
        """The next event and its data; None at the end."""
        async with asyncio.timeout(20):
            return await self._events.get()

    async def data(self, field: str = "scoreChanged") -> dict[str, Any]:
        """What the next payload has of the field of a subscription."""
        event = await self.next()
        assert event is not None, "the stream has ended"
        assert event[0] == "next", event
        assert "errors" not in event[1], event
        found: dict[str, Any] = event[1]["data"][field]
        return found

    async def changes(self, count: int) -> list[dict[str, Any]]:
        """So many changes, however many payloads they come in."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += (await self.data())["changes"]
        return found

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self._begun.set()
            return
        if self.status != 200:
            return
        for block in message["body"].decode().split("\n\n"):
            if block == ":":
                self.comments += 1
            elif block:
                fields = dict(line.split(":", 1) for line in block.splitlines())
                data = fields["data"].strip()
                self._events.put_nowait((fields["event"].strip(), json.loads(data) if data else None))
        if not message.get("more_body", False):
            self._events.put_nowait(None)


@asynccontextmanager
async def streaming(
    api: httpx.AsyncClient, query: str, *, headers: dict[str, str] | None = None, method: str = "POST", **variables: Any
) -> AsyncIterator[Stream]:
    """Ask for an operation as events, for as long as the block lasts."""
    transport = api._transport
    assert isinstance(transport, httpx.ASGITransport)
    asked = {"query": query, "variables": variables}
    given = {**EVENTS, **(headers or {})}
    if method == "POST":
        request = api.build_request("POST", "/graphql", headers=given, json=asked)
    else:
        told = {"query": query, "variables": json.dumps(variables)}
        request = api.build_request(method, "/graphql", headers=given, params=told)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "root_path": "",
    }
    sent = iter([{"type": "http.request", "body": request.content, "more_body": False}])
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        for message in sent:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    stream = Stream()
    application: Any = transport.app
    serving = asyncio.create_task(application(scope, receive, stream.send))
    try:
        await asyncio.wait((serving, asyncio.create_task(stream._begun.wait())), return_when=asyncio.FIRST_COMPLETED)
        yield stream
    finally:
        gone.set()
        async with asyncio.timeout(20):
            await serving


async def tell(api: httpx.AsyncClient, *clients: str, kind: str = "contract.sent", number: int = 0) -> None:
    """Let something happen with each client, and have them assessed."""
    told = [cloud_event(f"{kind}-{name}-{number}", kind, name) for name in clients]
    answer = await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(clients)
    assert (await api.get("/v1/clients?limit=1")).json()["stale"] == 0
