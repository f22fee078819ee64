"""Every answer names its request, and so does what is logged meanwhile."""

import logging
import re

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.edge.cors import Cors
from app.edge.edge import Edge
from app.use_cases.at_hand import REQUEST_ID

MADE = re.compile("[0-9a-f]{32}")


@pytest.mark.parametrize("given", ["7", "a-b.c_d:e/f+g=", "x" * 128, "0af7651916cd43dd8448eb211c80319c"])
async def test_the_id_that_the_sender_gives_is_kept(api: httpx.AsyncClient, given: str):
    assert (await api.get("/livez", headers={"X-Request-Id": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", 'a"b', "a\tb", "a,b", "é"])
async def test_else_it_is_made(api: httpx.AsyncClient, given: str | None):
    headers = [] if given is None else [(b"X-Request-Id", given.encode("latin-1"))]
    assert MADE.fullmatch((await api.get("/livez", headers=headers)).headers["x-request-id"])


async def test_every_answer_has_one_of_its_own(api: httpx.AsyncClient):
    answers = [
        await api.request(method, path)
        for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE")
        for path in ("/livez", "/nothing", "/v1/clients", "/v1/events", "/graphql", "/graphql/assets/none")
    ]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


async def test_an_error_is_answered_by_a_problem_and_logged_with_the_id(caplog: pytest.LogCaptureFixture):
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    def note(record: logging.LogRecord) -> bool:
        record.request_id = REQUEST_ID.get()
        return True

    caplog.handler.addFilter(note)
    transport = httpx.ASGITransport(Edge(broken, Cors(())))
    with caplog.at_level(logging.ERROR):
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            answer = await http.get("/", headers={"X-Request-Id": "seven"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.headers["x-request-id"] == "seven"
    assert answer.json()["type"] == "/problems/internal-error"
    (record,) = [one for one in caplog.records if one.name == "partwise.edge"]
    assert (record.request_id, record.exc_info is None) == ("seven", False)


async def test_the_application_sees_it():
    seen = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"]["request_id"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(Edge(look, Cors(()))), base_url="http://test") as http:
        await http.get("/", headers={"X-Request-Id": "seven"})
    assert seen == ["seven"]
