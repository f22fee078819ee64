"""The main job over HTTP, against a real Postgres."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from app.cli.demo import load_demo
from app.composition import create_app
from app.settings import Settings


@pytest.fixture
async def http(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API with the demo tenant's key."""
    settings = Settings().with_database(database_url)
    key = await load_demo(settings)
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {key}"}
        ) as client,
    ):
        yield client


def event(event_id: str, amount: str = "10") -> dict[str, object]:
    """One invoice."""
    data = {"invoice": "A", "amount": amount, "currency": "EUR", "due_date": "2026-02-01"}
    envelope = {"specversion": "1.0", "id": event_id, "source": "/t", "type": "invoice.issued", "subject": "acme"}
    return {**envelope, "time": "2026-01-01T00:00:00Z", "data": data}


async def test_stories_have_their_verdicts(http: httpx.AsyncClient) -> None:
    items = (await http.get("/v1/clients")).json()["items"]
    verdicts = {item["client_id"]: item["score"]["verdict"] for item in items}
    assert verdicts["harbour-coffee"] == "keep"
    assert verdicts["mirage-ventures"] == "part"


async def test_an_event_is_stored_once_and_other_content_is_a_conflict(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    sent = [event("1"), event("1"), event("1", "11"), event("2", "-1")]

    answer = (await http.post("/v1/events", content=json.dumps(sent), headers=headers)).json()
    assert [result["status"] for result in answer["results"]] == ["accepted", "duplicate", "conflict", "invalid"]
    assert answer["results"][3]["errors"][0]["pointer"] == "/data/amount"


async def test_a_stream_is_answered_line_by_line(http: httpx.AsyncClient) -> None:

    body = "\n".join(json.dumps(event(f"s{n}")) for n in range(2500))
    answer = await http.post("/v1/events", content=body, headers={"Content-Type": "application/x-ndjson"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1] == {"summary": {"lines": 2500, "accepted": 2500}}
    assert lines[2499]["line"] == 2500


async def test_points_add_up(http: httpx.AsyncClient) -> None:
    found = (await http.get("/v1/clients/granite-logistics/explanation")).json()
    prior = 100 / (1 + 10 ** (-found["prior_decibans"] / 10))
    assert abs(sum(sign["points"] for sign in found["signs"]) - (found["score"] - prior)) < 1e-9


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/nix", 404), ("/v1/clients/none/score", 404), ("/v1/clients?as_of=x", 422), ("/v1/clients?limit=0", 422)],
)
async def test_errors_are_problems(http: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
