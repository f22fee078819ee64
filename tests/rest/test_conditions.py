"""Changes on conditions: `If-Match` and `If-None-Match` on what is changed; of several who know the same, one wins."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.composition import create_app
from app.ports.tenants import Scope
from app.services import Services
from app.settings import Settings
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check

WRITERS = 8


def wearing(tag: str, **more: str) -> dict[str, str]:
    return {"If-Match": tag, **more}


@pytest.fixture
async def acme(api: httpx.AsyncClient) -> str:
    """The tag of a client."""
    made = await api.put("/v1/clients/acme", json={"name": "Acme"})
    assert made.status_code == 201
    return made.headers["ETag"]


async def draft(api: httpx.AsyncClient) -> httpx.Response:
    answer = await api.post("/v1/policies", json={"settings": {}})
    assert answer.status_code == 201, answer.text
    return answer


async def issue(api: httpx.AsyncClient) -> httpx.Response:
    answer = await api.post("/v1/api-keys", json={"name": "crm", "scopes": ["read"]})
    assert answer.status_code == 201, answer.text
    return answer


# ----------------------------------------------------------------------------------------------------------- clients


async def test_a_client_is_changed_by_who_knows_it(api: httpx.AsyncClient, acme: str):
    assert (await api.get("/v1/clients/acme")).headers["ETag"] == acme
    changed = await api.put("/v1/clients/acme", json={"name": "New"}, headers=wearing(acme))
    assert (changed.status_code, changed.json()["name"]) == (200, "New")
    assert changed.headers["ETag"] != acme
    problem = check(await api.put("/v1/clients/acme", json={"name": "Old"}, headers=wearing(acme)), 412)
    assert problem["type"] == "/problems/precondition-failed"
    now = await api.get("/v1/clients/acme")
    assert (now.json()["name"], now.headers["ETag"]) == ("New", changed.headers["ETag"])
    # A list of tags holds if any of them does, and a weak one never does.
    tag = now.headers["ETag"]
    check(await api.put("/v1/clients/acme", json={"name": "Weak"}, headers=wearing(f"W/{tag}")), 412)
    listed = await api.put("/v1/clients/acme", json={"name": "Listed"}, headers=wearing(f'{acme}, "x" ,{tag}'))
    assert listed.status_code == 200
    assert (await api.put("/v1/clients/acme", json={"name": "Any"}, headers=wearing("*"))).status_code == 200


async def test_events_change_a_client_only_where_they_tell_of_it(api: httpx.AsyncClient, acme: str):
    events = [cloud_event("c", "call.received", data={})]
    await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    assert (await api.get("/v1/clients/acme")).headers["ETag"] == acme
    told = [cloud_event("u", "client.updated", time=datetime.now(UTC).isoformat(), data={"name": "Told"})]
    await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    check(await api.put("/v1/clients/acme", json={"name": "Mine"}, headers=wearing(acme)), 412)


async def test_a_client_is_made_only_once(api: httpx.AsyncClient, acme: str):
    new = {"If-None-Match": "*"}
    check(await api.put("/v1/clients/acme", json={"name": "Other"}, headers=new), 412)
    assert (await api.get("/v1/clients/acme")).json()["name"] == "Acme"
    assert (await api.put("/v1/clients/b", json={}, headers=new)).status_code == 201
    check(await api.put("/v1/clients/c", json={}, headers=wearing("*")), 412)
    check(await api.get("/v1/clients/c"), 404)
    check(await api.put("/v1/clients/acme", json={}, headers={"If-None-Match": f'"x", W/{acme}'}), 412)
    assert (await api.put("/v1/clients/acme", json={}, headers={"If-None-Match": '"x"'})).status_code == 200


async def test_a_client_is_erased_by_who_knows_it(api: httpx.AsyncClient, acme: str):
    changed = await api.put("/v1/clients/acme", json={"name": "New"})
    check(await api.delete("/v1/clients/acme", headers=wearing(acme)), 412)
    assert (await api.get("/v1/clients/acme")).status_code == 200
    tag = changed.headers["ETag"]
    for _ in range(2):
        # Once more is harmless with it, too.
        assert (await api.delete("/v1/clients/acme", headers=wearing(tag))).status_code == 204
    check(await api.delete("/v1/clients/nobody", headers=wearing(tag)), 404)


async def test_a_tag_is_of_one_client_of_one_tenant(api: httpx.AsyncClient, acme: str, caller: Caller):
    other = await caller("a tenant beside")
    await other.put("/v1/clients/acme", json={"name": "Acme"})
    check(await other.put("/v1/clients/acme", json={"name": "x"}, headers=wearing(acme)), 412)
    await api.put("/v1/clients/b", json={"name": "Acme"})
    check(await api.put("/v1/clients/b", json={"name": "x"}, headers=wearing(acme)), 412)


@pytest.mark.parametrize(
    "given", ["", "x", '"', '"a" "b"', 'w/"a"', '*, "a"', '"a", *', ",", '"a b"', ", ".join(['"x"'] * 51)]
)
async def test_what_is_no_list_of_tags_is_refused(api: httpx.AsyncClient, acme: str, given: str):
    for name in ("If-Match", "If-None-Match"):
        problem = check(await api.put("/v1/clients/acme", json={"name": "x"}, headers={name: given}), 400)
        assert problem["errors"][0]["pointer"] == f"{name.lower()}:"
    assert (await api.get("/v1/clients/acme")).json()["name"] == "Acme"


async def test_tags_of_coded_answers_are_taken(api: httpx.AsyncClient):
    coded = {"Accept-Encoding": "gzip"}
    policy = await api.get("/v1/policies/default-1", headers=coded)
    tag = policy.headers["ETag"]
    assert (tag[-6:], policy.headers["Content-Encoding"]) == ('-gzip"', "gzip")
    again = await api.get("/v1/policies/default-1", headers=coded | {"If-None-Match": tag})
    assert (again.status_code, again.headers["ETag"]) == (304, tag)
    assert (await api.post("/v1/policies/default-1/activate", headers=wearing(tag))).status_code == 200


# ---------------------------------------------------------------------------------------------------------- policies


async def test_an_activation_needs_to_know_what_it_undoes(api: httpx.AsyncClient):
    first, second = await draft(api), await draft(api)
    path = f"/v1/policies/{first.json()['version']}/activate"
    problem = check(await api.post(path), 428)
    assert (problem["type"], problem["errors"][0]["pointer"]) == ("/problems/precondition-required", "if-match:")
    # An activation of either is what both tags tell.
    done = await api.post(path, headers=wearing(first.headers["ETag"]))
    assert done.status_code == 200
    assert done.headers["Content-Location"] == f"/v1/policies/{first.json()['version']}"
    path = f"/v1/policies/{second.json()['version']}/activate"
    check(await api.post(path, headers=wearing(second.headers["ETag"])), 412)
    check(await api.post(path, headers=wearing(done.headers["ETag"])), 412)
    assert (await api.get("/v1/policies")).json()["items"][1]["active"]
    tag = (await api.get(f"/v1/policies/{second.json()['version']}")).headers["ETag"]
    assert (await api.post(path, headers=wearing(tag))).json()["active"]
    check(await api.post("/v1/policies/v9/activate", headers=wearing(tag)), 404)


async def test_an_activation_is_done_once_by_its_key(api: httpx.AsyncClient):
    found = await draft(api)
    path, headers = f"/v1/policies/{found.json()['version']}/activate", {"Idempotency-Key": "1"}
    check(await api.post(path, headers=headers), 428)
    first = await api.post(path, headers=wearing(found.headers["ETag"], **headers))
    second = await api.post(path, headers=wearing(found.headers["ETag"], **headers))
    assert (first.status_code, second.headers["Idempotency-Replayed"]) == (200, "true")
    for name in ("ETag", "Content-Location"):
        assert first.headers[name] == second.headers[name]
    assert (await api.get(found.headers["Location"])).headers["ETag"] == first.headers["ETag"]


# -------------------------------------------------------------------------------------------------------------- keys


async def test_a_key_is_rotated_and_revoked_by_who_knows_it(api: httpx.AsyncClient):
    made = await issue(api)
    path, tag = made.headers["Location"], made.headers["ETag"]
    assert (await api.get(path)).headers["ETag"] == tag
    rotated = await api.post(f"{path}/rotate", json={"overlap": 0}, headers=wearing(tag))
    assert rotated.status_code == 200
    check(await api.post(f"{path}/rotate", json={"overlap": 0}, headers=wearing(tag)), 412)
    check(await api.delete(path, headers=wearing(tag)), 412)
    assert (await api.get(path)).json()["hint"] == rotated.json()["hint"]
    tag = rotated.headers["ETag"]
    assert (await api.get(path)).headers["ETag"] == tag
    assert (await api.delete(path, headers=wearing(tag))).status_code == 204


async def test_a_key_that_was_used_can_be_changed_still(api: httpx.AsyncClient, caller: Caller, tenant: str):
    made = await issue(api)
    path = made.headers["Location"]
    used = httpx.Headers({"Authorization": f"Bearer {made.json()['secret']}"})
    assert (await api.get("/v1/clients", headers=used)).status_code == 200
    while (now := await api.get(path)).json()["last_used_at"] is None:
        pass
    assert now.headers["ETag"] != made.headers["ETag"], "other bytes, another tag"
    answer = await api.get(path, headers={"If-None-Match": made.headers["ETag"]})
    assert answer.status_code == 200
    rotated = await api.post(f"{path}/rotate", json={}, headers=wearing(made.headers["ETag"]))
    assert rotated.status_code == 200


# ---------------------------------------------------------------------------------------------------- several at once


@pytest.fixture
async def replicas(database_url: str, services: Services, tenant: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two servers over one database."""
    key = await services.keys.create(tenant, frozenset(Scope))
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(2):
            app = create_app(Settings().with_database(database_url))
            await stack.enter_async_context(app.router.lifespan_context(app))
            http = httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test", headers={"Authorization": f"Bearer {key}"}
            )
            found.append(await stack.enter_async_context(http))
        yield found


async def statuses(replicas: list[httpx.AsyncClient], *asked: tuple[str, str, dict[str, Any]]) -> Counter[int]:
    sending = [
        replicas[number % 2].request(method, path, **options) for number, (method, path, options) in enumerate(asked)
    ]
    return Counter(answer.status_code for answer in await asyncio.gather(*sending))


ONE_WINS = Counter({200: 1, 412: WRITERS - 1})


async def test_of_writers_with_one_tag_one_wins(api: httpx.AsyncClient, acme: str, replicas: list[httpx.AsyncClient]):
    for _ in range(5):
        tag = (await api.get("/v1/clients/acme")).headers["ETag"]
        puts = [
            ("PUT", "/v1/clients/acme", {"json": {"name": tag + str(n)}, "headers": wearing(tag)})
            for n in range(WRITERS)
        ]
        # Told of it meanwhile is what does not change it.
        calls = [
            (
                "POST",
                "/v1/events",
                {
                    "content": as_json([cloud_event(f"{tag}{n}", "call.received", data={})]),
                    "headers": {"Content-Type": BATCH},
                },
            )
            for n in range(4)
        ]
        found = await statuses(replicas, *puts, *calls)
        assert found == ONE_WINS + Counter({200: len(calls)})
    names = [one["data"]["name"] for one in (await api.get("/v1/events?type=client.updated")).json()["items"]]
    assert len(names) == 5


async def test_of_makers_of_one_client_one_makes_it(api: httpx.AsyncClient, replicas: list[httpx.AsyncClient]):
    puts = [
        ("PUT", "/v1/clients/new", {"json": {"name": str(n)}, "headers": {"If-None-Match": "*"}})
        for n in range(WRITERS)
    ]
    assert await statuses(replicas, *puts) == Counter({201: 1, 412: WRITERS - 1})
    assert len((await api.get("/v1/events?client_id=new")).json()["items"]) == 1


async def test_of_activations_with_one_tag_one_wins(api: httpx.AsyncClient, replicas: list[httpx.AsyncClient]):
    drafts = [await draft(api) for _ in range(WRITERS)]
    asked = [
        ("POST", f"{one.headers['Location']}/activate", {"headers": wearing(one.headers["ETag"])}) for one in drafts
    ]
    assert await statuses(replicas, *asked) == ONE_WINS


async def test_of_rotations_with_one_tag_one_wins(api: httpx.AsyncClient, replicas: list[httpx.AsyncClient]):
    made = await issue(api)
    path, tag = made.headers["Location"], made.headers["ETag"]
    asked = [("POST", f"{path}/rotate", {"json": {"overlap": 0}, "headers": wearing(tag)})] * WRITERS
    assert await statuses(replicas, *asked) == ONE_WINS


async def test_a_change_and_an_erasure_with_one_tag(api: httpx.AsyncClient, replicas: list[httpx.AsyncClient]):
    """Either the client was changed and stays, or it was erased as it was known."""
    for number in range(6):
        path = f"/v1/clients/both-{number}"
        tag = (await api.put(path, json={"name": "a"})).headers["ETag"]
        put = ("PUT", path, {"json": {"name": "b"}, "headers": wearing(tag)})
        found = await statuses(
            replicas, *([put, ("DELETE", path, {"headers": wearing(tag)})][:: 1 if number % 2 else -1])
        )
        after = await api.get(path)
        if found[200]:
            assert (found, after.json()["name"]) == (Counter({200: 1, 412: 1}), "b")
        else:
            assert found[204] == 1
            assert after.status_code == 404
