"""`Idempotency-Key`: a POST is done once, and its answer is the same however often it is sent."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.composition import create_app, services_for
from app.ports.tenants import Scope
from app.services import Services
from app.settings import Settings
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.postgres import Server
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check
from tests.rest.walks import NOWHERE

JSON = {"Content-Type": "application/json"}
NAME = "8e03978e-40d5-43dd-bc93-6894a57f9324"
KEPT = ("content-type", "location", "content-language")


@pytest.fixture
async def owner(postgres: Server, database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(postgres.owner_of(database_url))
    yield engine
    await engine.dispose()


async def rows(owner: AsyncEngine, services: Services, tenant: str) -> list[Any]:
    """What is stored of a tenant's requests."""
    (key, *_) = await services.keys.of(tenant)
    async with owner.begin() as connection:
        await connection.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": key.tenant_id})
        return list(await connection.execute(text("SELECT * FROM request ORDER BY created_at")))


async def age(owner: AsyncEngine, services: Services, tenant: str) -> None:
    """Let time go by until a tenant's answers are kept no longer."""
    (key, *_) = await services.keys.of(tenant)
    async with owner.begin() as connection:
        await connection.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": key.tenant_id})
        await connection.execute(text("UPDATE request SET kept_until = now()"))


def key(name: str = NAME) -> dict[str, str]:
    return {"Idempotency-Key": f'"{name}"'}


async def same(first: httpx.Response, again: httpx.Response) -> None:
    assert again.headers.get("idempotency-replayed") == "true"
    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in KEPT:
        assert again.headers.get(name) == first.headers.get(name), name


async def posts(api: httpx.AsyncClient) -> dict[str, tuple[dict[str, Any], int]]:
    """One request for each POST of the document, and the status that it has."""
    version = (await api.post("/v1/policies", json={"settings": {}})).json()["version"]
    await api.put("/v1/clients/acme", json={})
    key_id = (await api.post("/v1/api-keys", json={"name": "crm", "scopes": ["read"]})).json()["key_id"]
    batch = as_json([cloud_event("a"), cloud_event("b", "nothing.known")])
    hook = (await api.post("/v1/webhooks", json={"url": NOWHERE})).json()["webhook_id"]
    await api.post(f"/v1/webhooks/{hook}/ping")
    since = datetime.now(UTC) - timedelta(days=1)
    period = {"since": since.isoformat(), "until": datetime.now(UTC).isoformat()}
    return {
        "/v1/events": ({"url": "/v1/events", "content": batch, "headers": {"Content-Type": BATCH}}, 200),
        "/v1/clients/{client_id}/simulate": (
            {"url": "/v1/clients/acme/simulate?language=ru", "json": {"events": [{"type": "call.received"}]}},
            200,
        ),
        "/v1/policies": ({"url": "/v1/policies", "json": {"settings": {"late": {"grace_days": 2}}}}, 201),
        "/v1/policies/{version}/activate": (
            {"url": f"/v1/policies/{version}/activate", "headers": {"If-Match": "*"}},
            200,
        ),
        "/v1/api-keys": ({"url": "/v1/api-keys", "json": {"name": "new", "scopes": ["read"]}}, 201),
        "/v1/webhooks": ({"url": "/v1/webhooks", "json": {"url": NOWHERE, "description": "new"}}, 201),
        "/v1/webhooks/{webhook_id}/rotate": (
            {"url": f"/v1/webhooks/{hook}/rotate", "json": {"overlap": 60}, "headers": {"If-Match": "*"}},
            200,
        ),
        "/v1/webhooks/{webhook_id}/enable": ({"url": f"/v1/webhooks/{hook}/enable"}, 200),
        "/v1/webhooks/{webhook_id}/disable": ({"url": f"/v1/webhooks/{hook}/disable"}, 200),
        "/v1/webhooks/{webhook_id}/ping": ({"url": f"/v1/webhooks/{hook}/ping"}, 200),
        "/v1/webhooks/{webhook_id}/skip": ({"url": f"/v1/webhooks/{hook}/skip"}, 200),
        "/v1/webhooks/{webhook_id}/replay": ({"url": f"/v1/webhooks/{hook}/replay", "json": period}, 202),
        "/v1/webhooks/{webhook_id}/deliveries/{number}/replay": (
            {"url": f"/v1/webhooks/{hook}/deliveries/1/replay"},
            202,
        ),
        "/v1/api-keys/{key_id}/rotate": (
            {"url": f"/v1/api-keys/{key_id}/rotate", "json": {"overlap": 60}, "headers": {"If-Match": "*"}},
            200,
        ),
    }


async def test_every_post_is_done_once(api: httpx.AsyncClient):
    document = (await api.get("/openapi.json")).json()["paths"]
    known = await posts(api)
    for path, operations in document.items():
        if "post" not in operations or not path.startswith("/v1/"):
            continue
        ours = {"$ref": "#/components/parameters/Idempotency-Key"}
        assert ours in operations["post"]["parameters"], path
        asked, status = known[path]
        sent = {**asked, "headers": {**asked.get("headers", {}), **key()}}
        # The name is another one at each path: a request of another path is another request.
        sent["headers"]["Idempotency-Key"] = f'"{path.encode().hex()}"'
        first = await api.post(**sent)
        assert first.status_code == status, first.text
        await same(first, await api.post(**sent))
        await same(first, await api.post(**sent))
    assert [one["name"] for one in (await api.get("/v1/api-keys")).json()["items"]] == ["key", "crm", "new"]
    versions = [one["version"] for one in (await api.get("/v1/policies")).json()["items"]]
    assert versions == ["v2", "v1", "default-1"]
    hooks = (await api.get("/v1/webhooks")).json()["items"]
    assert [one["description"] for one in hooks] == ["", "new"]
    assert len((await api.get(f"/v1/webhooks/{hooks[0]['webhook_id']}/deliveries")).json()["items"]) == 2


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b'{"settings": {"late": {"grace_days": -1}}}', 422), (b"{}", 422)],
)
async def test_what_was_refused_is_refused_in_the_same_way(api: httpx.AsyncClient, content: bytes, status: int):
    sent: dict[str, Any] = {"url": "/v1/policies", "content": content, "headers": JSON | key()}
    first = await api.post(**sent)
    check(first, status)
    await same(first, await api.post(**sent))


async def test_both_forms_name_the_same(api: httpx.AsyncClient):
    sent: dict[str, Any] = {"url": "/v1/policies", "json": {"settings": {}}}
    first = await api.post(**sent, headers={"Idempotency-Key": '"a-b:c"'})
    await same(first, await api.post(**sent, headers={"Idempotency-Key": "a-b:c"}))
    quoted = await api.post(**sent, headers={"Idempotency-Key": r'"a\"b \\ c"'})
    assert quoted.status_code == 201
    await same(quoted, await api.post(**sent, headers={"Idempotency-Key": r'"a\"b \\ c"'}))


@pytest.mark.parametrize(
    "name",
    [
        *(b"", b'""', b'"', b'"a', b'a"', b"a b", b'"a"b"', b'"a";b=c', b'"a", "b"', b'"\xe9"', b'"a\tb"', rb'"a\b"'),
        *(b"x" * 256, b'"' + b"x" * 256 + b'"', b"<a>", b"a,b"),
    ],
)
async def test_a_name_that_is_none_is_refused(api: httpx.AsyncClient, name: bytes):
    answer = await api.post("/v1/policies", json={"settings": {}}, headers={b"Idempotency-Key": name})
    assert check(answer, 400)["errors"][0]["pointer"] == "idempotency-key:"
    assert len((await api.get("/v1/policies")).json()["items"]) == 1


async def test_two_names_are_refused(api: httpx.AsyncClient):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Content-Type", "application/json")]
    check(await api.post("/v1/policies", content=b'{"settings": {}}', headers=headers), 400)


async def test_a_stream_takes_none(api: httpx.AsyncClient):
    headers = {"Content-Type": "application/x-ndjson; charset=utf-8"} | key()
    answer = await api.post("/v1/events", content=as_json(cloud_event("a")), headers=headers)
    assert check(answer, 400)["errors"][0]["pointer"] == "idempotency-key:"
    assert (await api.get("/v1/events")).json()["items"] == []


async def test_another_request_of_the_same_name_is_refused(api: httpx.AsyncClient):
    first: dict[str, Any] = {"url": "/v1/policies", "content": b'{"settings": {}}', "headers": JSON | key()}
    assert (await api.post(**first)).status_code == 201
    others: list[dict[str, Any]] = [
        {"content": b'{"settings":{}}'},
        {"content": b'{"settings": {}, "note": "x"}'},
        {"url": "/v1/policies?a=b"},
        {"url": "/v1/policies/v1/activate"},
        {"headers": {"Content-Type": "application/json; charset=utf-8"} | key()},
    ]
    for other in others:
        problem = check(await api.post(**{**first, **other}), 422)
        assert problem["type"] == "/problems/idempotency-key-reused", other
    assert len((await api.get("/v1/policies")).json()["items"]) == 2
    assert (await api.post(**first)).headers["idempotency-replayed"] == "true"


async def test_names_are_each_senders_own(api: httpx.AsyncClient, caller: Caller, tenant: str):
    """Of another tenant, and of another key of the same."""
    for sender in (api, await caller(tenant), await caller(f"tenant-{uuid.uuid4()}")):
        answer = await sender.post("/v1/policies", json={"settings": {}, "note": "x"}, headers=key())
        assert (answer.status_code, "idempotency-replayed" in answer.headers) == (201, False)


async def test_whoever_may_not_is_not_remembered(caller: Caller, tenant: str):
    """401 and 403 are about who asks: with more rights the same request is done."""
    reader = await caller(tenant, Scope.READ)
    for _ in range(2):
        answer = await reader.post("/v1/policies", json={"settings": {}}, headers=key())
        assert "idempotency-replayed" not in answer.headers
        check(answer, 403)
    reader.headers["Authorization"] = "Bearer pw_nothing"
    check(await reader.post("/v1/policies", json={"settings": {}}, headers=key()), 401)
    del reader.headers["Authorization"]
    check(await reader.post("/v1/policies", json={"settings": {}}, headers=key()), 401)


async def test_of_many_at_once_one_is_done(api: httpx.AsyncClient):
    """The others are told to come again, and then get its answer."""
    sent: dict[str, Any] = {"url": "/v1/policies", "json": {"settings": {}}, "headers": key()}
    answers = await asyncio.gather(*(api.post(**sent) for _ in range(12)))
    by_status: dict[int, list[httpx.Response]] = {}
    for answer in answers:
        by_status.setdefault(answer.status_code, []).append(answer)
    assert set(by_status) <= {201, 409}
    assert sum("idempotency-replayed" not in answer.headers for answer in by_status[201]) == 1
    assert len({answer.content for answer in by_status[201]}) == 1
    for answer in by_status.get(409, []):
        assert check(answer, 409)["type"] == "/problems/idempotency-in-flight"
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await api.post(**sent)).content == by_status[201][0].content
    assert len((await api.get("/v1/policies")).json()["items"]) == 2


async def test_it_waits_while_another_is_at_it(
    api: httpx.AsyncClient, services: Services, owner: AsyncEngine, tenant: str
):
    """With the work held up in the middle, whoever sends it again is told so."""
    (own, *_) = await services.keys.of(tenant)
    sent: dict[str, Any] = {"url": "/v1/policies", "json": {"settings": {}}, "headers": key()}
    async with owner.begin() as connection:
        await connection.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": own.tenant_id})
        await connection.execute(text("SELECT 1 FROM tenant WHERE tenant_id = :id FOR UPDATE"), {"id": own.tenant_id})
        working = asyncio.create_task(api.post(**sent))
        while not await rows(owner, services, tenant):  # noqa: ASYNC110 - it happens in the database
            await asyncio.sleep(0.01)
        problem = check(await api.post(**sent), 409)
        assert problem["type"] == "/problems/idempotency-in-flight"
        assert not working.done()
    first = await working
    assert first.status_code == 201
    await same(first, await api.post(**sent))


async def test_nothing_of_an_answer_can_be_read_at_rest(
    api: httpx.AsyncClient, services: Services, owner: AsyncEngine, tenant: str
):
    """Neither it nor the name that opens it is stored; another tenant's or key's name opens nothing."""
    note = "a note that nobody else is to read"
    await api.post("/v1/policies", json={"settings": {}, "note": note}, headers=key())
    (row,) = await rows(owner, services, tenant)
    assert row.answer is not None
    stored = repr(tuple(row)).encode() + bytes(row.answer)
    for secret in (note, NAME, "grace_days"):
        assert secret.encode() not in stored
    assert (row.made, row.subject) == ("v1", None)


async def test_an_erased_client_is_in_no_answer(
    api: httpx.AsyncClient, services: Services, owner: AsyncEngine, tenant: str
):
    await api.put("/v1/clients/a%2Fb", json={"name": "Personal"})
    sent: dict[str, Any] = {"json": {"events": [{"type": "call.received"}]}}
    for client in ("a%2Fb", "other"):
        await api.put(f"/v1/clients/{client}", json={})
        answer = await api.post(f"/v1/clients/{client}/simulate", **sent, headers=key(client))
        assert answer.status_code == 200, answer.text
    assert len(await rows(owner, services, tenant)) == 2
    assert (await api.delete("/v1/clients/a%2Fb")).status_code == 204
    (left,) = await rows(owner, services, tenant)
    assert left.answer is not None
    check(await api.post("/v1/clients/a%2Fb/simulate", **sent, headers=key("a%2Fb")), 404)
    # And what is answered for a client that is not known is not kept, as it cannot go with it.
    assert [row.answer is None for row in await rows(owner, services, tenant)] == [False, True]


async def test_old_answers_go(database_url: str, owner: AsyncEngine, tenant: str):
    """First they count no longer, then the worker removes them: of all tenants."""
    settings = Settings().with_database(database_url)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        secret = await app.state.services.keys.create(tenant, frozenset(Scope))
        headers = {"Authorization": f"Bearer {secret}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as api:
            sent: dict[str, Any] = {"url": "/v1/policies", "json": {"settings": {}}, "headers": key()}
            first = await api.post(**sent)
            await same(first, await api.post(**sent))
            await age(owner, app.state.services, tenant)
            later = await api.post(**sent)
            assert (later.status_code, later.json()["version"]) == (201, "v2")
    async with services_for(settings) as services:
        await age(owner, services, tenant)
        assert len(await rows(owner, services, tenant)) == 1
        assert await services.once.remove_old() is False
        assert await rows(owner, services, tenant) == []


async def test_without_a_key_nothing_is_stored(
    api: httpx.AsyncClient, services: Services, owner: AsyncEngine, tenant: str
):
    await api.post("/v1/policies", json={"settings": {}})
    await api.get("/v1/policies", headers=key())
    await api.put("/v1/clients/acme", json={}, headers=key())
    assert await rows(owner, services, tenant) == []


async def test_an_answer_that_is_too_long_is_not_kept(
    api: httpx.AsyncClient, services: Services, owner: AsyncEngine, tenant: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.rest.idempotency.MOST_STORED", 100)
    events = as_json([cloud_event(f"e{n}") for n in range(100)])
    sent: dict[str, Any] = {"url": "/v1/events", "content": events, "headers": {"Content-Type": BATCH} | key()}
    assert (await api.post(**sent)).json()["accepted"] == 100
    (row,) = await rows(owner, services, tenant)
    assert row.answer is None
    again = await api.post(**sent)
    assert (again.json()["duplicate"], "idempotency-replayed" in again.headers) == (100, False)


async def test_a_body_that_is_too_long_is_refused(api: httpx.AsyncClient):
    check(await api.post("/v1/events", content=b" " * (8 * 1024 * 1024 + 1), headers=JSON | key()), 413)


async def test_a_policy_is_activated_once(api: httpx.AsyncClient):
    """Sent again later, it does not undo what was done since."""
    for _ in range(2):
        await api.post("/v1/policies", json={"settings": {}})
    headers = key() | {"If-Match": "*"}
    first = await api.post("/v1/policies/v1/activate", headers=headers)
    assert (await api.post("/v1/policies/v2/activate", headers={"If-Match": "*"})).status_code == 200
    await same(first, await api.post("/v1/policies/v1/activate", headers=headers))
    assert [one["version"] for one in (await api.get("/v1/policies")).json()["items"] if one["active"]] == ["v2"]
