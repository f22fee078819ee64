"""Observers are told how each request went, whoever answers it, and harm none."""

import httpx
import pytest
from fastapi import FastAPI

from app.composition import create_app
from app.edge.observed import Exchange, Observed
from app.rest.application import Application
from app.settings import Settings
from tests.cloud_events import NDJSON, as_json, cloud_event


class Notes:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.began_with: list[str] = []
        self.ended_with: list[Exchange] = []

    def began(self, exchange: Exchange) -> None:
        assert exchange.route == "unmatched"
        self.began_with.append(exchange.method)

    def ended(self, exchange: Exchange) -> None:
        assert exchange.seconds > 0
        self.ended_with.append(exchange)


class Broken:
    """Fails whatever it is told."""

    def began(self, exchange: Exchange) -> None:
        raise RuntimeError

    def ended(self, exchange: Exchange) -> None:
        raise RuntimeError


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
async def http(api: httpx.AsyncClient, database_url: str, notes: Notes):
    """An application of its own with observers around all that it has."""
    app = create_app(Settings(cors_origins=("https://app.example",)).with_database(database_url))
    assert isinstance(app, Application)
    operations = app.operations | {("GET", "/graphql"), ("POST", "/graphql")}
    app.surround(lambda inside: Observed(inside, operations, [notes, Broken()]))
    key = api.headers["Authorization"]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", headers={"Authorization": key}) as found,
    ):
        yield found


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/v1/clients/none/score", ("GET", "/v1/clients/{client_id}/score", 404, "not-found")),
        ("GET", "/v1/clients/a%2Fb/score", ("GET", "/v1/clients/{client_id}/score", 404, "not-found")),
        ("HEAD", "/v1/clients", ("HEAD", "/v1/clients", 200, None)),
        ("GET", "/v1/clients?limit=0", ("GET", "/v1/clients", 422, "invalid-request")),
        ("DELETE", "/v1/clients", ("DELETE", "unmatched", 405, "method-not-allowed")),
        ("OPTIONS", "/v1/clients", ("OPTIONS", "unmatched", 204, None)),
        ("BREW", "/v1/clients", ("other", "unmatched", 405, "method-not-allowed")),
        ("GET", "/nothing/here", ("GET", "unmatched", 404, "not-found")),
        ("GET", "/problems/not-found", ("GET", "/problems/{slug}", 200, None)),
        ("GET", "/readyz", ("GET", "/readyz", 200, None)),
        ("GET", "/docs", ("GET", "/docs", 200, None)),
        ("GET", "/graphql?query={__typename}", ("GET", "/graphql", 200, None)),
        ("PUT", "/graphql", ("PUT", "unmatched", 405, None)),
    ],
)
async def test_what_is_told(http: httpx.AsyncClient, notes: Notes, method: str, path: str, told: tuple):
    answer = await http.request(method, path)
    (found,) = notes.ended_with
    assert (found.method, found.route, found.status, found.problem) == told
    assert answer.status_code == found.status
    assert found.scope["state"]["request_id"] == answer.headers["x-request-id"]
    assert notes.began_with == [told[0]]
    assert not found.is_stream


async def test_what_the_edge_answers_is_told_too(http: httpx.AsyncClient, notes: Notes):
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    await http.options("/v1/clients", headers=preflight)
    await http.get("/v1/clients", headers={"Accept-Encoding": "identity;q=0"})
    await http.get("/v1/clients", headers={"Authorization": "Bearer nonsense"})
    assert [(one.status, one.problem) for one in notes.ended_with] == [
        (204, None),
        (406, "not-acceptable"),
        (401, "unauthenticated"),
    ]


async def test_a_stream_is_told_as_one(http: httpx.AsyncClient, notes: Notes):
    await http.post("/v1/events", content=as_json(cloud_event("1")) + b"\n", headers={"Content-Type": NDJSON})
    (found,) = notes.ended_with
    assert (found.route, found.is_stream) == ("/v1/events", True)


async def test_an_answer_that_is_kept_is_told_as_the_first_was(http: httpx.AsyncClient, notes: Notes):
    headers = {"Idempotency-Key": "one"}
    for _ in range(2):
        await http.post("/v1/api-keys", json={"name": "x", "scopes": ["read"]}, headers=headers)
    assert [(one.method, one.status) for one in notes.ended_with] == [("POST", 201)] * 2


async def test_every_operation_of_the_document_is_known(application: FastAPI):
    document = application.openapi()
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told <= application.operations
