"""What-ifs over HTTP: nothing is stored, and what is supposed is what would come out."""

import json
from typing import Any

import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.test_bad_input import check

INVOICE = {"invoice": "INV-1", "amount": 100, "currency": "USD", "due_date": "2026-01-31"}
OVERDUE = cloud_event("i1", data=INVOICE, time="2026-01-01T09:00:00Z")
PAID = {"type": "invoice.paid", "time": "2026-02-20T09:00:00Z", "data": {"invoice": "INV-1"}}
AS_OF = "?as_of=2026-03-31"


async def send(api: httpx.AsyncClient, *events: dict[str, Any]) -> None:
    answer = await api.post("/v1/events", content=as_json(list(events)), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(events), answer.text


async def simulate(api: httpx.AsyncClient, *events: dict[str, Any], query: str = AS_OF) -> httpx.Response:
    return await api.post(f"/v1/clients/acme/simulate{query}", json={"events": list(events)})


async def explanation(api: httpx.AsyncClient, query: str = AS_OF) -> dict[str, Any]:
    """What a simulation says of one side too: all but the trend and what to do."""
    found: dict[str, Any] = (await api.get(f"/v1/clients/acme/explanation{query}")).json()
    for name in ("trend", "cost_of_staying", "strategy", "parting"):
        found.pop(name)
    return found


async def test_a_what_if_and_the_same_events_really_sent_are_identical(api: httpx.AsyncClient):
    others = [
        cloud_event(f"{client}{n}", client=client, data={**OVERDUE["data"], "invoice": f"{client}{n}"})
        for client in ("b", "c")
        for n in range(12)
    ]
    await send(api, OVERDUE, *others)
    before = await explanation(api)
    found = (await simulate(api, PAID)).json()
    assert found["before"] == before == await explanation(api), "nothing was stored"
    assert len((await api.get("/v1/events?client_id=acme")).json()["items"]) == 1
    assert found["after"]["score"] < found["before"]["score"]

    await send(api, cloud_event("p1", "invoice.paid", time=PAID["time"], data=PAID["data"]))
    after = await explanation(api)
    for sign in (*after["signs"], *found["after"]["signs"]):
        sign["events"] = len(sign["events"])
    assert found["after"] == after


async def test_differences_are_told_sign_by_sign(api: httpx.AsyncClient):
    await send(api, OVERDUE)
    found = (await simulate(api, PAID)).json()
    assert found["score_difference"] == found["after"]["score"] - found["before"]["score"]
    for difference, before, after in zip(
        found["differences"], found["before"]["signs"], found["after"]["signs"], strict=True
    ):
        assert difference["sign"] == before["sign"]
        assert difference["decibans"] == pytest.approx(after["decibans"] - before["decibans"])
    assert {one["sign"] for one in found["differences"] if one["decibans"] < 0} == {"nonpayment", "late"}


async def test_an_event_happens_at_as_of_unless_it_says_otherwise(api: httpx.AsyncClient):
    await send(api, OVERDUE)
    now = {"type": "invoice.paid", "data": {"invoice": "INV-1"}}
    assert (await simulate(api, now)).json()["after"]["score"] < (await explanation(api))["score"]
    later = {**now, "time": "2026-04-20T00:00:00Z"}
    found = (await simulate(api, later)).json()
    assert found["before"] == found["after"]
    assert (await simulate(api, later, query="?as_of=2026-05-01")).json()["score_difference"] < 0


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        ({}, "/events/0/type"),
        ({"type": "nothing"}, "/events/0/type"),
        ({"type": "invoice.paid"}, "/events/0/data/invoice"),
        ({**PAID, "subject": "other"}, "/events/0/subject"),
        ({**PAID, "time": "x"}, "/events/0/time"),
        ({**PAID, "data": {"invoice": "INV-1", "amount": 0}}, "/events/0/data/amount"),
        ({**PAID, "id": ""}, "/events/0/id"),
    ],
)
async def test_an_event_that_cannot_be_is_named(api: httpx.AsyncClient, event: dict[str, Any], pointer: str):
    await send(api, OVERDUE)
    assert pointer in [error["pointer"] for error in check(await simulate(api, event), 422)["errors"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"events": []}', 422),
        (b'{"events": [1]}', 422),
        (b'{"events": 5, "more": 1}', 422),
        (json.dumps({"events": [PAID] * 101}).encode(), 422),
        (json.dumps({"events": [{"type": "\ud800"}]}).encode(), 422),
        (b'{"events": [{"type": "call.received", "data": ' + b"[" * 50_000 + b"]" * 50_000 + b"}]}", 400),
        (b'{"events": [{"type": "invoice.paid", "data": {"invoice": "A", "amount": NaN}}]}', 400),
        (b" " * (8 * 1024 * 1024 + 1), 413),
    ],
)
async def test_a_body_that_cannot_be_used(api: httpx.AsyncClient, body: bytes, status: int):
    await send(api, OVERDUE)
    headers = {"Content-Type": "application/json"}
    check(await api.post(f"/v1/clients/acme/simulate{AS_OF}", content=body, headers=headers), status)


async def test_an_event_that_was_really_sent_changes_nothing_again(api: httpx.AsyncClient):
    await send(api, OVERDUE)
    found = (await simulate(api, {**OVERDUE, "data": {**INVOICE, "amount": 5}})).json()
    assert found["before"] == found["after"]


async def test_what_was_sent_for_another_client_changes_nothing(api: httpx.AsyncClient):
    """Ids are the tenant's: it would be a conflict."""
    await send(api, OVERDUE, cloud_event("theirs", "call.received", client="other"))
    found = (await simulate(api, {**PAID, "id": "theirs", "source": "/t"})).json()
    assert found["before"] == found["after"]


async def test_of_two_events_with_one_id_the_first_counts(api: httpx.AsyncClient):
    await send(api, OVERDUE)
    paid = {**PAID, "id": "x", "source": "/x"}
    call = {"type": "call.received", "id": "x", "source": "/x"}
    assert (await simulate(api, paid, call)).json() == (await simulate(api, paid)).json()
    assert (await simulate(api, call, paid)).json() == (await simulate(api, call)).json()


async def test_a_time_of_null_is_as_of(api: httpx.AsyncClient):
    await send(api, OVERDUE)
    now = {"type": "invoice.paid", "data": {"invoice": "INV-1"}}
    assert (await simulate(api, {**now, "time": None})).json() == (await simulate(api, now)).json()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"events": [1]}, "/events/0"),
        ({"events": [PAID, []]}, "/events/1"),
        ({"events": 5}, "/events"),
        ({"events": [PAID], "more": 1}, ""),
        ([], ""),
    ],
)
async def test_the_place_of_what_cannot_be_read_is_named(api: httpx.AsyncClient, body: Any, pointer: str):
    await send(api, OVERDUE)
    problem = check(await api.post(f"/v1/clients/acme/simulate{AS_OF}", json=body), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_an_unknown_client_cannot_be_simulated(api: httpx.AsyncClient):
    check(await simulate(api, PAID), 404)


async def test_known_at_shows_what_had_been_told(api: httpx.AsyncClient):
    await send(api, OVERDUE)
    told_now = await explanation(api)
    long_ago = await explanation(api, f"{AS_OF}&known_at=2026-01-15")
    assert told_now["known_at"] is None
    assert long_ago["known_at"] == "2026-01-15T23:59:59.999999Z"
    assert long_ago["evidence_level"] == "none", "the invoice was told today"
    assert told_now["score"] > long_ago["score"]
    page = (await api.get(f"/v1/clients{AS_OF}&known_at=2026-01-15")).json()
    assert page["items"][0]["score"]["score"] == long_ago["score"]
