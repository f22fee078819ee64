"""Answers in zstd and gzip."""

import json
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from app.edge.cors import Cors
from app.edge.edge import Edge
from app.wire.codings import CODINGS, Coding, Decoder
from tests.cloud_events import NDJSON, as_json, cloud_event
from tests.wire.test_codings import decoded

LONG = b'{"value": "' + b"long " * 500 + b'"}'


def raw(app: ASGIApp) -> httpx.AsyncClient:
    """A client that decodes nothing by itself."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test", headers={"Accept-Encoding": ""}
    )


async def bytes_of(http: httpx.AsyncClient, path: str = "/", **headers: str) -> tuple[httpx.Response, bytes]:
    async with http.stream(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    ) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


def answering(body: bytes, headers: dict[str, str], status: int = 200) -> Edge:
    async def app(scope, receive, send) -> None:
        request = Request(scope)
        if request.headers.get("if-none-match") == headers.get("ETag", ""):
            await Response(None, 304, headers)(scope, receive, send)
        else:
            await Response(body, status, headers)(scope, receive, send)

    return Edge(app, Cors(()))


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_long_answer_is_encoded(coding: Coding):
    async with raw(answering(LONG, {"Content-Type": "application/json", "ETag": '"abc"'})) as http:
        answer, body = await bytes_of(http, accept_encoding=coding)
        assert answer.headers["content-encoding"] == coding
        assert answer.headers["content-length"] == str(len(body))
        assert answer.headers["etag"] == f'"abc-{coding}"'
        assert answer.headers["vary"] == "Accept-Encoding"
        assert len(body) < len(LONG) / 5
        assert decoded(coding, body) == LONG
        head = await http.head("/", headers={"Accept-Encoding": coding})
        assert head.headers["content-length"] == str(len(body))
        assert head.headers["etag"] == f'"abc-{coding}"'


async def test_the_same_without():
    async with raw(answering(LONG, {"Content-Type": "application/json", "ETag": '"abc"'})) as http:
        answer, body = await bytes_of(http)
    assert "content-encoding" not in answer.headers
    assert (answer.headers["etag"], answer.headers["vary"], body) == ('"abc"', "Accept-Encoding", LONG)


@pytest.mark.parametrize("tag", ['"abc-zstd"', 'W/"x", "abc-zstd"', '"abc-zstd", "x-gzip"'])
async def test_who_has_it_in_a_coding_is_told_that_it_is_the_same(tag: str):
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append(Request(scope).headers["if-none-match"])
        await Response(None, 304, {"ETag": '"abc"'})(scope, receive, send)

    async with raw(Edge(app, Cors(()))) as http:
        answer, body = await bytes_of(http, if_none_match=tag, accept_encoding="zstd")
    assert (answer.status_code, body) == (304, b"")
    assert answer.headers["etag"] == '"abc-zstd"'
    assert seen == [tag.replace("-zstd", "").replace("-gzip", "")]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Content-Type": "application/json"}, 200),
        (LONG, {"Content-Type": "image/png"}, 200),
        (LONG, {"Content-Type": "text/event-stream"}, 200),
        (LONG, {"Content-Type": "application/json", "Cache-Control": "no-transform"}, 200),
        (LONG, {"Content-Type": "application/json", "Content-Encoding": "br"}, 200),
        (LONG, {"Content-Type": "application/json", "Content-Range": "bytes 0-1/2"}, 206),
        (LONG, {}, 200),
    ],
)
async def test_what_is_left_as_it_is(body: bytes, headers: dict[str, str], status: int):
    async with raw(answering(body, {**headers, "ETag": '"abc"'}, status)) as http:
        answer, found = await bytes_of(http, accept_encoding="zstd, gzip")
    assert found == body
    assert answer.headers["etag"] == '"abc"'
    assert answer.headers.get("content-encoding") == headers.get("Content-Encoding")


async def test_a_weak_tag_names_what_is_said_in_any_coding():
    async with raw(answering(LONG, {"Content-Type": "application/json", "ETag": 'W/"abc"'})) as http:
        answer, _ = await bytes_of(http, accept_encoding="gzip")
    assert answer.headers["etag"] == 'W/"abc"'


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("media", ["application/x-ndjson", "text/plain"])
async def test_a_stream_can_be_read_piece_by_piece(coding: Coding, media: str):
    parts = [b"line %d\n" % number * 50 for number in range(5)]

    async def app(scope, receive, send) -> None:
        async def content() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        await StreamingResponse(content(), media_type=media)(scope, receive, send)

    messages = []

    async def send(message) -> None:
        messages.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", coding.encode())]}
    await Edge(app, Cors(()))({**scope, "asgi": {"spec_version": "2.4"}}, receive, send)
    headers = dict(messages[0]["headers"])
    assert headers[b"content-encoding"] == coding.encode()
    assert b"content-length" not in headers
    decoder = Decoder(coding)
    found = [b"".join(decoder.feed(one["body"], is_last=not one.get("more_body"))) for one in messages[1:]]
    assert [one for one in found if one] == parts


@pytest.mark.parametrize("coding", CODINGS)
async def test_answers_of_the_application(api: httpx.AsyncClient, application: FastAPI, coding: Coding):
    bearer = {"Authorization": api.headers["Authorization"]}
    events: Iterable[bytes] = [as_json(cloud_event(f"{number}")) for number in range(100)]
    async with raw(application) as http:
        async with http.stream(
            "POST",
            "/v1/events",
            content=b"\n".join(events),
            headers={"Content-Type": NDJSON, "Accept-Encoding": coding, **bearer},
        ) as answer:
            body = b"".join([piece async for piece in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == coding
        assert json.loads(decoded(coding, body).splitlines()[-1])["summary"] == {"lines": 100, "accepted": 100}
        for path in ("/openapi.json", "/v1/events", "/metrics", "/graphql/assets/graphiql.js", "/problems"):
            whole, plain = await bytes_of(http, path, **bearer)
            answer, body = await bytes_of(http, path, accept_encoding=coding, **bearer)
            assert answer.headers["content-encoding"] == coding, path
            assert path == "/metrics" or decoded(coding, body) == plain
            assert whole.headers.get("etag") != answer.headers.get("etag") or "etag" not in whole.headers


async def test_a_client_that_takes_nothing_plain_is_sent_nothing_plain():
    async with raw(answering(b"{}", {"Content-Type": "application/json"})) as http:
        answer, body = await bytes_of(http, accept_encoding="gzip, identity;q=0")
        assert (answer.headers["content-encoding"], decoded("gzip", body)) == ("gzip", b"{}")
        assert answer.headers["content-length"] == str(len(body))
    async with raw(answering(b"pixels", {"Content-Type": "image/png"})) as http:
        answer, body = await bytes_of(http, accept_encoding="zstd, *;q=0")
        assert (answer.headers["content-encoding"], decoded("zstd", body)) == ("zstd", b"pixels")


@pytest.mark.parametrize("header", ["identity;q=0", "br, *;q=0", "*;q=0"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_that_takes_nothing_that_there_is_is_refused_before_anything_is_done(header: str, method: str):
    async def app(scope, receive, send) -> None:
        raise AssertionError("it was asked")

    async with raw(Edge(app, Cors(()))) as http:
        answer = await http.request(method, "/", headers={"Accept-Encoding": header})
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")
    assert "zstd, gzip or identity" in answer.json()["detail"]


async def test_a_header_may_have_several_lines():
    async with raw(answering(LONG, {"Content-Type": "application/json"})) as http:
        answer = await http.get("/", headers=[("Accept-Encoding", "br"), ("Accept-Encoding", "gzip;q=0.5")])
        assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("coding", CODINGS)
async def test_tags_in_a_coding_are_taken_in_conditions(api: httpx.AsyncClient, coding: Coding):
    """As those of the bare answer are, which is another one."""

    def read(found: httpx.Response) -> object:
        # The client decodes gzip by itself.
        return json.loads(found.content if coding == "gzip" else decoded(coding, found.content))

    await api.put("/v1/clients/acme", json={"name": "Acme"})
    coded = {"Accept-Encoding": f"{coding}, identity;q=0"}
    plain = await api.get("/v1/clients/acme", headers={"Accept-Encoding": "identity"})
    answer = await api.get("/v1/clients/acme", headers=coded)
    tag = answer.headers["etag"]
    assert (answer.headers["content-encoding"], tag) == (coding, f'{plain.headers["etag"][:-1]}-{coding}"')
    assert read(answer) == plain.json()
    for given in (tag, f"W/{tag}", f'"x", {tag}'):
        same = await api.get("/v1/clients/acme", headers={**coded, "If-None-Match": given})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        assert "content-encoding" not in same.headers
    changed = await api.put("/v1/clients/acme", json={"name": "Other"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    refused = await api.put("/v1/clients/acme", json={"name": "Third"}, headers={"If-Match": tag})
    assert refused.status_code == 412
    again = await api.get("/v1/clients/acme", headers={**coded, "If-None-Match": tag})
    assert (again.status_code, read(again) != plain.json()) == (200, True)
