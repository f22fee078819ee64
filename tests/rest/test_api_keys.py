"""API keys over REST: made, listed, rotated, revoked."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from app.services import Services
from app.use_cases.errors import UnauthenticatedError
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def made(api: httpx.AsyncClient, *scopes: str, **more: Any) -> dict[str, Any]:
    answer = await api.post("/v1/api-keys", json={"name": "CRM", "scopes": scopes or ["read"], **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/api-keys/{found['key_id']}"
    assert answer.headers["cache-control"] == "no-store"
    return found


async def test_a_key_is_made_and_its_secret_shown_once(api: httpx.AsyncClient):
    found = await made(api, "read", "ingest")
    secret = found.pop("secret")
    assert secret.startswith(found["hint"])
    assert (found["status"], found["scopes"], found["last_used_at"]) == ("active", ["ingest", "read"], None)
    assert (await api.get("/v1/clients", headers=bearer(secret))).status_code == 200
    check(await api.get("/v1/api-keys", headers=bearer(secret)), 403)
    for path in ("/v1/api-keys", f"/v1/api-keys/{found['key_id']}", "/v1/audit-log"):
        answer = await api.get(path)
        assert answer.status_code == 200
        assert secret not in answer.text


async def test_a_request_that_is_sent_again_shows_the_same_secret(api: httpx.AsyncClient):
    async def send() -> httpx.Response:
        body = {"name": "CRM", "scopes": ["read"]}
        return await api.post("/v1/api-keys", json=body, headers={"Idempotency-Key": "key-1"})

    first, second = await send(), await send()
    assert second.headers["idempotency-replayed"] == "true"
    assert second.json() == first.json()
    assert (await api.get("/v1/clients", headers=bearer(second.json()["secret"]))).status_code == 200
    assert len((await api.get("/v1/api-keys")).json()["items"]) == 2


async def test_done_again_after_a_crash_the_key_gets_a_secret_that_is_known(services: Services, tenant: str):
    tenant_id = (await services.keys.authenticate(await services.keys.create(tenant, frozenset()))).tenant_id
    scopes = frozenset({Scope.READ})
    first = await services.keys.issue(tenant_id, "x", scopes, key_id="r-1")
    second = await services.keys.issue(tenant_id, "x", scopes, key_id="r-1")
    assert (await services.keys.authenticate(second.secret)).key_id == "r-1"
    with pytest.raises(UnauthenticatedError):
        await services.keys.authenticate(first.secret)


async def test_they_are_listed_page_by_page_oldest_first(api: httpx.AsyncClient):
    keys = [(await made(api))["key_id"] for _ in range(4)]
    found, url = [], "/v1/api-keys?limit=2"
    while url:
        page = (await api.get(url)).json()
        found += [one["key_id"] for one in page["items"]]
        url = f"/v1/api-keys?limit=2&cursor={page['next']}" if page["next"] else ""
    assert found[1:] == keys  # the first is the caller's own


async def test_nobody_comes_by_scopes_that_he_does_not_have(caller: Caller, tenant: str):
    everything, manager = await caller(tenant), await caller(tenant, Scope.MANAGE)
    key = await made(everything, "read")
    answer = await manager.post("/v1/api-keys", json={"name": "x", "scopes": ["read", "manage"]})
    assert check(answer, 403)["detail"].endswith("read")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    check(await manager.post(f"/v1/api-keys/{key['key_id']}/rotate", json={}), 403)
    await made(manager, "manage")
    # To end a key gives nobody anything.
    assert (await manager.delete(f"/v1/api-keys/{key['key_id']}")).status_code == 204


async def test_a_key_ends_when_it_said(api: httpx.AsyncClient):
    found = await made(api, expires_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())
    headers = bearer(found["secret"])
    while (answer := await api.get("/v1/clients", headers=headers)).status_code == 200:
        pass
    assert datetime.now(UTC) >= datetime.fromisoformat(found["expires_at"])
    check(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert (await api.get(f"/v1/api-keys/{found['key_id']}")).json()["status"] == "expired"
    check(await api.post(f"/v1/api-keys/{found['key_id']}/rotate", json={}), 409)


async def test_rotation(api: httpx.AsyncClient):
    first = await made(api)
    path = f"/v1/api-keys/{first['key_id']}"
    answer = await api.post(f"{path}/rotate", json={"overlap": "PT1H"})
    second = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert second["key_id"] == first["key_id"]
    assert second["secret"] != first["secret"]
    ends = datetime.fromisoformat(second["overlap_ends_at"])
    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)
    for secret in (first["secret"], second["secret"]):
        assert (await api.get("/v1/clients", headers=bearer(secret))).status_code == 200
    third = (await api.post(f"{path}/rotate", json={"overlap": 0})).json()
    assert third["overlap_ends_at"] is None
    for secret in (first["secret"], second["secret"]):
        check(await api.get("/v1/clients", headers=bearer(secret)), 401)
    assert (await api.get("/v1/clients", headers=bearer(third["secret"]))).status_code == 200


async def test_revocation(api: httpx.AsyncClient):
    found = await made(api)
    path = f"/v1/api-keys/{found['key_id']}"
    assert [(await api.delete(path)).status_code for _ in range(2)] == [204, 204]
    check(await api.get("/v1/clients", headers=bearer(found["secret"])), 401)
    assert (await api.get(path)).json()["status"] == "revoked"
    check(await api.delete("/v1/api-keys/none"), 404)


async def test_the_last_manager_stays_unless_forced(api: httpx.AsyncClient):
    (own,) = (await api.get("/v1/api-keys")).json()["items"]
    path = f"/v1/api-keys/{own['key_id']}"
    # One that has expired is of no use.
    soon = datetime.now(UTC) + timedelta(seconds=1)
    await made(api, "manage", expires_at=soon.isoformat())
    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.01)
    assert "last key" in check(await api.delete(path), 409)["detail"]
    assert (await api.delete(path, params={"force": "true"})).status_code == 204
    check(await api.get("/v1/api-keys"), 401)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scopes": ["read"]}, "/name"),
        ({"name": "", "scopes": ["read"]}, "/name"),
        ({"name": "a\x00b", "scopes": ["read"]}, "/name"),
        ({"name": "x" * 201, "scopes": ["read"]}, "/name"),
        ({"name": 1, "scopes": ["read"]}, "/name"),
        ({"name": "x"}, "/scopes"),
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": ["root"]}, "/scopes/0"),
        ({"name": "x", "scopes": "read"}, "/scopes"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2199-01-01"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2199-01-01T00:00:00"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "9999-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": 4102444800}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "secret": "pw_mine"}, "/secret"),
    ],
)
async def test_what_cannot_be_a_key_is_named(api: httpx.AsyncClient, body: Any, pointer: str):
    assert check(await api.post("/v1/api-keys", json=body), 422)["errors"][0]["pointer"] == pointer
    assert len((await api.get("/v1/api-keys")).json()["items"]) == 1


@pytest.mark.parametrize(
    "overlap", [-1, True, 1.5, 31 * 86400, 10**30, "P31D", "P1M", "P1Y", "P", "PT", "1 day", "", "-P1D", "PT1.5H", None]
)
async def test_what_cannot_be_an_overlap_is_named(api: httpx.AsyncClient, overlap: Any):
    key = await made(api)
    answer = await api.post(f"/v1/api-keys/{key['key_id']}/rotate", json={"overlap": overlap})
    assert check(answer, 422)["errors"][0]["pointer"] == "/overlap"
    assert (await api.get("/v1/clients", headers=bearer(key["secret"]))).status_code == 200


async def test_a_neighbours_key_is_not_there(caller: Caller, tenant: str):
    ours, theirs = await caller(tenant), await caller(tenant + "-2")
    key = await made(theirs)
    path = f"/v1/api-keys/{key['key_id']}"
    check(await ours.get(path), 404)
    check(await ours.post(f"{path}/rotate", json={}), 404)
    check(await ours.delete(path, params={"force": "true"}), 404)
    assert key["key_id"] not in (await ours.get("/v1/api-keys")).text
    assert (await theirs.get("/v1/clients", headers=bearer(key["secret"]))).status_code == 200
