"""Every operation × every set of scopes × another tenant: allowed is exactly what app/scopes.py says."""

from itertools import combinations
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.ports.tenants import Scope
from app.rest.openapi.operations import Operation
from app.scopes import ALSO, OPEN, REST, scopes_of
from app.services import Services
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check
from tests.rest.walks import LOG, NOWHERE, OPERATIONS, ask, named, new_entries, world_of

SETS = [frozenset(some) for size in range(len(Scope) + 1) for some in combinations(Scope, size)]
TELLING = {
    "GET /v1/events",
    "GET /v1/events/{event_id}",
    "GET /v1/clients",
    "GET /v1/clients/{client_id}",
    "GET /v1/clients/{client_id}/explanation",
    "GET /v1/portfolio/changes",
    "GET /v1/policies",
    "GET /v1/policies/{version}",
    "POST /v1/policies/{version}/activate",
    "GET /v1/api-keys",
    "GET /v1/webhooks",
    "GET /v1/webhooks/{webhook_id}",
    "PATCH /v1/webhooks/{webhook_id}",
    "POST /v1/webhooks/{webhook_id}/rotate",
    "POST /v1/webhooks/{webhook_id}/enable",
    "POST /v1/webhooks/{webhook_id}/disable",
}
"""Those whose answers tell what the tenant wrote, so that one sees whether another tenant's do."""
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=named)


def changes(operation: Operation) -> bool:
    return operation.method != "GET" and not operation.path.endswith("/simulate")


def test_the_table_is_of_the_operations_that_there_are():
    assert {named(one) for one in OPERATIONS} == set(REST)
    assert not OPEN & set(REST)
    assert set(ALSO) <= set(REST)
    assert len(SETS) == 2 ** len(Scope)


@each_operation
async def test_what_each_may(
    caller: Caller, services: Services, anybody: httpx.AsyncClient, tenant: str, operation: Operation
):
    world, needed = await world_of(caller, tenant), frozenset(scopes_of(named(operation)))
    tenant_id = (await services.keys.authenticate(world.owner.headers["authorization"][7:])).tenant_id

    async def answer_to(scopes: frozenset[Scope]) -> httpx.Response:
        key = await services.keys.issue(tenant_id, "walk", scopes)
        anybody.headers["Authorization"] = f"Bearer {key.secret}"
        # Of keys it asks for its own: by the secret of a stronger one it would come by more.
        names = {**world.names, "key_id": key.key.key_id}
        if operation.id == "removeWebhook" and needed <= scopes:
            # What is removed is not there any more.
            made = await world.owner.post("/v1/webhooks", json={"url": NOWHERE})
            names["webhook_id"] = made.json()["webhook_id"]
        return await ask(anybody, operation, names, scopes)

    check(await ask(anybody, operation, world.names), 401)
    refused, before = [one for one in SETS if not needed <= one], await world.everything()
    for scopes in refused:
        answer = await answer_to(scopes)
        check(answer, 403)
        challenge = answer.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert any(f'scope="{one.value}"' in challenge for one in needed - scopes)
    assert without_walkers(await world.everything()) == without_walkers(before)
    for scopes in SETS:
        if needed <= scopes:
            answer = await answer_to(scopes)
            assert answer.is_success, answer.text
            assert (world.mark in answer.text) == (named(operation) in TELLING)


def without_walkers(everything: dict[str, Any]) -> dict[str, Any]:
    """All but the keys that the walk itself made, and that they were."""
    keys = [one for one in everything["keys"] if one["name"] != "walk"]
    log = [one for one in everything[LOG]["items"] if one["actor"] != "cli"]
    return {**everything, "keys": keys, LOG: log}


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if changes(one)], ids=named)
async def test_what_changes_something_is_in_the_audit_log(caller: Caller, tenant: str, operation: Operation):
    """With who did it, and by which request; events are a log of their own."""
    world = await world_of(caller, tenant)
    before = await world.everything()
    world.owner.headers["X-Request-Id"] = "walk"
    answer = await ask(world.owner, operation, world.names)
    assert answer.is_success, answer.text
    sends = named(operation) == "POST /v1/events"
    assert bool(await new_entries(world, before, sends=sends)) == (not sends)


async def test_what_only_reads_changes_nothing(caller: Caller, tenant: str):
    world = await world_of(caller, tenant)
    before = await world.everything()
    for operation in OPERATIONS:
        if not changes(operation):
            answer = await ask(world.owner, operation, world.names)
            assert answer.is_success, answer.text
    assert await world.everything() == before


async def test_a_neighbours_things_are_not_there(caller: Caller, tenant: str):
    ours, theirs = await caller(tenant), await world_of(caller, f"{tenant}-2")
    before = await theirs.everything()
    # What is put is one's own from then on.
    for operation in sorted(OPERATIONS, key=lambda one: one.method == "PUT"):
        answer = await ask(ours, operation, theirs.names)
        assert theirs.mark not in answer.text, named(operation)
        if operation.names_one and operation.method != "PUT":
            check(answer, 404)
        else:
            # Lists without what is theirs, and something new of one's own.
            assert answer.is_success, answer.text
        if changes(operation):
            assert await theirs.everything() == before, named(operation)
    assert await theirs.everything() == before


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.has_body], ids=named)
async def test_who_asks_is_asked_before_the_body_is_read(
    application: FastAPI, anybody: httpx.AsyncClient, caller: Caller, tenant: str, operation: Operation
):
    """Whatever is in it, and if it never comes."""
    path = operation.path.format_map(dict.fromkeys(("client_id", "key_id", "version", "webhook_id"), "some"))
    others = sorted(set(Scope) - {REST[named(operation)]})
    weak = (await caller(tenant, *others)).headers["authorization"]
    media = next(iter(operation.spec["requestBody"]["content"]))
    once = {"Idempotency-Key": "one"}
    for more, status in (({}, 401), ({"Authorization": weak}, 403), (once, 401), (once | {"Authorization": weak}, 403)):
        headers = {"Content-Type": media, **more}
        for content in (b'{"a":1,"a":2}', b"{", b"\xff", b" " * (8 * 1024 * 1024 + 1)):
            check(await anybody.request(operation.method, path, content=content, headers=headers), status)
        for other in ({"Content-Type": "text/plain"}, {"Content-Encoding": "br"}, {"Content-Encoding": "gzip"}):
            check(await anybody.request(operation.method, path, content=b"x", headers=headers | other), status)
        assert await status_without_a_body(application, operation.method, path, headers) == status
    assert await status_without_a_body(application, operation.method, path, {"Authorization": "Bearer pw_x"}) == 401


async def status_without_a_body(application: FastAPI, method: str, path: str, headers: dict[str, str]) -> int:
    """What a request is answered whose body nobody may ask for."""
    statuses: list[int] = []

    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        # Of which there are not too many that do not count.
        "client": ("192.0.2.1", 1),
        "server": ("test", 80),
    }
    await application(scope, receive, send)
    (status,) = statuses
    return status


async def test_no_key_counts_for_what_takes_none(anybody: httpx.AsyncClient):
    for name in OPEN:
        method, _, path = name.partition(" ")
        anybody.headers["Authorization"] = "Bearer pw_nonsense"
        assert (await anybody.request(method, path.format(slug="not-found"))).status_code == 200
