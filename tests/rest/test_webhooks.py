"""Webhooks over REST: made, listed, changed, rotated, enabled and disabled, removed."""

import asyncio
import base64
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.ports.tenants import Scope
from app.services import Services
from tests.postgres import Server
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check
from tests.waiting import until, waits_for_a_lock

URL = "https://crm.example/partwise"
WRITERS = 8


async def made(api: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await api.post("/v1/webhooks", json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{found['webhook_id']}"
    assert answer.headers["cache-control"] == "no-store"
    return found


def path_of(found: dict[str, Any]) -> str:
    return f"/v1/webhooks/{found['webhook_id']}"


async def logged(api: httpx.AsyncClient) -> list[str]:
    entries = (await api.get("/v1/audit-log?limit=200")).json()["items"]
    return [one["action"] for one in entries if one["action"].startswith("webhook.")][::-1]


async def test_a_webhook_is_made_and_its_secret_shown_once(api: httpx.AsyncClient):
    found = await made(api)
    secret = found.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    told = {name: found[name] for name in ("url", "description", "types", "verdicts", "client_types", "aspects")}
    assert told == {
        "url": URL,
        "description": "",
        "types": ["assessment.changed"],
        "verdicts": [],
        "client_types": [],
        "aspects": [],
    }
    assert (found["sources"], found["state"], found["disabled"], found["overlap_ends_at"]) == (
        [],
        "enabled",
        None,
        None,
    )
    assert found["delivering"] == {
        "behind": 0,
        "pending": 0,
        "failures": 0,
        "failing_since": None,
        "paused_until": None,
        "delivered_at": None,
    }
    for path in ("/v1/webhooks", path_of(found), "/v1/audit-log", f"{path_of(found)}/deliveries"):
        answer = await api.get(path)
        assert answer.status_code == 200, answer.text
        assert secret not in answer.text
    assert (await api.get(path_of(found))).json() == found
    assert (await api.get("/v1/webhooks")).json() == {"items": [found], "next": None}


async def test_filters_are_kept_as_sets(api: httpx.AsyncClient):
    wanted = {
        "types": ["webhook.disabled", "assessment.changed"],
        "verdicts": ["part", "keep", "part"],
        "client_types": ["slow_payer"],
        "aspects": ["verdict"],
        "sources": ["/b", "/a", "/ä"],
        "description": "Wer geht",
    }
    found = await made(api, **wanted)
    told = {name: found[name] for name in wanted}
    assert told == {
        **wanted,
        "types": sorted(wanted["types"]),
        "verdicts": ["keep", "part"],
        "sources": ["/a", "/b", "/ä"],
    }


async def test_a_request_that_is_sent_again_makes_one_webhook(api: httpx.AsyncClient):
    sent: dict[str, Any] = {"url": "/v1/webhooks", "json": {"url": URL}, "headers": {"Idempotency-Key": "w-1"}}
    first, second = await api.post(**sent), await api.post(**sent)
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert len((await api.get("/v1/webhooks")).json()["items"]) == 1
    assert await logged(api) == ["webhook.created"]


async def test_they_are_listed_page_by_page_oldest_first(api: httpx.AsyncClient):
    ids = [(await made(api))["webhook_id"] for _ in range(5)]
    found, url = [], "/v1/webhooks?limit=2"
    while url:
        page = (await api.get(url)).json()
        found += [one["webhook_id"] for one in page["items"]]
        url = f"/v1/webhooks?limit=2&cursor={page['next']}" if page["next"] else ""
    assert found == ids


async def test_there_are_so_many_at_most(api: httpx.AsyncClient):
    every = [await made(api) for _ in range(49)]
    # Of several at once one is the last.
    answers = await asyncio.gather(*(api.post("/v1/webhooks", json={"url": URL}) for _ in range(WRITERS)))
    assert Counter(one.status_code for one in answers) == {201: 1, 409: WRITERS - 1}
    assert "50" in check(await api.post("/v1/webhooks", json={"url": URL}), 409)["detail"]
    assert (await api.delete(path_of(every[0]))).status_code == 204
    await made(api)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": None}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": 1}, "/url"),
        ({"url": "ftp://a.example/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": URL, "description": "a\x00"}, "/description"),
        ({"url": URL, "description": None}, "/description"),
        ({"url": URL, "description": "x" * 501}, "/description"),
        ({"url": URL, "types": []}, "/types"),
        ({"url": URL, "types": ["webhook.ping"]}, "/types/0"),
        ({"url": URL, "types": "assessment.changed"}, "/types"),
        ({"url": URL, "types": ["assessment.changed"] * 11}, "/types"),
        ({"url": URL, "verdicts": ["good"]}, "/verdicts/0"),
        ({"url": URL, "verdicts": [1]}, "/verdicts/0"),
        ({"url": URL, "verdicts": None}, "/verdicts"),
        ({"url": URL, "client_types": ["nobody"]}, "/client_types"),
        ({"url": URL, "aspects": ["score"]}, "/aspects/0"),
        ({"url": URL, "sources": [""]}, "/sources/0"),
        ({"url": URL, "sources": ["a\x00"]}, "/sources/0"),
        ({"url": URL, "sources": ["a"] * 51}, "/sources"),
        ({"url": URL, "state": "disabled"}, "/state"),
        ({"url": URL, "secret": "whsec_x"}, "/secret"),
    ],
)
async def test_what_cannot_be_is_named(api: httpx.AsyncClient, body: dict[str, Any], pointer: str):
    problem = check(await api.post("/v1/webhooks", json=body), 422)
    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert (await api.get("/v1/webhooks")).json()["items"] == []
    if body and "url" in body:
        found = await made(api)
        problem = check(await api.patch(path_of(found), json=body), 422)
        assert problem["errors"][0]["pointer"].startswith(pointer)
        assert (await api.get(path_of(found))).json() == {key: found[key] for key in found if key != "secret"}


async def test_what_is_left_out_stays(api: httpx.AsyncClient):
    found = await made(api, verdicts=["part"], sources=["/a"], description="x")
    del found["secret"]
    path = path_of(found)
    before = await api.get(path)
    for body in ({}, {"verdicts": ["part"]}, {"url": URL, "types": ["assessment.changed"]}):
        same = await api.patch(path, json=body)
        assert (same.status_code, same.json()) == (200, found)
        assert same.headers["etag"] == before.headers["etag"]
    other = await api.patch(path, json={"verdicts": [], "url": "https://other.example/", "aspects": ["verdict"]})
    assert other.json() == {**found, "verdicts": [], "url": "https://other.example/", "aspects": ["verdict"]}
    assert other.headers["etag"] != before.headers["etag"]
    assert await logged(api) == ["webhook.created", "webhook.changed"]
    (entry,) = (await api.get("/v1/audit-log?action=webhook.changed")).json()["items"]
    assert entry["subject"] == f"webhook:{found['webhook_id']}"
    assert entry["details"] == {"fields": ["aspects", "url", "verdicts"]}
    assert "example" not in (await api.get("/v1/audit-log")).text


async def test_of_several_who_know_the_same_one_has_his_way(api: httpx.AsyncClient):
    found = await made(api)
    path = path_of(found)
    tag = (await api.get(path)).headers["etag"]
    changes = [
        *(api.patch(path, json={"description": f"{n}"}, headers={"If-Match": tag}) for n in range(3)),
        *(api.post(f"{path}/rotate", json={}, headers={"If-Match": tag}) for _ in range(3)),
        *(api.post(f"{path}/disable", headers={"If-Match": tag}) for _ in range(2)),
    ]
    answers = await asyncio.gather(*changes)
    assert Counter(one.status_code for one in answers) == {200: 1, 412: 7}
    check(await api.delete(path, headers={"If-Match": tag}), 412)
    tag = (await api.get(path)).headers["etag"]
    check(await api.delete(path, headers={"If-Match": '"x"'}), 412)
    assert (await api.delete(path, headers={"If-Match": tag})).status_code == 204
    check(await api.get(path), 404)


async def test_without_conditions_all_have_their_way(api: httpx.AsyncClient):
    found = await made(api)
    bodies = [{"description": f"{n}"} for n in range(WRITERS)]
    answers = await asyncio.gather(*(api.patch(path_of(found), json=body) for body in bodies))
    assert {one.status_code for one in answers} == {200}
    assert len(await logged(api)) == WRITERS + 1


async def test_it_is_read_again_by_its_tag(api: httpx.AsyncClient):
    found = await made(api)
    tag = (await api.get(path_of(found))).headers["etag"]
    assert (await api.get(path_of(found), headers={"If-None-Match": tag})).status_code == 304
    await api.post(f"{path_of(found)}/disable")
    assert (await api.get(path_of(found), headers={"If-None-Match": tag})).status_code == 200


async def test_it_is_disabled_and_enabled(api: httpx.AsyncClient):
    found = await made(api)
    path = path_of(found)
    began = datetime.now(UTC)
    off = [(await api.post(f"{path}/disable")).json() for _ in range(2)]
    assert off[0] == off[1]
    assert (off[0]["state"], off[0]["disabled"]["reason"]) == ("disabled", "requested")
    assert began <= datetime.fromisoformat(off[0]["disabled"]["at"]) <= datetime.now(UTC)
    on = [(await api.post(f"{path}/enable")).json() for _ in range(2)]
    assert (on[0]["state"], on[0]["disabled"], on[0]) == ("enabled", None, on[1])
    assert await logged(api) == ["webhook.created", "webhook.disabled", "webhook.enabled"]


async def test_rotation(api: httpx.AsyncClient):
    found = await made(api)
    path = path_of(found)
    first = (await api.post(f"{path}/rotate", json={"overlap": "PT1H"})).json()
    assert first["secret"] != found["secret"]
    ends = datetime.fromisoformat(first["overlap_ends_at"])
    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)
    # Rotating once more lets none sign longer, but may let it end sooner.
    longer = (await api.post(f"{path}/rotate", json={"overlap": 7200})).json()
    assert datetime.fromisoformat(longer["overlap_ends_at"]) > ends
    shorter = (await api.post(f"{path}/rotate", json={"overlap": 60})).json()
    assert datetime.fromisoformat(shorter["overlap_ends_at"]) < ends
    await api.post(f"{path}/rotate", json={"overlap": 60})
    assert "5" in check(await api.post(f"{path}/rotate", json={"overlap": 60}), 409)["detail"]
    last = (await api.post(f"{path}/rotate", json={"overlap": 0})).json()
    assert last["overlap_ends_at"] is None
    assert await logged(api) == ["webhook.created", *["webhook.rotated"] * 5]


@pytest.mark.parametrize("overlap", [-1, 2_592_001, "P31D", "x", None, 1.5, True, "PT", 10**400])
async def test_an_overlap_that_is_none_is_refused(api: httpx.AsyncClient, overlap: object):
    found = await made(api)
    answer = await api.post(f"{path_of(found)}/rotate", json={"overlap": overlap})
    assert check(answer, 422)["errors"][0]["pointer"] == "/overlap"


async def test_done_again_after_a_crash_it_is_the_same_webhook_with_a_secret_that_is_known(
    api: httpx.AsyncClient, services: Services
):
    """The answer of the first never came to be kept."""
    secret = api.headers["authorization"].removeprefix("Bearer ")
    principal = await services.keys.authenticate(secret)
    key = {"Idempotency-Key": "crash"}
    first = (await api.post("/v1/webhooks", json={"url": URL}, headers=key)).json()
    tenant = principal.tenant_id
    again = await services.webhooks.add(
        principal,
        URL,
        "",
        (await services.webhooks.one(tenant, first["webhook_id"])).webhook.wanted,
        request_id=first["webhook_id"],
    )
    assert again.seen.webhook.webhook_id == first["webhook_id"]
    assert again.secret != first["secret"]
    assert len((await api.get("/v1/webhooks")).json()["items"]) == 1


async def test_what_is_told_of_clients_takes_the_scope_to_read_them(caller: Caller, tenant: str):
    """Whoever may only manage does not come by clients by having himself told of them."""
    everything, manager = await caller(tenant), await caller(tenant, Scope.MANAGE)
    found = await made(everything)
    path = path_of(found)
    for answer in (
        await manager.post("/v1/webhooks", json={"url": URL}),
        await manager.patch(path, json={"url": "https://other.example/"}),
        await manager.get(f"{path}/deliveries"),
    ):
        check(answer, 403)
        assert 'scope="read"' in answer.headers["www-authenticate"]
    assert (await manager.post(f"{path}/disable")).status_code == 200
    reader = await caller(tenant, Scope.READ)
    check(await reader.get("/v1/webhooks"), 403)


async def test_anothers_webhook_is_not_there(api: httpx.AsyncClient, caller: Caller, tenant: str):
    found = await made(api)
    path = path_of(found)
    stranger = await caller(f"{tenant}-2")
    period = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"url": URL}),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate", {}),
        ("POST", f"{path}/enable", None),
        ("POST", f"{path}/disable", None),
        ("POST", f"{path}/skip", None),
        ("POST", f"{path}/replay", period),
        ("GET", f"{path}/deliveries", None),
        ("GET", f"{path}/deliveries/1", None),
        ("POST", f"{path}/deliveries/1/replay", None),
    ):
        check(await stranger.request(method, where, json=body), 404)
    assert (await api.get(path)).json() == {key: found[key] for key in found if key != "secret"}


async def test_who_is_in_a_workers_way_has_his_way_all_the_same(
    api: httpx.AsyncClient, services: Services, tenant: str, postgres: Server, database_url: str
):
    """A worker that disables a webhook locks in another order: one of the two begins anew."""
    found = await made(api)
    administrator_url = postgres.administrator_url(database_url.rpartition("/")[2].partition("?")[0])
    worker = await asyncpg.connect(postgres.owner_of(database_url).replace("+asyncpg", ""))
    mine = f"WHERE webhook_id = '{found['webhook_id']}'"
    begun = worker.transaction()
    try:
        await begun.start()
        await worker.execute("SELECT set_config('app.tenant_id', $1, true)", await services.keys.tenant(tenant))
        await worker.execute(f"UPDATE webhook_progress SET failures = 1 {mine}")
        changing = asyncio.create_task(api.patch(path_of(found), json={"description": "changed"}))
        await until(lambda: waits_for_a_lock(administrator_url))
        with suppress(asyncpg.DeadlockDetectedError):
            await worker.execute(f"UPDATE webhook SET revision = revision + 1 {mine}")
        await begun.rollback()
    finally:
        await worker.close()
    answer = await changing
    assert (answer.status_code, answer.json()["description"]) == (200, "changed")
