"""Events over HTTP: every mode, every answer."""

import json
from typing import Any

import httpx
import pytest

from app.core.events import CATALOGUE
from tests.cloud_events import BATCH, EVERY_TYPE, NDJSON, STRUCTURED, as_json, cloud_event


async def send(api: httpx.AsyncClient, event: Any, media: str = STRUCTURED, query: str = "") -> httpx.Response:
    body = event if isinstance(event, bytes) else as_json(event)
    return await api.post(f"/v1/events{query}", content=body, headers={"Content-Type": media})


async def stored(api: httpx.AsyncClient) -> list[str]:
    return [item["id"] for item in (await api.get("/v1/events?limit=200")).json()["items"]]


async def test_one_event_after_another(api: httpx.AsyncClient):
    first, again = await send(api, cloud_event()), await send(api, cloud_event())
    other = await send(api, cloud_event(subject="other"))
    wrong = await send(api, cloud_event(data={}))
    assert [answer.status_code for answer in (first, again, other, wrong)] == [201, 200, 409, 422]
    assert first.json()["results"] == [{"index": 0, "id": "1", "source": "/t", "status": "accepted"}]
    assert again.json()["duplicate"] == 1
    assert other.json()["errors"][0]["pointer"] == "/id"
    assert {error["pointer"] for error in wrong.json()["errors"]} == {
        "/data/invoice",
        "/data/amount",
        "/data/currency",
        "/data/due_date",
    }


@pytest.mark.parametrize("media", [STRUCTURED, "application/json", "Application/CloudEvents+JSON; charset=UTF-8"])
async def test_media_types_of_one_event(api: httpx.AsyncClient, media: str):
    assert (await send(api, cloud_event(), media)).status_code == 201


@pytest.mark.parametrize("media", [BATCH, "application/json", "application/cloudevents-batch+json; charset=utf-8"])
async def test_media_types_of_a_batch(api: httpx.AsyncClient, media: str):
    answer = await send(api, [cloud_event("1"), cloud_event("2")], media)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)


async def test_binary_mode(api: httpx.AsyncClient):
    event = cloud_event()
    headers = {f"ce-{name}": str(value) for name, value in event.items() if name != "data"}
    body = as_json(event["data"])
    answer = await api.post("/v1/events", content=body, headers={**headers, "Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    assert (await send(api, event)).status_code == 200, "the same event in structured mode is a duplicate"


@pytest.mark.parametrize("name", ["id", "subject"])
@pytest.mark.parametrize("value", [b"%fe1", b"%ff1", b"%ed%a0%80", b"\xfe1", b"\xc3\xa9"])
async def test_binary_mode_takes_percent_encoded_utf8_alone(api: httpx.AsyncClient, name: str, value: bytes):
    event = cloud_event()
    given = {f"ce-{name}": str(value).encode() for name, value in event.items() if name != "data"}
    headers = {**given, f"ce-{name}": value, "Content-Type": b"application/json"}
    answer = await api.post(
        "/v1/events",
        content=as_json(event["data"]),
        headers=[(name.encode(), value) for name, value in headers.items()],
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] == [{"pointer": f"/{name}", "detail": "expected percent-encoded UTF-8"}]
    assert (await api.get("/v1/events")).json()["items"] == []


async def test_every_type_of_the_catalogue_in_one_batch(api: httpx.AsyncClient):
    batch = [cloud_event(f"all-{n}", kind) for n, kind in enumerate(CATALOGUE)]
    answer = await send(api, batch, BATCH)
    assert answer.json()["accepted"] == len(CATALOGUE)
    found = (await api.get("/v1/clients/acme/explanation")).json()
    assert len(found["signs"]) == 6


async def test_a_batch_is_answered_event_by_event(api: httpx.AsyncClient):
    sent = [cloud_event("1"), cloud_event("1"), cloud_event("1", subject="x"), cloud_event("2", data={}), 5]
    answer = (await send(api, sent, BATCH)).json()
    assert [one["status"] for one in answer["results"]] == ["accepted", "duplicate", "conflict", "invalid", "invalid"]
    assert [one["index"] for one in answer["results"]] == [0, 1, 2, 3, 4]
    assert {name: answer[name] for name in ("accepted", "duplicate", "conflict", "invalid")} == {
        "accepted": 1,
        "duplicate": 1,
        "conflict": 1,
        "invalid": 2,
    }
    assert await stored(api) == ["1"]


async def test_an_atomic_batch_is_all_or_nothing(api: httpx.AsyncClient):
    refused = await send(api, [cloud_event("1"), cloud_event("2", data={})], BATCH, "?atomic=true")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith("/1/data/")
    assert await stored(api) == []
    taken = await send(api, [cloud_event("1"), cloud_event("2")], BATCH, "?atomic=true")
    assert (taken.status_code, taken.json()["accepted"]) == (200, 2)
    conflict = await send(api, [cloud_event("3"), cloud_event("2", subject="x")], BATCH, "?atomic=true")
    assert (conflict.status_code, conflict.json()["errors"][0]["pointer"]) == (422, "/1/id")
    assert await stored(api) == ["1", "2"]


async def test_a_stream_is_answered_line_by_line(api: httpx.AsyncClient):
    lines = [as_json(cloud_event("1")), b"", b"nonsense", as_json(cloud_event("1")), as_json(cloud_event("2"))]
    answer = await send(api, b"\r\n".join(lines), NDJSON)
    assert answer.headers["content-type"] == NDJSON
    *found, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [(one["line"], one["status"]) for one in found] == [
        (1, "accepted"),
        (3, "invalid"),
        (4, "duplicate"),
        (5, "accepted"),
    ]
    assert last == {"summary": {"lines": 5, "accepted": 2, "duplicate": 1, "invalid": 1}}


async def test_an_empty_stream_has_a_summary(api: httpx.AsyncClient):
    assert json.loads((await send(api, b"", NDJSON)).text) == {"summary": {"lines": 0}}


async def test_a_line_without_end_stops_the_stream_and_keeps_what_was_answered(api: httpx.AsyncClient):
    answer = await send(api, as_json(cloud_event("1")) + b"\n" + b"x" * 300_000, NDJSON)
    assert json.loads(answer.text.splitlines()[-1])["problem"]["status"] == 413


async def test_events_are_found_and_listed(api: httpx.AsyncClient):
    batch = [cloud_event(f"e{n}", "call.received", f"c{n % 2}", time=f"2026-01-0{n + 1}T00:00:00Z") for n in range(5)]
    await send(api, batch, BATCH)
    one = (await api.get("/v1/events/e1")).json()
    assert (one["id"], one["subject"], one["type"], one["time"]) == (
        "e1",
        "c1",
        "call.received",
        "2026-01-02T00:00:00Z",
    )
    assert one["data"] == {"channel": "phone", "urgent": False}
    names: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/events?limit=2{cursor}")).json()
        names += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert names == ["e0", "e1", "e2", "e3", "e4"]
    assert [item["id"] for item in (await api.get("/v1/events?client_id=c1")).json()["items"]] == ["e1", "e3"]
    window = "/v1/events?since=2026-01-02T00:00:00Z&until=2026-01-04T00:00:00Z"
    assert [item["id"] for item in (await api.get(window)).json()["items"]] == ["e1", "e2"]


async def test_an_id_of_two_sources_is_ambiguous(api: httpx.AsyncClient):
    await send(api, [cloud_event("1"), cloud_event("1", source="/other")], BATCH)
    assert (await api.get("/v1/events/1")).status_code == 409
    assert (await api.get("/v1/events/1?source=/other")).json()["source"] == "/other"


async def test_the_catalogue_is_served_without_a_key(api: httpx.AsyncClient):
    answer = await api.get("/v1/event-types", headers={"Authorization": ""})
    items = answer.json()["items"]
    assert [item["type"] for item in items] == list(CATALOGUE)
    assert set(items[0]) == {"type", "summary", "schema"}
    assert set(EVERY_TYPE) == {item["type"] for item in items}


async def test_events_are_listed_from_a_viewpoint(api: httpx.AsyncClient):
    await send(api, [cloud_event(f"e{n}", time=f"2026-01-0{n + 1}T10:00:00Z") for n in range(5)], BATCH)

    async def named(query: str) -> list[str]:
        return [item["id"] for item in (await api.get(f"/v1/events?{query}")).json()["items"]]

    assert await named("as_of=2026-01-02T10:00:00Z") == ["e0", "e1"]
    assert await named("as_of=2026-01-02") == ["e0", "e1"]
    assert await named("known_at=2026-01-31") == []  # we were told only now
    assert len(await named("known_at=2199-12-31")) == 5
    assert (await api.get("/v1/events?known_at=soon")).json()["errors"][0]["pointer"] == "?known_at"
