"""Pages of clients: in any order, in either direction, each client once."""

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.graphql.conftest import Ask

PAGE = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: ClientFilter, $order: ClientOrder,
    $asOf: Moment) {
  clients(
    first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $order, asOf: $asOf
  ) {
    totalCount edges { cursor node { clientId name score { score verdict leadingSign clientType { name } } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
THEN = "2026-11-24"
# From the past, for which all are assessed; and as they stand now, which is stored.
WHEN = pytest.mark.parametrize("as_of", [THEN, None], ids=["then", "now"])
ORDERS = [{"by": by, "direction": way} for by in ("SCORE", "NAME", "CHANGE") for way in ("ASC", "DESC")]


async def page(ask: Ask, **variables: Any) -> dict[str, Any]:
    answer = await ask(PAGE, **variables)
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["clients"]
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [edge["node"]["clientId"] for edge in found["edges"]]


@WHEN
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: f"{order['by']}-{order['direction']}")
@pytest.mark.parametrize("size", [1, 3, 4, 100])
async def test_pages_forwards_and_backwards_are_the_whole_list(
    ask_demo: Ask, order: dict[str, str], size: int, as_of: str | None
):
    whole = await page(ask_demo, order=order, asOf=as_of)
    assert whole["totalCount"] == len(ids(whole)) == 10
    forwards: list[str] = []
    after = None
    while True:
        found = await page(ask_demo, order=order, first=size, after=after, asOf=as_of)
        forwards += ids(found)
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    backwards: list[str] = []
    before = None
    while True:
        found = await page(ask_demo, order=order, last=size, before=before, asOf=as_of)
        backwards = ids(found) + backwards
        before = found["pageInfo"]["startCursor"]
        if not found["pageInfo"]["hasPreviousPage"]:
            break
    assert forwards == backwards == ids(whole)


@WHEN
async def test_the_other_direction_is_the_other_way_round(ask_demo: Ask, as_of: str | None):
    for by in ("SCORE", "NAME", "CHANGE"):
        up, down = [
            ids(await page(ask_demo, order={"by": by, "direction": way}, asOf=as_of)) for way in ("ASC", "DESC")
        ]
        assert up == down[::-1]


@WHEN
async def test_by_score_is_as_in_rest(demo: httpx.AsyncClient, ask_demo: Ask, as_of: str | None):
    told = (await demo.get("/v1/clients", params={"as_of": as_of} if as_of else {})).json()["items"]
    assert ids(await page(ask_demo, asOf=as_of)) == [one["client_id"] for one in told]


@WHEN
@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"verdict": ["PART"]}, lambda node: node["score"]["verdict"] == "PART"),
        ({"verdict": ["KEEP", "WATCH"]}, lambda node: node["score"]["verdict"] in ("KEEP", "WATCH")),
        ({"sign": ["LATE", "RATE"]}, lambda node: node["score"]["leadingSign"] in ("LATE", "RATE")),
        ({"clientType": ["slow_payer"]}, lambda node: node["score"]["clientType"]["name"] == "slow_payer"),
        ({"text": "TRAVEL"}, lambda node: "travel" in node["clientId"]),
        ({"text": "zzz"}, lambda node: False),
        ({"text": "%"}, lambda node: False),
        (
            {"verdict": ["PART"], "text": "a"},
            lambda node: node["score"]["verdict"] == "PART" and "a" in node["clientId"],
        ),
    ],
)
@pytest.mark.parametrize("order", [None, {"by": "NAME"}, {"by": "CHANGE"}])
async def test_filters(
    ask_demo: Ask, wanted: dict[str, Any], fits: Any, order: dict[str, str] | None, as_of: str | None
):
    everyone = (await page(ask_demo, order=order, asOf=as_of))["edges"]
    found = await page(ask_demo, filter=wanted, order=order, asOf=as_of)
    assert ids(found) == [edge["node"]["clientId"] for edge in everyone if fits(edge["node"])]
    assert found["totalCount"] == len(found["edges"])


async def test_names_come_before_ids_and_are_searched(api: httpx.AsyncClient, ask: Ask):
    named = {"b": "Zebra", "c": "apple", "d": "Ärger", "e": None}
    told = [
        cloud_event(
            key, type="client.created", subject=key, data={"name": name} if name else {}, time="2026-01-01T00:00:00Z"
        )
        for key, name in named.items()
    ]
    await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    query = """query ($f: ClientFilter) {
      clients(orderBy: {by: NAME}, filter: $f) { totalCount edges { node { clientId } } } }"""

    async def listed(text: str | None) -> list[str]:
        found = (await ask(query, f={"text": text}))["data"]["clients"]
        assert found["totalCount"] == len(found["edges"])
        return ids(found)

    assert await listed(None) == ["b", "c", "e", "d"]  # by code point: Zebra, apple, e, Ärger
    assert await listed("EBR") == ["b"]
    assert await listed("ärg") == ["d"]
    assert await listed("e") == ["b", "c", "e", "d"]


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ("first: 101", "first"),
        ("first: -1", "first"),
        ("last: 101", "last"),
        ("first: 1, last: 1", "first"),
        ('after: "x"', "after"),
        ('after: ""', "after"),
        ('before: "WyJuYW1lIl0"', "before"),
        ('after: "WyJuYW1lIiwgIngiLCAieCIsICIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICIiXQ"', "after"),  # of the order by name
        ('filter: {text: "a\\u0000"}', "filter.text"),
    ],
)
async def test_what_cannot_be_is_named(ask: Ask, arguments: str, argument: str):
    answer = await ask("{ clients(" + arguments + ") { edges { cursor } } }")
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": argument}


async def test_nothing_is_asked_for_with_first_0(ask_demo: Ask):
    found = await page(ask_demo, first=0)
    assert (found["edges"], found["totalCount"], found["pageInfo"]["hasNextPage"]) == ([], 10, True)


@given(st.text(max_size=200), st.sampled_from(["after", "before"]))
@settings(max_examples=60)
async def test_no_cursor_breaks_it(ask_demo: Ask, cursor: str, argument: str):
    body = {
        "query": f"query ($c: String) {{ clients({argument}: $c) {{ edges {{ cursor }} }} }}",
        "variables": {"c": cursor},
    }
    try:
        answer = await ask_demo(body["query"], c=cursor)
    except UnicodeEncodeError:
        return
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_cursor_holds_for_its_own_arguments_alone(ask_demo: Ask, ask: Ask, api: httpx.AsyncClient):
    """With another order, filter, instant, list or tenant it is refused: it would silently mean another place."""
    used: dict[str, Any] = {"asOf": "2026-03-01", "filter": {"verdict": ["PART", "KEEP"]}, "order": {"by": "CHANGE"}}
    query = """query ($after: String, $asOf: Moment, $knownAt: Moment, $filter: ClientFilter, $order: ClientOrder) {
      clients(first: 1, after: $after, asOf: $asOf, knownAt: $knownAt, filter: $filter, orderBy: $order) {
        edges { cursor node { clientId } } } }"""
    found = await ask_demo(query, **used)
    cursor = found["data"]["clients"]["edges"][0]["cursor"]
    assert "errors" not in await ask_demo(query, after=cursor, **used)
    assert "errors" not in await ask_demo(query, after=cursor, **{**used, "filter": {"verdict": ["KEEP", "PART"]}})
    others: list[dict[str, Any]] = [
        {"asOf": "2026-03-02"},
        {"asOf": None},
        {"knownAt": "2026-03-01"},
        {"filter": None},
        {"filter": {"verdict": ["PART"]}},
        {"order": {"by": "CHANGE", "direction": "ASC"}},
        {"order": {"by": "NAME"}},
    ]
    refused = {"code": "BAD_USER_INPUT", "argument": "after"}
    for other in others:
        answer = await ask_demo(query, after=cursor, **{**used, **other})
        assert answer["errors"][0]["extensions"] == refused, other
    assert (await ask(query, after=cursor, **used))["errors"][0]["extensions"] == refused
    for field in ("events(first: 1, after: $after)", "erasures(first: 1, after: $after)"):
        elsewhere = await ask_demo(f"query ($after: String) {{ {field} {{ edges {{ cursor }} }} }}", after=cursor)
        assert elsewhere["errors"][0]["extensions"] == refused


async def test_a_cursor_of_events_holds_for_its_own_arguments_alone(ask_demo: Ask):
    query = """query ($after: String, $client: String, $filter: EventFilter, $asOf: Moment) {
      events(first: 1, after: $after, clientId: $client, filter: $filter, asOf: $asOf) {
        edges { cursor node { eventId clientId } } } }"""
    edge = (await ask_demo(query))["data"]["events"]["edges"][0]
    assert "errors" not in await ask_demo(query, after=edge["cursor"])
    others: list[dict[str, Any]] = [
        {"client": edge["node"]["clientId"]},
        {"filter": {"type": "call.received"}},
        {"filter": {"since": "2026-03-01"}},
        {"filter": {"until": "2026-03-01"}},
        {"asOf": "2026-03-01"},
    ]
    for other in others:
        answer = await ask_demo(query, after=edge["cursor"], **other)
        assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": "after"}, other
