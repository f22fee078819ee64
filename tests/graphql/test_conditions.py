"""Changes on conditions: what REST does by `If-Match`, mutations do by `ifMatch` and `ifNew`; the tags are the same."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.graphql.conftest import Ask

CLIENT = "query ($id: String!) { client(clientId: $id) { name etag } }"
PUT = """mutation ($input: PutClientInput!) { putClient(input: $input) { __typename
  ... on ClientPut { created client { etag name } } ... on Problem { message } } }"""
ERASE = """mutation ($input: EraseClientInput!) { eraseClient(input: $input) { __typename
  ... on Problem { message } } }"""
DRAFT = """mutation { draftPolicy(input: {settings: {}}) { ... on PolicyDrafted { policy { version etag } } } }"""
ACTIVATE = """mutation ($version: String!, $etag: String) { activatePolicy(version: $version, ifMatch: $etag) {
  __typename ... on PolicyActivated { policy { etag active } } ... on Problem { message } } }"""
POLICIES = "{ policies { version etag } }"


async def done(ask: Ask, query: str, **variables: Any) -> Any:
    answer = await ask(query, **variables)
    assert "errors" not in answer, answer
    (found,) = answer["data"].values()
    return found


async def test_a_client_is_changed_by_who_knows_it(ask: Ask, api: httpx.AsyncClient):
    made = await done(ask, PUT, input={"clientId": "acme", "name": "Acme", "ifNew": True})
    assert made["created"] is True
    tag = made["client"]["etag"]
    assert (await api.get("/v1/clients/acme")).headers["ETag"] == f'"{tag}"'
    again = await done(ask, PUT, input={"clientId": "acme", "name": "x", "ifNew": True})
    assert again["__typename"] == "PreconditionFailed"
    changed = await done(ask, PUT, input={"clientId": "acme", "name": "New", "ifMatch": tag})
    assert changed["client"]["name"] == "New"
    for wrong in (tag, "", "日本", "W/x", f'"{tag}"'):
        failed = await done(ask, PUT, input={"clientId": "acme", "name": "Old", "ifMatch": wrong})
        assert failed["__typename"] == "PreconditionFailed"
    for nobody in ("*", tag):
        failed = await done(ask, PUT, input={"clientId": "b", "ifMatch": nobody})
        assert failed["__typename"] == "PreconditionFailed"
    found = await done(ask, CLIENT, id="acme")
    assert found == {"name": "New", "etag": changed["client"]["etag"]}
    # By REST's header as well.
    headers = {"If-Match": f'"{found["etag"]}"'}
    assert (await api.put("/v1/clients/acme", json={"name": "Rest"}, headers=headers)).status_code == 200


async def test_a_client_is_erased_by_who_knows_it(ask: Ask):
    tag = (await done(ask, PUT, input={"clientId": "acme", "name": "Acme"}))["client"]["etag"]
    await done(ask, PUT, input={"clientId": "acme", "name": "New"})
    erased = await done(ask, ERASE, input={"clientId": "acme", "ifMatch": tag})
    assert erased["__typename"] == "PreconditionFailed"
    tag = (await done(ask, CLIENT, id="acme"))["etag"]
    assert (await done(ask, ERASE, input={"clientId": "acme", "ifMatch": tag}))["__typename"] == "ClientErased"


async def test_an_activation_by_who_knows_what_it_undoes(ask: Ask, api: httpx.AsyncClient):
    first, second = [(await done(ask, DRAFT))["policy"] for _ in range(2)]
    policies = {one["version"]: one["etag"] for one in await done(ask, POLICIES)}
    assert policies[first["version"]] == first["etag"]
    plain = {"Accept-Encoding": "identity"}
    over_rest = await api.get(f"/v1/policies/{first['version']}", headers=plain)
    assert over_rest.headers["ETag"] == f'"{first["etag"]}"'
    activated = await done(ask, ACTIVATE, **first)
    assert activated["policy"]["active"]
    assert activated["policy"]["etag"] != first["etag"]
    assert (await done(ask, ACTIVATE, **second))["__typename"] == "PreconditionFailed"
    assert (await done(ask, ACTIVATE, version=second["version"]))["__typename"] == "PolicyActivated"


@pytest.mark.parametrize("rest", [False, True])
async def test_of_writers_with_one_tag_one_wins(ask: Ask, api: httpx.AsyncClient, rest: bool):
    tag = (await done(ask, PUT, input={"clientId": "acme", "name": "Acme"}))["client"]["etag"]

    async def put(number: int) -> bool:
        if rest and number % 2:
            headers = {"If-Match": f'"{tag}"'}
            return (await api.put("/v1/clients/acme", json={"name": str(number)}, headers=headers)).is_success
        found = await done(ask, PUT, input={"clientId": "acme", "name": str(number), "ifMatch": tag})
        return bool(found["__typename"] == "ClientPut")

    assert sum(await asyncio.gather(*map(put, range(8)))) == 1
