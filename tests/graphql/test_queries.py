"""Queries say what REST says, in the same names."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.graphql.conftest import Ask, Caller, asking

AS_OF = "2026-11-24"


async def rest(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def camel(value: Any) -> Any:
    """REST's names as GraphQL has them."""
    if isinstance(value, dict):
        return {
            name.split("_")[0] + "".join(map(str.title, name.split("_")[1:])): camel(v) for name, v in value.items()
        }
    return [camel(one) for one in value] if isinstance(value, list) else value


EXPLANATION = """
query ($id: String!, $at: Moment) { client(clientId: $id, asOf: $at) { explanation {
  score { score verdict evidenceLevel policyVersion asOf interval { low high } clientType { name probability } }
  priorDecibans totalDecibans
  signs { sign title decibans points reasonCode sentence events { eventId } figures { name value unit } }
  trend { days score change moved { sign points } }
  costOfStaying { currency perMonth terms { term amount sentence } }
  strategy { tone steps inWriting drafts { subject body } }
  parting { obligations letter { subject body } handOver }
} } }
"""


@pytest.mark.parametrize("client_id", ["mirage-ventures", "granite-logistics", "bluebird-travel", "first-light-yoga"])
async def test_an_explanation_is_that_of_rest(demo: httpx.AsyncClient, ask_demo: Ask, client_id: str):
    answer = await ask_demo(EXPLANATION, id=client_id, at=AS_OF)
    assert "errors" not in answer
    found = answer["data"]["client"]["explanation"]
    told = camel(await rest(demo, f"/v1/clients/{client_id}/explanation?as_of={AS_OF}"))
    score = found["score"]
    assert (score["score"], score["verdict"].lower(), score["asOf"]) == (told["score"], told["verdict"], told["asOf"])
    assert score["interval"] == told["interval"]
    assert score["clientType"]["name"] == told["clientType"]["name"]
    assert (found["priorDecibans"], found["totalDecibans"]) == (told["priorDecibans"], told["totalDecibans"])
    for part, other in zip(found["signs"], told["signs"], strict=True):
        assert part["sign"].lower() == other["sign"]
        assert [event["eventId"] for event in part["events"]] == other["events"]
        figures = {one["name"]: one["value"] for one in part["figures"]}
        assert camel(figures) == camel(other["figures"])
        for name in ("title", "decibans", "points", "reasonCode", "sentence"):
            assert part[name] == other[name]
    assert found["strategy"] == {name: told["strategy"][name] for name in found["strategy"]}
    assert found["costOfStaying"]["perMonth"] == told["costOfStaying"]["perMonth"]
    assert [one["change"] for one in found["trend"]] == [one["change"] for one in told["trend"]]
    assert (found["parting"] is None) == (told["parting"] is None)
    if found["parting"]:
        assert found["parting"]["letter"] == told["parting"]["letter"]


async def test_recourse_history_and_timeline_are_those_of_rest(demo: httpx.AsyncClient, ask_demo: Ask):
    query = """query ($id: String!, $at: Moment) { client(clientId: $id, asOf: $at) {
      recourse { exact better { verdict steps { action subjects sentence rate { amount currency } score verdict } } }
      history(step: MONTH, since: "2026-06-01") { asOf score verdict }
      timeline(first: 5) { edges { node { eventId type score change event { id eventId } } } pageInfo { hasNextPage } }
    } }"""
    found = (await ask_demo(query, id="north-pier-events", at=AS_OF))["data"]["client"]
    base = "/v1/clients/north-pier-events"
    recourse = await rest(demo, f"{base}/recourse?as_of={AS_OF}")
    assert [one["verdict"].lower() for one in found["recourse"]["better"]] == [
        one["verdict"] for one in recourse["recourse"]
    ]
    told = [step["sentence"] for one in recourse["recourse"] for step in one["steps"]]
    assert [step["sentence"] for one in found["recourse"]["better"] for step in one["steps"]] == told
    assert found["recourse"]["exact"] is True
    history = await rest(demo, f"{base}/history?as_of={AS_OF}&step=month&from=2026-06-01")
    assert [(one["asOf"], one["score"]) for one in found["history"]] == [
        (one["as_of"], one["score"]) for one in history["items"]
    ]
    timeline = await rest(demo, f"{base}/timeline?as_of={AS_OF}&limit=5")
    told = [(one["id"], one["type"], one["change"]) for one in timeline["items"]]
    edges = found["timeline"]["edges"]
    assert [(one["node"]["eventId"], one["node"]["type"], one["node"]["change"]) for one in edges] == told
    assert all(one["node"]["event"]["eventId"] == one["node"]["eventId"] for one in edges)


async def test_a_timeline_and_events_are_paged_without_gaps(ask_demo: Ask):
    for field, key in (("timeline", "eventId"), ("events", "eventId")):
        query = (
            f'query ($after: String) {{ client(clientId: "velvet-fashion", asOf: "{AS_OF}") {{ page: {field}(first: 7, '
            f"after: $after) {{ edges {{ node {{ {key} }} }} pageInfo {{ hasNextPage endCursor }} }} eventCount }} }}"
        )
        names: list[str] = []
        after = None
        while True:
            found = (await ask_demo(query, after=after))["data"]["client"]
            names += [edge["node"][key] for edge in found["page"]["edges"]]
            after = found["page"]["pageInfo"]["endCursor"]
            if not found["page"]["pageInfo"]["hasNextPage"]:
                break
        assert len(names) == len(set(names)) == found["eventCount"]


async def test_the_portfolio_adds_up(demo: httpx.AsyncClient, ask_demo: Ask):
    query = """{ portfolio { clients medianScore byVerdict { verdict clients } byClientType { clients }
      byLeadingSign { sign clients } policyVersion } }"""
    found = (await ask_demo(query))["data"]["portfolio"]
    assert found["clients"] == 10
    assert sum(one["clients"] for one in found["byVerdict"]) == 10
    assert sum(one["clients"] for one in found["byClientType"]) == 10
    assert [one["clients"] for one in found["byLeadingSign"]] == [1] * 6
    assert found["policyVersion"] == "default-1"


async def test_a_simulation_is_that_of_rest(demo: httpx.AsyncClient, ask_demo: Ask):
    query = """query ($events: [SupposedEvent!]!) {
      simulate(clientId: "north-pier-events", asOf: "2026-11-24", events: $events) {
        before { score { score } } after { score { score verdict } } scoreDifference differences { sign points } } }"""
    events = [{"type": "contract.signed", "data": {"contract": "main"}}]
    found = (await ask_demo(query, events=events))["data"]["simulate"]
    path = "/v1/clients/north-pier-events/simulate?as_of=2026-11-24"
    told = (await demo.post(path, json={"events": events})).json()
    assert found["after"]["score"]["score"] == told["after"]["score"]
    assert found["scoreDifference"] == told["score_difference"]
    assert sum(one["points"] for one in found["differences"]) == pytest.approx(found["scoreDifference"], abs=1e-9)


async def test_a_simulation_names_what_cannot_be(ask_demo: Ask):
    query = """query ($events: [SupposedEvent!]!) {
      simulate(clientId: "north-pier-events", events: $events) { scoreDifference } }"""
    answer = await ask_demo(query, events=[{"type": "invoice.paid", "data": {"amount": -1}}, {"type": "nope"}])
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert {fault["pointer"] for fault in error["extensions"]["faults"]} >= {"/events/0/data/amount", "/events/1/type"}
    assert answer["data"] is None


async def test_nodes_are_found_by_their_global_ids(ask_demo: Ask):
    query = """{ client(clientId: "velvet-fashion") { id events(first: 1) { edges { node { id } } } } policy { id } }"""
    found = (await ask_demo(query))["data"]
    ids = [found["client"]["id"], found["client"]["events"]["edges"][0]["node"]["id"], found["policy"]["id"]]
    again = """query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Client { clientId } ... on Event { type }
      ... on PolicyVersion { version settings } } }"""
    nodes = (await ask_demo(again, ids=ids))["data"]["nodes"]
    assert [node["__typename"] for node in nodes] == ["Client", "Event", "PolicyVersion"]
    assert [node["id"] for node in nodes] == ids
    one = (await ask_demo("query ($id: ID!) { node(id: $id) { id } }", id=ids[0]))["data"]["node"]
    assert one == {"id": ids[0]}


async def test_what_is_unknown_is_null_and_what_is_no_id_is_named(ask: Ask):
    assert (await ask('{ client(clientId: "nobody") { id } }'))["data"] == {"client": None}
    for bad in ("x", "é", "Q2xpZW50", "", "\x00", "A" * 3_000):
        answer = await ask("query ($id: ID!) { node(id: $id) { id } }", id=bad)
        assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": "id"}
        assert answer["data"] == {"node": None}
    missing = await ask('{ policy(version: "v99") { version } }')
    assert missing["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_languages(ask_demo: Ask, demo: httpx.AsyncClient):
    query = """query ($language: LanguageName) {
      client(clientId: "mirage-ventures") { explanation(language: $language) { strategy { tone } } } }"""
    tones = [
        (await ask_demo(query, language=one))["data"]["client"]["explanation"]["strategy"]["tone"]
        for one in ("EN", "RU")
    ]
    assert tones[0] != tones[1]
    body = {"query": query}
    russian = await demo.post("/graphql", json=body, headers={"Accept-Language": "ru"})
    assert russian.json()["data"]["client"]["explanation"]["strategy"]["tone"] == tones[1]


async def test_time_travel(api: httpx.AsyncClient, ask: Ask):
    told = [
        cloud_event("1", type="contract.sent", time="2026-01-05T10:00:00Z", subject="acme", data={}),
        cloud_event("2", type="contract.declined", time="2026-03-05T10:00:00Z", subject="acme", data={}),
    ]
    await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    query = """query ($at: Moment, $known: Moment) {
      client(clientId: "acme", asOf: $at, knownAt: $known) { score { score asOf knownAt } } }"""
    scores = [
        (await ask(query, at=at))["data"]["client"]["score"]["score"]
        for at in ("2026-01-01", "2026-02-01", "2026-03-10")
    ]
    assert scores == sorted(scores)
    assert len(set(scores)) == 3
    known = (await ask(query, at="2026-03-10", known="2026-01-31"))["data"]["client"]["score"]
    assert known["score"] == scores[0]
    assert known["knownAt"] == "2026-01-31T23:59:59.999999Z"
    bad = await ask(query, at="soon")
    assert bad["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "2026-03-31" in bad["errors"][0]["message"]


async def test_a_tenant_sees_its_own_and_a_key_what_it_may(caller: Caller, tenant: str, demo: httpx.AsyncClient):
    stranger = asking(await caller(tenant))
    assert (await stranger('{ client(clientId: "velvet-fashion") { id } clients { totalCount } }'))["data"] == {
        "client": None,
        "clients": {"totalCount": 0},
    }
    blind = asking(await caller(tenant, Scope.INGEST))
    answer = await blind("{ clients { totalCount } }")
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (
        await demo.post("/graphql", json={"query": "{ clients { totalCount } }"}, headers={"Authorization": ""})
    ).status_code == 401


async def test_event_types_have_their_schemas(ask: Ask):
    found = (await ask("{ eventTypes { type summary schema } }"))["data"]["eventTypes"]
    assert {one["type"] for one in found} >= {"invoice.paid", "contract.signed"}
    assert all(one["schema"]["type"] == "object" for one in found)


async def test_all_fields_look_from_the_same_instant(ask_demo: Ask):
    query = """{ a: client(clientId: "velvet-fashion", asOf: "2026-11-24") { score { asOf } }
      b: clients(first: 2, asOf: "2026-11-24") { edges { node { score { asOf } } } } }"""
    found = (await ask_demo(query))["data"]
    instants = {found["a"]["score"]["asOf"], *(edge["node"]["score"]["asOf"] for edge in found["b"]["edges"])}
    assert len(instants) == 1
    assert datetime.fromisoformat(instants.pop()) <= datetime.now(UTC)


async def test_a_list_of_now_says_of_each_score_when_it_was_made(ask_demo: Ask):
    query = "{ clients(first: 5) { stale edges { node { score { asOf } } } } }"
    first, second = [(await ask_demo(query))["data"]["clients"] for _ in range(2)]
    assert first == second, "it is stored, not made anew"
    assert first["stale"] == 0
    for edge in first["edges"]:
        assert datetime.fromisoformat(edge["node"]["score"]["asOf"]) <= datetime.now(UTC)


async def test_clients_are_told_as_they_were(api: httpx.AsyncClient, ask: Ask):
    told = [
        cloud_event("1", type="client.created", time="2026-01-05T10:00:00Z", subject="acme", data={"name": "Acme"}),
        cloud_event(
            "2", type="client.updated", time="2026-03-05T10:00:00Z", subject="acme", data={"name": "Acme & Sons"}
        ),
    ]
    await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    query = """query ($at: Moment) { client(clientId: "acme", asOf: $at) { name }
      clients(asOf: $at) { edges { node { name score { score } } } } }"""
    for at, name in ((None, "Acme & Sons"), ("2026-02-01", "Acme"), ("2025-12-31", None)):
        found = (await ask(query, at=at))["data"]
        assert found["client"]["name"] == found["clients"]["edges"][0]["node"]["name"] == name


@pytest.mark.parametrize("since", ["2199-01-01", "1980-01-01"])
async def test_a_history_that_cannot_be_names_its_argument(ask_demo: Ask, since: str):
    query = """query ($since: Date) {
      client(clientId: "velvet-fashion") { history(step: DAY, since: $since) { score } } }"""
    (error,) = (await ask_demo(query, since=since))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "since"}


async def test_an_id_that_is_none_spoils_its_own_place_alone(ask_demo: Ask):
    found = await ask_demo("{ clients(first: 1, orderBy: {by: NAME}) { edges { node { id } } } }")
    client = found["data"]["clients"]["edges"][0]["node"]
    for query in (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ...A } } fragment A on Node { id }",
    ):
        answer = await ask_demo(query, ids=["x", client["id"], "\x00"])
        assert answer["data"]["nodes"] == [None, client, None]
        assert [error["path"] for error in answer["errors"]] == [["nodes", 0], ["nodes", 2]]
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


async def test_letters_are_the_same_in_any_case_from_any_viewpoint(api: httpx.AsyncClient, ask: Ask):
    await api.put("/v1/clients/a", json={"name": "İSTANBUL ΟΔΟΣ Ärger"})
    await api.put("/v1/clients/b", json={"name": "istanbul οδοσ ärger"})
    query = """query ($text: String, $at: Moment) {
      clients(filter: {text: $text}, asOf: $at, orderBy: {by: NAME}) { edges { node { clientId } } } }"""
    for text in ("İSTANBUL", "istanbul", "ΟΔΟΣ", "οδοσ", "οδος", "ÄRG", "ärg", "i̇"):
        now = await ask(query, text=text)
        then = await ask(query, text=text, at="2199-01-01")
        assert now["data"] == then["data"], text
        assert len(now["data"]["clients"]["edges"]) == (0 if text in ("οδος", "i̇") else 2)
