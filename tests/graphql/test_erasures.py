"""Erasing clients over GraphQL is what it is over REST."""

import hashlib
from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from tests.cloud_events import cloud_event
from tests.graphql.conftest import Ask, Caller, asking

ERASE = """mutation ($id: String!) { eraseClient(input: {clientId: $id}) { __typename
  ... on ClientErased { erasure { digest erasedAt finishedAt } }
  ... on InvalidInput { message faults { pointer detail } } ... on NotFound { message }
  ... on Forbidden { message } } }"""
LIST = """query ($first: Int, $after: String) { erasures(first: $first, after: $after) {
  edges { cursor node { digest erasedAt finishedAt } } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
PUT = """mutation ($id: String!) { putClient(input: {clientId: $id}) { __typename
  ... on Conflict { message } ... on ClientPut { created } } }"""
SEND = """mutation ($events: [JSON!]!) { sendEvents(input: {events: $events}) { ... on EventsSent {
  results { outcome faults { pointer detail } } } } }"""


def digest(client_id: str) -> str:
    return hashlib.sha256(client_id.encode()).hexdigest()


async def done(ask: Ask, query: str, **variables: Any) -> dict[str, Any]:
    answer = await ask(query, **variables)
    assert "errors" not in answer, answer
    (found,) = answer["data"].values()
    return found


async def test_a_client_is_erased_and_stays_so(ask: Ask, api: httpx.AsyncClient):
    for name in ("acme", "other"):
        assert (await done(ask, PUT, id=name))["created"] is True
    node = (await ask('{ client(clientId: "acme") { id events { edges { node { id } } } } }'))["data"]["client"]
    ids = [node["id"], node["events"]["edges"][0]["node"]["id"]]

    erased = await done(ask, ERASE, id="acme")
    assert erased["__typename"] == "ClientErased"
    told = (await api.get(f"/v1/erasures/{digest('acme')}")).json()
    assert erased["erasure"] == {
        "digest": told["digest"],
        "erasedAt": told["erased_at"],
        "finishedAt": told["finished_at"],
    }
    assert await done(ask, ERASE, id="acme") == erased, "once more is harmless"

    query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } client(clientId: "acme") { id } clients { totalCount } }'
    found = (await ask(query, ids=ids))["data"]
    assert found == {"nodes": [None, None], "client": None, "clients": {"totalCount": 1}}
    put = await done(ask, PUT, id="acme")
    assert put["__typename"] == "Conflict"
    assert "was erased" in put["message"]
    sent = await done(ask, SEND, events=[cloud_event("1"), cloud_event("2", client="other")])
    assert sent["results"] == [
        {"outcome": "INVALID", "faults": [{"pointer": "/subject", "detail": "this client was erased"}]},
        {"outcome": "ACCEPTED", "faults": []},
    ]


@pytest.mark.parametrize("name", ["", "a\u0000", "x" * 201])
async def test_what_cannot_be_an_id_is_named(ask: Ask, name: str):
    found = await done(ask, ERASE, id=name)
    assert (found["__typename"], found["faults"][0]["pointer"]) == ("InvalidInput", "/clientId")


async def test_who_was_never_known_is_not_found(ask: Ask):
    assert (await done(ask, ERASE, id="nobody"))["__typename"] == "NotFound"


async def test_only_who_may_manage_may_erase(caller: Caller, api: httpx.AsyncClient, tenant: str):
    await api.put("/v1/clients/acme", json={})
    weak = asking(await caller(tenant, Scope.INGEST, Scope.READ))
    assert (await done(weak, ERASE, id="acme"))["__typename"] == "Forbidden"
    assert (await weak(LIST))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await api.get("/v1/clients/acme")).status_code == 200


async def test_erasures_are_listed_page_by_page(ask: Ask):
    for name in ("a", "b", "c"):
        await done(ask, PUT, id=name)
        await done(ask, ERASE, id=name)
    first = await done(ask, LIST, first=2)
    assert [edge["node"]["digest"] for edge in first["edges"]] == [digest("a"), digest("b")]
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    rest = await done(ask, LIST, first=2, after=first["pageInfo"]["endCursor"])
    assert [edge["node"]["digest"] for edge in rest["edges"]] == [digest("c")]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    for cursor in ("x", "WyJhIiwgImIiXQ"):
        wrong = (await ask(LIST, after=cursor))["errors"][0]["extensions"]
        assert (wrong["code"], wrong["argument"]) == ("BAD_USER_INPUT", "after")
