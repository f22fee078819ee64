"""What is deprecated says so in its answers and in the document: one table for both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.edge.cors import Cors
from app.edge.edge import Edge
from app.rest.application import Application, create_rest
from app.rest.deprecations import DEPRECATIONS, Deprecation
from app.scopes import OPEN, REST
from app.services import Services

SINCE = datetime(2026, 6, 1, tzinfo=UTC)
SUNSET = datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)
TABLE = (
    Deprecation(
        "GET /v1/clients/{client_id}/history", SINCE, "use the timeline.", SUNSET, page="/problems/not-found#history"
    ),
    Deprecation("PUT /v1/clients/{client_id}", SINCE, "say nothing any more."),
    Deprecation("GET /v1/events", SINCE, "filter by type.", SUNSET, part="?source"),
    Deprecation("GET /v1/clients/{client_id}", SINCE, "it is always the same.", part="ClientAnswer.currency"),
)


@asynccontextmanager
async def _lasting(rest: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
def rest(services: Services) -> Application:
    """The real application, with rows in its table."""
    made = create_rest(services, _lasting, TABLE)
    made.surround(lambda inside: Edge(inside, Cors(())))
    return made


@pytest.fixture
async def http(rest: Application, api: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    bearer = {"Authorization": api.headers["Authorization"]}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(rest), base_url="http://test", headers=bearer) as client:
        yield client


def told(answer: httpx.Response) -> tuple[str | None, str | None]:
    return answer.headers.get("deprecation"), answer.headers.get("sunset")


ALL = (f"@{int(SINCE.timestamp())}", "Sun, 31 Jan 2027 23:59:59 GMT")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_answer_of_a_deprecated_operation_says_so(http: httpx.AsyncClient, method: str):
    await http.put("/v1/clients/a%2Fb", json={"name": "Acme"})
    for path, status in (("a%2Fb", 200), ("nobody", 404), ("a%2Fb/history", 404)):
        answer = await http.request(method, f"/v1/clients/{path}/history")
        assert answer.status_code == status
        if "history" not in path:
            assert told(answer) == ALL
            assert '</problems/not-found#history>; rel="deprecation"; type="text/html"' in answer.headers["link"]
        else:
            assert told(answer) == (None, None)
    refused = await http.request(method, "/v1/clients/acme/history", headers={"Authorization": ""})
    assert (refused.status_code, told(refused)) == (401, ALL)


async def test_what_has_no_end_yet_names_none(http: httpx.AsyncClient):
    answer = await http.put("/v1/clients/acme", json={"name": "Acme"})
    assert answer.status_code == 201
    assert told(answer) == (ALL[0], None)


async def test_other_methods_of_its_path_are_not_deprecated(http: httpx.AsyncClient):
    await http.put("/v1/clients/acme", json={"name": "Acme"})
    answer = await http.get("/v1/clients/acme")
    assert (answer.status_code, told(answer)) == (200, (None, None))


async def test_a_parameter_is_deprecated_for_who_uses_it(http: httpx.AsyncClient):
    assert told(await http.get("/v1/events?limit=1")) == (None, None)
    assert told(await http.get("/v1/events?limit=1&source=%2Fcrm")) == ALL


def test_the_document_says_so_too(rest: Application):
    document: dict[str, Any] = rest.openapi()
    history = document["paths"]["/v1/clients/{client_id}/history"]["get"]
    assert history["deprecated"] is True
    assert history["description"].endswith(
        "\n\nDeprecated since 2026-06-01, and may be gone from 2027-01-31 on: use the timeline."
    )
    assert {"Deprecation", "Sunset"} <= set(history["responses"]["200"]["headers"])
    events = document["paths"]["/v1/events"]["get"]
    assert "deprecated" not in events
    (source,) = [one for one in events["parameters"] if one.get("name") == "source"]
    assert source["deprecated"] is True
    assert "Deprecation" in events["responses"]["200"]["headers"]
    assert document["components"]["schemas"]["ClientAnswer"]["properties"]["currency"]["deprecated"] is True
    assert "deprecated" not in document["paths"]["/v1/clients/{client_id}"]["get"]


@pytest.mark.parametrize(
    ("operation", "part"),
    [
        ("GET /v1/nothing", ""),
        ("PATCH /v1/events", ""),
        ("GET /v1/events", "?nothing"),
        ("GET /v1/events", "EventAnswer.nothing"),
        ("GET /v1/events", "Nothing.id"),
    ],
)
def test_a_row_names_what_there_is(services: Services, operation: str, part: str):
    made = create_rest(services, _lasting, [Deprecation(operation, SINCE, "", part=part)])
    with pytest.raises(ValueError, match="there is no"):
        made.openapi()


def test_the_table_gives_time():
    for row in DEPRECATIONS:
        assert row.operation in {*REST, *OPEN}
        assert row.since.utcoffset() is not None
        assert row.sunset is None or (row.sunset - row.since).days >= 180
        assert row.instead.endswith(".")
