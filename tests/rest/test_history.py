"""Time travel over HTTP: a history as a series, the timeline of the events, the trend."""

from typing import Any

import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.test_bad_input import check

INVOICE = cloud_event(
    "i1",
    data={"invoice": "INV-1", "amount": 100, "currency": "USD", "due_date": "2026-01-31"},
    time="2026-01-01T09:00:00Z",
)
CALL = cloud_event("c1", "call.received", time="2026-02-10T23:00:00Z", data={"urgent": True})
PAID = cloud_event("p1", "invoice.paid", time="2026-03-10T09:00:00Z", data={"invoice": "INV-1"})
AS_OF = "as_of=2026-03-31"


@pytest.fixture
async def acme(api: httpx.AsyncClient) -> httpx.AsyncClient:
    answer = await api.post("/v1/events", content=as_json([INVOICE, CALL, PAID]), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == 3, answer.text
    return api


async def get(api: httpx.AsyncClient, what: str, query: str = AS_OF) -> dict[str, Any]:
    answer = await api.get(f"/v1/clients/acme/{what}?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("step", "count", "second"), [("day", 91, "2025-12-31"), ("week", 53, "2025-04-13")])
async def test_every_step_is_what_the_score_was(acme: httpx.AsyncClient, step: str, count: int, second: str):
    found = await get(acme, "history", f"{AS_OF}&step={step}")
    assert (found["step"], found["client_id"], len(found["items"])) == (step, "acme", count)
    assert found["items"][1]["as_of"][:10] == second or step == "day"
    last, score = found["items"][-1], await get(acme, "score")
    assert {name: last[name] for name in last if name != "decibans"} == {
        name: score[name] for name in last if name in score
    }
    assert max(item["score"] for item in found["items"]) > found["items"][-1]["score"]


async def test_a_history_begins_where_it_is_told_to(acme: httpx.AsyncClient):
    found = await get(acme, "history", f"{AS_OF}&step=month&from=2026-01-15")
    assert [item["as_of"][:10] for item in found["items"]] == ["2026-01-31", "2026-02-28", "2026-03-31"]
    explained = await get(acme, "explanation")
    assert found["items"][-1]["decibans"] == {sign["sign"]: sign["decibans"] for sign in explained["signs"]}
    assert found["items"][1]["score"] > found["items"][-1]["score"]
    one = await get(acme, "history", f"{AS_OF}&from=2026-03-31")
    assert len(one["items"]) == 1


async def test_a_history_shows_what_had_been_told(acme: httpx.AsyncClient):
    found = await get(acme, "history", f"{AS_OF}&step=month&known_at=2026-01-15")
    assert {item["evidence_level"] for item in found["items"]} == {"none"}
    assert found["known_at"] == "2026-01-15T23:59:59.999999Z"


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-04-01",
        "from=2026-01-01T00:00:00Z",
        "from=x",
        "from=1969-12-31",
        "from=2020-01-01&step=day",
        "from=1970-01-01&step=month",
        "step=year",
        "step=",
        "from=",
        "as_of=x",
    ],
)
async def test_a_history_that_cannot_be_is_refused(acme: httpx.AsyncClient, query: str):
    problem = check(await acme.get(f"/v1/clients/acme/history?{AS_OF}&{query}"), 422)
    assert [error["pointer"] for error in problem["errors"]] == [f"?{query.partition('=')[0]}"]


async def test_a_timeline_says_what_each_event_did(acme: httpx.AsyncClient):
    found = await get(acme, "timeline")
    assert found["next"] is None
    paid, call, issued = found["items"]
    assert [item["id"] for item in (paid, call, issued)] == ["p1", "c1", "i1"]
    assert issued["change"] == 0, "it was not due yet"
    assert call["change"] > 0 > paid["change"]
    assert [one["sign"] for one in call["moved"]] == ["time"]
    assert [one["sign"] for one in paid["moved"]] == ["nonpayment"], "how late it is was known before"
    for item in found["items"]:
        assert item["score"] - item["score_before"] == pytest.approx(item["change"])
        assert sum(one["points"] for one in item["moved"]) == pytest.approx(item["change"], abs=1e-9)
    assert [item["id"] for item in (await get(acme, "timeline", "as_of=2026-02-28"))["items"]] == ["c1", "i1"]


async def test_pages_of_a_timeline_keep_to_their_viewpoint(acme: httpx.AsyncClient):
    whole = (await get(acme, "timeline"))["items"]
    page = await get(acme, "timeline", f"{AS_OF}&limit=2")
    late = cloud_event("z9", "call.received", time="2026-01-05T23:00:00Z", data={})
    assert page["items"] == whole[:2]
    rest = await get(acme, "timeline", f"cursor={page['next']}&limit=2&{AS_OF}")
    assert (rest["items"], rest["next"]) == (whole[2:], None)
    await acme.post("/v1/events", content=as_json([late]), headers={"Content-Type": BATCH})
    assert [item["id"] for item in (await get(acme, "timeline", f"{AS_OF}&cursor={page['next']}"))["items"]] == [
        "z9",
        "i1",
    ]
    known = await get(acme, "timeline", f"{AS_OF}&known_at=2026-01-01")
    assert known["items"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=W10", "cursor=%00"])
async def test_a_page_that_cannot_be_is_refused(acme: httpx.AsyncClient, query: str):
    check(await acme.get(f"/v1/clients/acme/timeline?{query}"), 400 if "cursor" in query else 422)


async def test_a_cursor_of_another_list_is_refused(acme: httpx.AsyncClient):
    await acme.post("/v1/events", content=as_json(cloud_event("b1", client="b")), headers={"Content-Type": BATCH})
    for path in ("/v1/clients", "/v1/events"):
        cursor = (await acme.get(f"{path}?limit=1")).json()["next"]
        check(await acme.get(f"/v1/clients/acme/timeline?cursor={cursor}"), 400)


async def test_an_unknown_client_has_no_history(acme: httpx.AsyncClient):
    for what in ("history", "timeline", "explanation"):
        check(await acme.get(f"/v1/clients/nobody/{what}"), 404)


async def test_the_explanation_says_what_moved(acme: httpx.AsyncClient):
    found = await get(acme, "explanation")
    month, quarter = found["trend"]
    assert (month["days"], quarter["days"]) == (30, 90)
    assert month["score"] > found["score"] > quarter["score"]
    assert month["change"] < 0 < quarter["change"]
    assert month["moved"][0]["sign"] == "nonpayment"
    for trend in found["trend"]:
        assert trend["change"] == pytest.approx(found["score"] - trend["score"])
        assert sum(one["points"] for one in trend["moved"]) == pytest.approx(trend["change"], abs=1e-9)
