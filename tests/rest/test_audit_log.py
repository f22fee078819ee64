"""The audit log: every change is in it, with who made it, and nothing that is personal or secret."""

import hashlib

import httpx
import pytest

from app.ports.tenants import Scope
from app.services import Services
from app.store import audit
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check
from tests.rest.walks import NOWHERE

CLIENT = "mail@firma.example"
DIGEST = hashlib.sha256(CLIENT.encode()).hexdigest()


async def own_key(api: httpx.AsyncClient, services: Services) -> str:
    principal = await services.keys.authenticate(api.headers["authorization"].removeprefix("Bearer "))
    return principal.name


async def told(api: httpx.AsyncClient, query: str = "") -> list[tuple[str, str]]:
    answer = await api.get(f"/v1/audit-log?limit=200{query}")
    assert answer.status_code == 200, answer.text
    return [(one["action"], one["subject"]) for one in answer.json()["items"]]


async def test_every_change_is_noted_once_with_who_made_it(api: httpx.AsyncClient, services: Services):
    me = await own_key(api, services)
    key = (await api.post("/v1/api-keys", json={"name": "Anna", "scopes": ["read"]})).json()
    await api.post(f"/v1/api-keys/{key['key_id']}/rotate", json={})
    for _ in range(2):
        await api.delete(f"/v1/api-keys/{key['key_id']}")
    await api.post("/v1/policies", json={"settings": {}, "note": "for Anna"})
    await api.post("/v1/policies/v1/activate", headers={"If-Match": "*"})
    for _ in range(2):
        await api.put(f"/v1/clients/{CLIENT}", json={"name": "Anna", "country": "DE"})
    for _ in range(2):
        await api.delete(f"/v1/clients/{CLIENT}")
    answer = await api.get("/v1/audit-log")
    items = answer.json()["items"]
    assert [(one["action"], one["subject"].partition(":")[2]) for one in items[:-2][::-1]] == [
        ("api_key.created", key["key_id"]),
        ("api_key.rotated", key["key_id"]),
        ("api_key.revoked", key["key_id"]),
        ("policy.drafted", "v1"),
        ("policy.activated", "v1"),
        ("client.put", DIGEST),
        ("client.erased", DIGEST),
    ]
    assert {one["actor"] for one in items[:-2]} == {me}
    # What the operator did before.
    assert [(one["actor"], one["action"]) for one in items[-2:]] == [
        ("cli", "api_key.created"),
        ("cli", "tenant.created"),
    ]
    for hidden in ("Anna", CLIENT, key["secret"]):
        assert hidden not in answer.text
    put = next(one for one in items if one["action"] == "client.put")
    assert put["details"] == {"fields": ["country", "name"], "created": True}


async def test_graphql_notes_as_rest_does(api: httpx.AsyncClient, services: Services):
    me = await own_key(api, services)
    for mutation in (
        '{ putClient(input: {clientId: "a", name: "A"}) { __typename } }',
        '{ eraseClient(input: {clientId: "a"}) { __typename } }',
        "{ draftPolicy(input: {settings: {}}) { __typename } }",
        '{ activatePolicy(version: "v1") { __typename } }',
    ):
        answer = await api.post("/graphql", json={"query": f"mutation {mutation}"})
        assert "errors" not in answer.json(), answer.text
    found = (await api.get("/v1/audit-log", params={"actor": me})).json()["items"]
    assert [one["action"] for one in found] == ["policy.activated", "policy.drafted", "client.erased", "client.put"]


async def test_it_is_filtered(api: httpx.AsyncClient):
    for client in ("a", "b"):
        await api.put(f"/v1/clients/{client}", json={"name": client})
    everything = await told(api)
    a = hashlib.sha256(b"a").hexdigest()
    assert await told(api, "&client_id=a") == await told(api, f"&subject=client:{a}") == [("client.put", f"client:{a}")]
    assert await told(api, "&action=client.put") == everything[:2]
    assert await told(api, "&actor=cli") == everything[2:]
    assert await told(api, "&since=2020-01-01&until=2199-01-01") == everything
    assert await told(api, "&until=2020-01-01T00:00:00Z") == await told(api, "&since=2199-01-01") == []
    for query in ("action=x", "since=x", "client_id=a&subject=b", "cursor=x", "actor=%00"):
        check(await api.get(f"/v1/audit-log?{query}"), 400 if "cursor" in query else 422)


async def test_it_names_the_request(api: httpx.AsyncClient):
    await api.put("/v1/clients/a", json={"name": "x"}, headers={"X-Request-Id": "crm-17"})
    mutation = 'mutation { putClient(input: {clientId: "b", name: "B"}) { __typename } }'
    await api.post("/graphql", json={"query": mutation}, headers={"X-Request-Id": "crm-18"})
    found = (await api.get("/v1/audit-log")).json()["items"]
    assert [one["request_id"] for one in found] == ["crm-18", "crm-17", None, None]


async def test_its_pages_hold_each_entry_once(api: httpx.AsyncClient):
    for n in range(5):
        await api.put(f"/v1/clients/{n}", json={"name": "x"})
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.get(f"/v1/audit-log?limit=2{cursor and f'&cursor={cursor}'}")).json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert found == [one["id"] for one in (await api.get("/v1/audit-log")).json()["items"]]
    assert len(set(found)) == len(found) == 7


async def test_it_is_ones_own(caller: Caller, tenant: str):
    ours, theirs = await caller(tenant), await caller(tenant + "-2")
    await theirs.put("/v1/clients/a", json={"name": "x"})
    assert "client.put" not in {action for action, _ in await told(ours)}
    weak = await caller(tenant, Scope.READ, Scope.INGEST)
    check(await weak.get("/v1/audit-log"), 403)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/clients/new", {"name": "x"}),
        ("DELETE", "/v1/clients/old", None),
        ("POST", "/v1/policies", {"settings": {}}),
        ("POST", "/v1/policies/default-1/activate", None),
        ("POST", "/v1/api-keys", {"name": "x", "scopes": ["read"]}),
        ("POST", "/v1/api-keys/KEY/rotate", {"overlap": 0}),
        ("DELETE", "/v1/api-keys/KEY", None),
        ("POST", "/v1/webhooks", {"url": "https://crm.example/"}),
        ("PATCH", "/v1/webhooks/HOOK", {"description": "x"}),
        ("DELETE", "/v1/webhooks/HOOK", None),
        ("POST", "/v1/webhooks/HOOK/rotate", {"overlap": 0}),
        ("POST", "/v1/webhooks/HOOK/disable", None),
        ("POST", "/v1/webhooks/HOOK/ping", None),
        ("POST", "/v1/webhooks/HOOK/deliveries/1/replay", None),
    ],
)
async def test_what_cannot_be_noted_is_not_done(
    api: httpx.AsyncClient,
    method: str,
    path: str,
    body: object,
    monkeypatch: pytest.MonkeyPatch,
):
    """Both are one transaction."""
    await api.put("/v1/clients/old", json={"name": "x"})
    key = (await api.post("/v1/api-keys", json={"name": "x", "scopes": ["read"]})).json()

    hook = (await api.post("/v1/webhooks", json={"url": NOWHERE})).json()["webhook_id"]
    await api.post(f"/v1/webhooks/{hook}/ping")

    async def everything() -> list[object]:
        of_clients, deliveries = ("/v1/clients/old", "/v1/clients/new"), f"/v1/webhooks/{hook}/deliveries"
        paths = (*of_clients, "/v1/policies", "/v1/api-keys", "/v1/webhooks", deliveries, "/v1/audit-log")
        return [(await api.get(one, headers={"X-Request-Id": "the-same"})).json() for one in paths]

    before = await everything()
    with monkeypatch.context() as broken:
        broken.setattr(audit, "_told", lambda entry: "{\x00}")
        headers = {"If-Match": "*"} if path.endswith("/activate") else {}
        answer = await api.request(
            method, path.replace("KEY", key["key_id"]).replace("HOOK", hook), json=body, headers=headers
        )
        assert answer.status_code == 500
    assert await everything() == before
    assert (await api.get("/v1/clients", headers={"Authorization": f"Bearer {key['secret']}"})).status_code == 200
