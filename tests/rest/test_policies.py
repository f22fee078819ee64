"""Policies over HTTP: drafted, previewed, activated, never changed."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from app.core.policy import DEFAULT_POLICY
from app.ports.tenants import Scope
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check

AS_OF = "as_of=2026-03-31"
JSON = {"Content-Type": "application/json"}
NIGHT = {"opens": "18:00", "closes": "09:00"}


async def draft(api: httpx.AsyncClient, settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await api.post("/v1/policies", json={"settings": settings, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/policies/{found['version']}"
    return found


async def activate(api: httpx.AsyncClient, version: str) -> dict[str, Any]:
    answer = await api.post(f"/v1/policies/{version}/activate", headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def tell(api: httpx.AsyncClient) -> None:
    """One client is four days late, another calls at seven in the evening, in Berlin."""
    invoice = {"invoice": "A", "amount": 10, "currency": "USD", "due_date": "2026-03-20"}
    events = [
        cloud_event("i", data=invoice, time="2026-02-20T09:00:00Z", client="late"),
        cloud_event("p", "invoice.paid", data={"invoice": "A"}, time="2026-03-24T09:00:00Z", client="late"),
        *(
            cloud_event(f"c{n}", "call.received", time=f"2026-03-{n + 10}T17:30:00Z", data={}, client="b")
            for n in range(3)
        ),
    ]
    assert (await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})).status_code < 300


async def late(api: httpx.AsyncClient, path: str = "late") -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/v1/clients/{path}/explanation?{AS_OF}")).json()
    return found


async def test_the_default_holds_until_another_is_activated(api: httpx.AsyncClient):
    (only,) = (await api.get("/v1/policies")).json()["items"]
    assert (only["version"], only["active"]) == ("default-1", True)
    found = (await api.get("/v1/policies/default-1")).json()
    assert found["settings"]["half_life_days"] == DEFAULT_POLICY.half_life_days
    assert set(only) | {"settings"} == set(found)


async def test_a_draft_counts_for_nothing_until_it_is_activated(api: httpx.AsyncClient):
    await tell(api)
    before = await late(api)
    made = await draft(api, {"late": {"grace_days": 5}}, note="we are patient")
    assert (made["version"], made["based_on"], made["note"]) == ("v1", "default-1", "we are patient")
    assert (made["active"], made["activated_at"]) == (False, None)
    assert made["settings"]["late"]["grace_days"] == 5
    assert made["settings"]["late"]["full_days"] == DEFAULT_POLICY.late.full_days
    assert await late(api) == before

    active = await activate(api, "v1")
    assert (active["active"], active["settings"]) == (True, made["settings"])
    after = await late(api)
    assert after["policy_version"] == "v1"
    assert after["score"] < before["score"]
    items = (await api.get("/v1/policies")).json()["items"]
    assert [(one["version"], one["active"]) for one in items] == [("v1", True), ("default-1", False)]

    await activate(api, "default-1")
    assert await late(api) == before
    assert (await api.get("/v1/policies/v1")).json()["activated_at"] is not None


async def test_versions_build_on_each_other(api: httpx.AsyncClient):
    await draft(api, {"late": {"grace_days": 5}, "rate": {"floor": "90.50"}})
    await activate(api, "v1")
    second = await draft(api, {"long_unpaid_days": 60})
    assert (second["version"], second["based_on"]) == ("v2", "v1")
    assert (second["settings"]["late"]["grace_days"], second["settings"]["rate"]["floor"]) == (5, "90.50")
    third = await draft(api, {"rate": {"floor": None}}, based_on="v2")
    assert (third["settings"]["rate"]["floor"], third["settings"]["long_unpaid_days"]) == (None, 60)
    fresh = await draft(api, {}, based_on="default-1")
    assert fresh["settings"] == (await api.get("/v1/policies/default-1")).json()["settings"]


async def test_a_preview_says_whose_verdict_would_change(api: httpx.AsyncClient):
    await tell(api)
    strict = await draft(api, {"thresholds": {"watch": 5, "renegotiate": 12, "margin": 1}})
    path = f"/v1/policies/{strict['version']}/preview?{AS_OF}"
    found = (await api.get(path)).json()
    assert (found["version"], found["active_version"], found["clients"]) == ("v1", "default-1", 2)
    assert found["changed"] == len(found["changes"]) > 0
    before = {one["client_id"]: one["verdict_before"] for one in found["changes"]}
    for one in found["changes"]:
        assert one["verdict_before"] == (await late(api, one["client_id"]))["verdict"]
    await activate(api, "v1")
    for one in found["changes"]:
        now = await late(api, one["client_id"])
        assert (now["verdict"], now["score"]) == (one["verdict"], one["score"])
        assert now["verdict"] != before[one["client_id"]]
    again = (await api.get(path)).json()
    assert (again["changed"], again["before"]) == (0, again["after"])


async def test_the_calendar_of_the_policy_decides_what_is_late(api: httpx.AsyncClient):
    await tell(api)
    assert (await late(api, "b"))["signs"][2]["figures"]["out_of_hours"] == 0
    await draft(api, {"calendar": {"zone": "Europe/Berlin", "country": "DE"}})
    await activate(api, "v1")
    found = await late(api, "b")
    assert found["signs"][2]["figures"]["out_of_hours"] == 3, "half past six in Berlin"
    assert found["as_of"] == "2026-03-31T21:59:59.999999Z", "the day ends in Berlin"


async def test_a_deal_breaker_of_the_policy_parts(api: httpx.AsyncClient):
    invoice = {"invoice": "A", "amount": 10, "currency": "USD", "due_date": "2026-01-20"}
    events = [
        cloud_event("i", data=invoice, time="2026-01-02T09:00:00Z"),
        cloud_event("w", "invoice.written_off", data={"invoice": "A"}, time="2026-03-24T09:00:00Z"),
    ]
    await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    await draft(api, {"deal_breakers": ["debt_written_off"]})
    await activate(api, "v1")
    found = await late(api, "acme")
    assert found["verdict"] == "part"
    assert found["deal_breakers"] == [{"name": "debt_written_off", "subject": "A", "event": "w"}]
    assert found["parting"] is not None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/settings"),
        ({"settings": []}, "/settings"),
        ({"settings": {}, "more": 1}, "/more"),
        ({"settings": {}, "based_on": "v9"}, "/based_on"),
        ({"settings": {}, "based_on": ""}, "/based_on"),
        ({"settings": {}, "note": "x" * 501}, "/note"),
        ({"settings": {}, "note": "\u0000"}, "/note"),
        ({"settings": {"more": 1}}, "/settings/more"),
        ({"settings": {"version": "x"}}, "/settings/version"),
        ({"settings": {"half_life_days": "x"}}, "/settings/half_life_days"),
        ({"settings": {"half_life_days": 0}}, "/settings/half_life_days"),
        ({"settings": {"half_life_days": True}}, "/settings/half_life_days"),
        ({"settings": {"late": 5}}, "/settings/late"),
        ({"settings": {"late": {"priors": {"ordinary": {"a": -1}}}}}, "/settings/late/priors/ordinary/a"),
        ({"settings": {"late": {"priors": {"ordinary": {"a": 9}}}}}, "/settings/late/priors"),
        ({"settings": {"scope": {"caps": {"untold": None}}}}, "/settings/scope/caps/untold"),
        ({"settings": {"thresholds": {"watch": 90}}}, "/settings/thresholds"),
        ({"settings": {"calendar": {"zone": "Mars"}}}, "/settings/calendar/zone"),
        ({"settings": {"calendar": {"country": "utils"}}}, "/settings/calendar/country"),
        ({"settings": {"calendar": {"country": "Germany"}}}, "/settings/calendar/country"),
        ({"settings": {"calendar": {"country": "DE", "subdivision": ""}}}, "/settings/calendar/subdivision"),
        ({"settings": {"calendar": {"subdivision": "BY"}}}, "/settings/calendar/subdivision"),
        ({"settings": {"calendar": {"week": [None] * 7}}}, "/settings/calendar/week"),
        ({"settings": {"exchange_rates": {"USD": "1"}}}, "/settings/exchange_rates/USD"),
        ({"settings": {"exchange_rates": {"EUR": "1_0"}}}, "/settings/exchange_rates/EUR"),
        ({"settings": {"exchange_rates": {"a/b~c": "0"}}}, "/settings/exchange_rates/a~1b~0c"),
        ({"settings": {"rate": {"floor": "1e2"}}}, "/settings/rate/floor"),
        ({"settings": {"rate": {"floor": "1e-300"}}}, "/settings/rate/floor"),
        ({"settings": {"late": {"priors": {"ordinary": {"a": 1e-300}}}}}, "/settings/late/priors/ordinary/a"),
        ({"settings": {"a/b~c": 1}}, "/settings/a~1b~0c"),
        ({"settings": {}, "a/b~c": 1}, "/a~1b~0c"),
        (
            {"settings": {"calendar": {"week": [NIGHT]}}},
            "/settings/calendar/week/0",
        ),
        ({"settings": {"calendar": {"days_off": ["2026-02-29"]}}}, "/settings/calendar/days_off/0"),
        ({"settings": {"exchange_rates": {"EUR": "0"}}}, "/settings/exchange_rates/EUR"),
        ({"settings": {"exchange_rates": {"ABC": "1"}}}, "/settings/exchange_rates/ABC"),
        ({"settings": {"currency": "usd"}}, "/settings/currency"),
        ({"settings": {"deal_breakers": ["mood"]}}, "/settings/deal_breakers/0"),
        ({"settings": {"calendar": {"zone": "\ud800"}}}, "/settings/calendar/zone"),
        ({"settings": {"calendar": {"zone": "localtime"}}}, "/settings/calendar/zone"),
        ({"settings": {"calendar": {"zone": "Factory"}}}, "/settings/calendar/zone"),
        ({"settings": {"calendar": {"days_off": ["2026-05-04"] * 5000}}}, "/settings/calendar/days_off"),
        ({"settings": {"calendar": {"days_off": ["2026-05-04", "2026-05-05"] * 2}}}, "/settings/calendar/days_off"),
        ({"settings": {"deal_breakers": ["debt_written_off"] * 2}}, "/settings/deal_breakers"),
    ],
)
async def test_what_is_no_policy_is_refused(api: httpx.AsyncClient, body: dict[str, Any], pointer: str):
    problem = check(await api.post("/v1/policies", content=json.dumps(body), headers=JSON), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert len((await api.get("/v1/policies")).json()["items"]) == 1, "nothing was kept"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"null", 422),
        (b'{"settings": {"half_life_days": NaN}}', 422),
        (b'{"settings": {"half_life_days": 1e999}}', 422),
        (b'{"settings": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}", 422),
        (b'{"settings": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}", 400),
        (b'{"settings": {"half_life_days": ' + b"9" * 4000 + b"}}", 422),
    ],
)
async def test_a_body_that_cannot_be_used(api: httpx.AsyncClient, body: bytes, status: int):
    check(await api.post("/v1/policies", content=body, headers=JSON), status)


async def test_versions_that_there_are_not(api: httpx.AsyncClient):
    for path in ("/v1/policies/v9", "/v1/policies/v9/preview"):
        check(await api.get(path), 404)
    check(await api.post("/v1/policies/v9/activate", headers={"If-Match": "*"}), 404)
    for name in ("V1", "a" * 41, "%00", "é"):
        check(await api.get(f"/v1/policies/{name}"), 422)


async def test_drafting_and_activating_need_their_scope(caller: Caller, tenant: str):
    reader = await caller(tenant, Scope.READ, Scope.INGEST)
    check(await reader.post("/v1/policies", json={"settings": {}}), 403)
    check(await reader.post("/v1/policies/default-1/activate", headers={"If-Match": "*"}), 403)
    assert (await reader.get("/v1/policies")).status_code == 200


async def test_a_policy_is_its_tenants(caller: Caller, tenant: str, api: httpx.AsyncClient):
    await draft(api, {"long_unpaid_days": 60})
    await activate(api, "v1")
    other = await caller(f"{tenant}-other")
    check(await other.get("/v1/policies/v1"), 404)
    check(await other.post("/v1/policies", json={"settings": {}, "based_on": "v1"}), 422)
    assert (await other.get("/v1/policies")).json()["items"][0]["version"] == "default-1"


async def test_drafts_at_once_each_have_their_name(api: httpx.AsyncClient):
    made = await asyncio.gather(*(draft(api, {"long_unpaid_days": 10 + n}) for n in range(8)))
    assert sorted(one["version"] for one in made) == [f"v{n}" for n in range(1, 9)]
    for one in made:
        assert (await api.get(f"/v1/policies/{one['version']}")).json()["settings"] == one["settings"]
    await asyncio.gather(*(activate(api, f"v{n}") for n in range(1, 9)))
    items = (await api.get("/v1/policies")).json()["items"]
    assert sum(one["active"] for one in items) == 1


async def test_decimals_are_answered_in_digits(api: httpx.AsyncClient):
    body = b'{"settings": {"exchange_rates": {"EUR": 1e-9}, "rate": {"floor": 1e2}}}'
    made = (await api.post("/v1/policies", content=body, headers=JSON)).json()
    assert made["settings"]["exchange_rates"] == {"EUR": "0.000000001"}
    assert made["settings"]["rate"]["floor"].startswith("100")
    assert (await draft(api, {}, based_on=made["version"]))["settings"] == made["settings"]
