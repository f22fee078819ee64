"""Webhooks and their deliveries over GraphQL: as REST has them, page by page, for those who may."""

from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from tests.graphql.conftest import Ask, Caller
from tests.graphql.test_statements import counted
from tests.rest.walks import NOWHERE

WEBHOOKS = """query ($first: Int, $after: String, $n: Int, $cursor: String, $state: DeliveryState) {
  webhooks(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node {
    id webhookId url types verdicts aspects state disabledReason etag pending
    deliveries(first: $n, after: $cursor, state: $state) { pageInfo { hasNextPage endCursor }
      edges { node { number messageId type clientId state attempts { status error answer } } } } } } } }"""

SOME = {"first": 10, "n": 10}


async def made(api: httpx.AsyncClient, count: int = 1, pings: int = 0) -> list[str]:
    found = []
    for _ in range(count):
        body = {"url": NOWHERE, "verdicts": ["part"], "aspects": ["verdict"]}
        path = f"/v1/webhooks/{(await api.post('/v1/webhooks', json=body)).json()['webhook_id']}"
        for _ in range(pings):
            assert (await api.post(f"{path}/ping")).status_code == 200
        found.append(path)
    return found


async def test_they_are_as_over_rest(api: httpx.AsyncClient, ask: Ask):
    (path,) = await made(api, pings=2)
    await api.post(f"{path}/disable")
    (edge,) = (await ask(WEBHOOKS, **SOME))["data"]["webhooks"]["edges"]
    node = edge["node"]
    told = await api.get(path)
    assert (node["webhookId"], node["url"]) == (told.json()["webhook_id"], NOWHERE)
    assert (node["types"], node["verdicts"], node["aspects"]) == (["assessment.changed"], ["PART"], ["VERDICT"])
    assert (node["state"], node["disabledReason"], node["pending"]) == ("DISABLED", "REQUESTED", 0)
    assert f'"{node["etag"]}"' == told.headers["etag"]
    listed = (await api.get(f"{path}/deliveries")).json()["items"]
    deliveries = [one["node"] for one in node["deliveries"]["edges"]]
    assert [(one["number"], one["messageId"]) for one in deliveries] == [
        (one["number"], one["message_id"]) for one in listed
    ]
    assert {(one["type"], one["state"], one["attempts"][0]["error"]) for one in deliveries} == {
        ("webhook.ping", "FAILED", "connect")
    }
    again = await ask("query ($id: ID!) { node(id: $id) { ... on Webhook { webhookId } } }", id=node["id"])
    assert again["data"]["node"] == {"webhookId": node["webhookId"]}
    await api.delete(path)
    gone = await ask("query ($id: ID!) { node(id: $id) { id } }", id=node["id"])
    assert gone["data"] == {"node": None}


async def test_page_by_page(api: httpx.AsyncClient, ask: Ask):
    paths = await made(api, 3, 3)
    found: list[str] = []
    after: str | None = None
    while True:
        page = (await ask(WEBHOOKS, first=2, n=10, after=after))["data"]["webhooks"]
        found += [f"/v1/webhooks/{edge['node']['webhookId']}" for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == paths
    (edge,) = (await ask(WEBHOOKS, first=1, n=2))["data"]["webhooks"]["edges"]
    first = edge["node"]["deliveries"]
    assert [one["node"]["number"] for one in first["edges"]] == [3, 2]
    cursor = first["pageInfo"]["endCursor"]
    (edge,) = (await ask(WEBHOOKS, first=1, n=2, cursor=cursor))["data"]["webhooks"]["edges"]
    assert [one["node"]["number"] for one in edge["node"]["deliveries"]["edges"]] == [1]
    # A cursor holds for its own webhook and filter alone.
    for more in ({"first": 1, "state": "FAILED"}, {"first": 2}):
        answer = await ask(WEBHOOKS, **(SOME | {"n": 2, "cursor": cursor} | more))
        assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": "after"}


async def test_deliveries_of_many_take_as_many_statements_as_of_one(
    api: httpx.AsyncClient, ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    await made(api, 8, 1)
    counts = {}
    for size in (1, 8):
        with counted(monkeypatch) as sent:
            answer = await ask(WEBHOOKS, first=size, n=10)
        assert len(answer["data"]["webhooks"]["edges"]) == size
        counts[size] = len(sent)
    assert counts[8] <= counts[1] <= 5, counts


async def test_deliveries_take_the_scope_to_read_clients(caller: Caller, tenant: str, api: httpx.AsyncClient):
    await made(api)

    async def asked(*scopes: Scope) -> dict[str, Any]:
        answer = await (await caller(tenant, *scopes)).post("/graphql", json={"query": WEBHOOKS, "variables": SOME})
        found: dict[str, Any] = answer.json()
        return found

    assert (await asked(Scope.READ))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await asked(Scope.MANAGE))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "errors" not in await asked(Scope.MANAGE, Scope.READ)
    identifier = (await asked(Scope.MANAGE, Scope.READ))["data"]["webhooks"]["edges"][0]["node"]["id"]
    node = {"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": identifier}}
    reader = await caller(tenant, Scope.READ)
    assert (await reader.post("/graphql", json=node)).json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    stranger = await caller(f"{tenant}-2")
    assert (await stranger.post("/graphql", json=node)).json()["data"] == {"node": None}
