"""Bodies of requests in gzip and zstd, for every route that reads one, and for GraphQL."""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import NamedTuple

import httpx
import pytest
from starlette.types import Message

from app.edge.decoding import decoded
from app.wire.codings import CODINGS, BrokenCodingError, Coding
from tests.cloud_events import BATCH, NDJSON, STRUCTURED, as_json, cloud_event
from tests.rest.test_bad_input import check
from tests.wire.test_codings import bomb, each_nothing, encoded

MEBIBYTE = 2**20
QUERY = json.dumps({"query": "{ __typename }"}).encode()


class Route(NamedTuple):
    method: str
    path: str
    media: str
    body: bytes
    status: int

    async def ask(self, api: httpx.AsyncClient, coding: str, body: bytes) -> httpx.Response:
        headers = {"Content-Type": self.media, "Content-Encoding": coding}
        return await api.request(self.method, self.path, content=body, headers=headers)


ROUTES = [
    Route("POST", "/v1/events", STRUCTURED, as_json(cloud_event()), 201),
    Route("POST", "/v1/events", BATCH, as_json([cloud_event()]), 200),
    Route("POST", "/v1/events", NDJSON, as_json(cloud_event()), 200),
    Route("PUT", "/v1/clients/acme", "application/json", b'{"name": "Acme"}', 201),
    Route("POST", "/graphql", "application/json", QUERY, 200),
]
each_route = pytest.mark.parametrize("route", ROUTES)
each_coding = pytest.mark.parametrize("coding", CODINGS)


@each_coding
@each_route
async def test_a_body_in_a_coding_is_read(api: httpx.AsyncClient, coding: Coding, route: Route):
    answer = await route.ask(api, coding, encoded(coding, route.body))
    assert answer.status_code == route.status, answer.text
    assert b'"problem"' not in answer.content
    plain = await route.ask(api, "identity", route.body)
    assert plain.status_code in (200, 201)


@each_route
@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "compress", "nonsense"])
async def test_a_coding_that_is_not_read_is_refused(api: httpx.AsyncClient, coding: str, route: Route):
    answer = await route.ask(api, coding, route.body)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "zstd, gzip")
    if route.path != "/graphql":
        check(answer, 415)


@each_coding
@each_route
@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: b"nonsense"], ids=["short", "nonsense"])
async def test_a_broken_body_is_refused_and_nothing_stored(
    api: httpx.AsyncClient, coding: Coding, route: Route, spoil: Callable[[bytes], bytes]
):
    answer = await route.ask(api, coding, spoil(encoded(coding, route.body)))
    if route.media == NDJSON:
        # A stream has begun to be answered: its last line tells.
        assert json.loads(answer.text.splitlines()[-1])["problem"]["status"] == 400
        return
    assert answer.status_code == 400, answer.text
    if route.path != "/graphql":
        check(answer, 400)
        assert (await api.get("/v1/events")).json()["items"] == []


@each_coding
@each_route
async def test_a_bomb_is_refused(api: httpx.AsyncClient, coding: Coding, route: Route):
    answer = await route.ask(api, coding, bomb(coding))
    if route.media == NDJSON:
        assert json.loads(answer.text.splitlines()[-1])["problem"]["status"] == 413
    else:
        assert answer.status_code == 413


@each_nothing
@each_route
async def test_members_without_anything_are_refused(
    api: httpx.AsyncClient, coding: Coding, nothing: bytes, route: Route
):
    answer = await route.ask(api, coding, nothing * 1001 + encoded(coding, route.body))
    if route.media == NDJSON:
        assert json.loads(answer.text.splitlines()[-1])["problem"]["status"] == 400
    else:
        assert answer.status_code == 400
    assert "next to nothing" in answer.text


async def test_others_have_their_turn_while_nothing_comes_out():
    body = gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 200_000
    turns = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    _, read = decoded({"type": "http", "headers": [(b"content-encoding", b"gzip")]}, receive)
    others = asyncio.create_task(other())
    try:
        with pytest.raises(BrokenCodingError):
            await read()
    finally:
        others.cancel()
    assert turns >= 50


@each_coding
@pytest.mark.parametrize("path", ["/v1/events", "/v1/policies", "/v1/clients/acme/simulate"])
async def test_so_it_is_with_a_key_of_idempotency(api: httpx.AsyncClient, coding: Coding, path: str):
    """Middleware reads the body first then; what was refused so is not kept."""
    for given, content, status in (
        ("br", b"{}", 415),
        (coding, encoded(coding, b"{}")[:-1], 400),
        (coding, bomb(coding), 413),
        (coding, encoded(coding, b"[]"), 422 if path != "/v1/events" else 400),
    ):
        media = STRUCTURED if path == "/v1/events" else "application/json"
        headers = {"Content-Type": media, "Content-Encoding": given, "Idempotency-Key": "the-same"}
        check(await api.post(path, content=content, headers=headers), status)


@each_coding
async def test_the_limits_are_those_of_the_decoded_body(api: httpx.AsyncClient, coding: Coding):
    """A batch that is short enough sent, and too long read."""
    long = b"[" + b" " * 8 * MEBIBYTE + b"]"
    headers = {"Content-Type": BATCH, "Content-Encoding": coding}
    check(await api.post("/v1/events", content=encoded(coding, long), headers=headers), 413)


@each_coding
async def test_a_stream_is_answered_as_it_arrives(api: httpx.AsyncClient, coding: Coding):
    lines = [as_json(cloud_event(f"{number}")) + b"\n" for number in range(3000)]
    data = encoded(coding, b"".join(lines))

    async def pieces():
        for start in range(0, len(data), 777):
            yield data[start : start + 777]

    headers = {"Content-Type": NDJSON, "Content-Encoding": coding}
    answer = await api.post("/v1/events", content=pieces(), headers=headers)
    assert json.loads(answer.text.splitlines()[-1])["summary"] == {"lines": 3000, "accepted": 3000}
