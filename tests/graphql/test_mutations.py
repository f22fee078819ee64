"""Mutations do what REST does, and say what is wrong as types."""

import re
from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from tests.cloud_events import cloud_event
from tests.graphql.conftest import Ask, Caller, asking

FAULTS = "... on InvalidInput { message faults { pointer detail } } ... on Forbidden { message }"
SEND = """mutation ($input: SendEventsInput!) { sendEvents(input: $input) { __typename FAULTS
  ... on EventsSent { accepted results { index outcome eventId source faults { pointer detail } } } } }""".replace(
    "FAULTS", FAULTS
)
PUT = """mutation ($input: PutClientInput!) { putClient(input: $input) { __typename FAULTS
  ... on ClientPut { created client { clientId name currency timeZone } } } }""".replace("FAULTS", FAULTS)
DRAFT = """mutation ($input: DraftPolicyInput!) { draftPolicy(input: $input) { __typename FAULTS
  ... on PolicyDrafted { policy { version active basedOn note settings } } } }""".replace("FAULTS", FAULTS)
ACTIVATE = """mutation ($version: String!) { activatePolicy(version: $version) { __typename
  ... on PolicyActivated { policy { version active } } ... on NotFound { message } ... on Forbidden { message } } }"""


async def done(ask: Ask, query: str, **variables: Any) -> dict[str, Any]:
    answer = await ask(query, **variables)
    assert "errors" not in answer, answer
    (found,) = answer["data"].values()
    return found


async def test_events_are_sent_and_answered_one_by_one(ask: Ask, api: httpx.AsyncClient):
    events = [cloud_event("1"), cloud_event("1"), cloud_event("2", type="nope"), {"no": "event"}]
    found = await done(ask, SEND, input={"events": events})
    assert found["__typename"] == "EventsSent"
    assert [one["outcome"] for one in found["results"]] == ["ACCEPTED", "DUPLICATE", "INVALID", "INVALID"]
    assert found["accepted"] == 1
    assert found["results"][2]["faults"][0]["pointer"] == "/type"
    assert [one["id"] for one in (await api.get("/v1/events")).json()["items"]] == ["1"]
    changed = await done(ask, SEND, input={"events": [cloud_event("1", time="2026-01-09T00:00:00Z")]})
    assert changed["results"][0]["outcome"] == "CONFLICT"


async def test_all_or_none(ask: Ask, api: httpx.AsyncClient):
    found = await done(ask, SEND, input={"events": [cloud_event("1"), {"no": "event"}], "atomic": True})
    assert [one["outcome"] for one in found["results"]] == ["ABORTED", "INVALID"]
    assert (await api.get("/v1/events")).json()["items"] == []


@pytest.mark.parametrize("count", [0, 1_001])
async def test_how_many_events_there_may_be(ask: Ask, count: int):
    found = await done(ask, SEND, input={"events": [{}] * count})
    assert found["__typename"] == "InvalidInput"
    assert found["faults"][0]["pointer"] == "/events"


async def test_a_client_is_put(ask: Ask):
    made = await done(ask, PUT, input={"clientId": "acme", "name": "Acme", "currency": "EUR"})
    assert made["created"] is True
    assert made["client"] == {"clientId": "acme", "name": "Acme", "currency": "EUR", "timeZone": None}
    again = await done(ask, PUT, input={"clientId": "acme", "timeZone": "Europe/Berlin"})
    assert (again["created"], again["client"]["name"], again["client"]["timeZone"]) == (False, "Acme", "Europe/Berlin")


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"currency": "EURO"}, "/currency"),
        ({"country": "Germany"}, "/country"),
        ({"timeZone": "Berlin"}, "/timeZone"),
        ({"timeZone": "localtime"}, "/timeZone"),
        ({"timeZone": "Factory"}, "/timeZone"),
        ({"name": "a\u0000"}, "/name"),
        ({"clientId": ""}, "/clientId"),
        ({"clientId": "a\u0000"}, "/clientId"),
    ],
)
async def test_a_client_that_cannot_be_is_named(ask: Ask, given: dict[str, str], pointer: str):
    found = await done(ask, PUT, input={"clientId": "acme", **given})
    assert found["__typename"] == "InvalidInput"
    assert pointer in {fault["pointer"] for fault in found["faults"]}
    assert (await ask("{ clients { totalCount } }"))["data"]["clients"]["totalCount"] == 0


async def test_a_policy_is_drafted_previewed_and_activated(ask: Ask):
    drafted = await done(ask, DRAFT, input={"settings": {"late": {"grace_days": 3}}, "note": "patience"})
    assert drafted["policy"]["settings"]["late"]["grace_days"] == 3
    assert (drafted["policy"]["version"], drafted["policy"]["active"], drafted["policy"]["note"]) == (
        "v1",
        False,
        "patience",
    )
    preview = await ask('{ policyPreview(version: "v1") { version activeVersion changed before { clients } } }')
    assert preview["data"]["policyPreview"]["activeVersion"] == "default-1"
    assert (await done(ask, ACTIVATE, version="v1"))["policy"] == {"version": "v1", "active": True}
    versions = (await ask("{ policies { version active } policy { version } }"))["data"]
    assert versions["policy"]["version"] == "v1"
    assert [one["version"] for one in versions["policies"]] == ["v1", "default-1"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"settings": {"late": {"grace_days": -1}}}, "/settings/late/grace_days"),
        ({"settings": []}, "/settings"),
        ({"settings": {}, "basedOn": "v99"}, "/basedOn"),
        ({"settings": {}, "basedOn": "\u0000"}, "/basedOn"),
        ({"settings": {}, "note": "x" * 501}, "/note"),
    ],
)
async def test_a_policy_that_cannot_be_is_named(ask: Ask, given: dict[str, Any], pointer: str):
    found = await done(ask, DRAFT, input=given)
    assert found["__typename"] == "InvalidInput"
    assert found["faults"][0]["pointer"] == pointer


@pytest.mark.parametrize("version", ["v99", "", "\u0000", "x" * 100])
async def test_only_a_version_that_there_is_can_be_activated(ask: Ask, version: str):
    assert (await done(ask, ACTIVATE, version=version))["__typename"] == "NotFound"


async def test_a_key_may_do_what_its_scopes_say(caller: Caller, tenant: str):
    reader = asking(await caller(tenant, Scope.READ))
    for query, variables in (
        (SEND, {"input": {"events": [cloud_event("1")]}}),
        (PUT, {"input": {"clientId": "acme"}}),
        (DRAFT, {"input": {"settings": {}}}),
        (ACTIVATE, {"version": "default-1"}),
    ):
        assert (await done(reader, query, **variables))["__typename"] == "Forbidden"
    assert (await reader("{ clients { totalCount } }"))["data"]["clients"]["totalCount"] == 0


async def test_numbers_keep_their_digits(api: httpx.AsyncClient, ask: Ask):
    data = '{"invoice":"I","amount":123456789012.123456,"currency":"USD","due_date":"2026-02-01"}'
    event = (
        '{"specversion":"1.0","id":"1","source":"/s","type":"invoice.issued","subject":"acme",'
        f'"time":"2026-01-01T00:00:00Z","data":{data}}}'
    )
    headers = {"Content-Type": "application/cloudevents+json"}
    assert (await api.post("/v1/events", content=event, headers=headers)).status_code == 201
    query = "mutation ($e: [JSON!]!) { sendEvents(input: {events: $e}) { ... on EventsSent { results { outcome } } } }"
    body = f'{{"query": "{query}", "variables": {{"e": [{event}]}}}}'
    sent = await api.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert sent.json()["data"]["sendEvents"]["results"] == [{"outcome": "DUPLICATE"}]
    for amount in ("123456789012.123456", "1000.10", "1e2", "1.000000", "0.1"):
        other = event.replace('"id":"1"', f'"id":"{amount}"').replace("123456789012.123456", amount)
        assert (await api.post("/v1/events", content=other, headers=headers)).status_code == 201
        literal = re.sub(r'"(\w+)":', r"\1: ", other)
        written = "mutation { sendEvents(input: {events: [EVENT]}) { ... on EventsSent { results { outcome } } } }"
        sent = await api.post("/graphql", json={"query": written.replace("EVENT", literal)})
        assert sent.json()["data"]["sendEvents"]["results"] == [{"outcome": "DUPLICATE"}], amount
    told = await api.post("/graphql", json={"query": "{ events { edges { node { data } } } }"})
    assert "123456789012.123456" in told.text


@pytest.mark.parametrize("settings", ["{a: 1e400}", "{half_life_days: 1e400}", "[]", "1"])
async def test_a_number_that_is_none_resets_nothing(ask: Ask, settings: str):
    found = await done(ask, f"mutation {{ draftPolicy(input: {{settings: {settings}}}) {{ __typename }} }}")
    assert found["__typename"] == "InvalidInput"


@pytest.mark.parametrize(
    "field",
    [
        "score { score }",
        "explanation { totalDecibans }",
        "history { score }",
        "recourse { exact }",
        "timeline { edges { cursor } }",
        "events { edges { cursor } }",
    ],
)
async def test_who_may_only_tell_reads_nothing(caller: Caller, tenant: str, field: str):
    teller = asking(await caller(tenant, Scope.INGEST))
    query = (
        "mutation ($input: PutClientInput!) { putClient(input: $input) { ... on ClientPut { client { name FIELD } } } }"
    )
    answer = await teller(query.replace("FIELD", field), input={"clientId": "acme", "name": "Acme"})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
