"""Erasing clients over HTTP: gone for every reader, refused for every writer, provable."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from app.composition import SystemClock
from app.ports.tenants import Scope
from app.services import Services
from app.store.engine import make_engine
from app.store.erasures import PostgresErasures
from app.use_cases.erase_clients import EraseClients
from tests.cloud_events import BATCH, NDJSON, STRUCTURED, as_json, cloud_event
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check

GONE = [{"pointer": "/subject", "detail": "this client was erased"}]
READS = ["", "/score", "/explanation", "/history", "/timeline", "/recourse"]


def digest(client_id: str) -> str:
    return hashlib.sha256(client_id.encode()).hexdigest()


async def send(api: httpx.AsyncClient, *events: dict[str, Any], query: str = "") -> httpx.Response:
    return await api.post(f"/v1/events{query}", content=as_json(list(events)), headers={"Content-Type": BATCH})


async def tell(api: httpx.AsyncClient) -> None:
    kinds = ("client.created", "invoice.issued", "call.received")
    answer = await send(api, *(cloud_event(kind, kind) for kind in kinds), cloud_event("o", client="other"))
    assert answer.json()["accepted"] == 4


@pytest.fixture
async def hasty(services: Services, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EraseClients]:
    """The service without time to remove any row within a request; what it has instead may finish the rest."""
    engine = make_engine(database_url, 2)
    hasty = EraseClients(PostgresErasures(engine), SystemClock(), at_once=0.0)
    original = type(services.erase).__call__

    async def erase(self: EraseClients, *what: Any) -> Any:
        return await original(hasty, *what)

    monkeypatch.setattr(EraseClients, "__call__", erase)
    yield hasty
    await engine.dispose()


async def test_an_erased_client_is_gone_for_every_reader(api: httpx.AsyncClient):
    await tell(api)
    for path in READS:
        assert (await api.get(f"/v1/clients/acme{path}")).status_code == 200
    erased = await api.delete("/v1/clients/acme")
    assert (erased.status_code, erased.content) == (204, b"")
    for path in READS:
        check(await api.get(f"/v1/clients/acme{path}"), 404)
    check(await api.post("/v1/clients/acme/simulate", json={"events": [{"type": "call.received"}]}), 404)
    assert [one["client_id"] for one in (await api.get("/v1/clients")).json()["items"]] == ["other"]
    assert [one["id"] for one in (await api.get("/v1/events")).json()["items"]] == ["o"]
    check(await api.get("/v1/events/invoice.issued"), 404)
    assert (await api.get("/v1/events?client_id=acme")).json()["items"] == []


async def test_late_events_are_refused_however_they_come(api: httpx.AsyncClient):
    await tell(api)
    await api.delete("/v1/clients/acme")
    late, other = cloud_event("late"), cloud_event("late", client="other")
    single = await api.post("/v1/events", content=as_json(late), headers={"Content-Type": STRUCTURED})
    assert check(single, 422)["errors"] == GONE
    binary = {
        "ce-specversion": "1.0",
        "ce-id": "b",
        "ce-source": "/t",
        "ce-type": "call.received",
        "ce-subject": "acme",
    }
    assert check(await api.post("/v1/events", json={}, headers=binary), 422)["errors"] == GONE

    mixed = (await send(api, late, other, cloud_event("call.received", "call.received"))).json()
    assert [one["status"] for one in mixed["results"]] == ["invalid", "accepted", "invalid"]
    assert mixed["results"][0]["errors"] == mixed["results"][2]["errors"] == GONE
    assert (mixed["accepted"], mixed["invalid"]) == (1, 2)

    atomic = check(await send(api, cloud_event("new", client="other"), late, query="?atomic=true"), 422)
    assert atomic["errors"] == [{"pointer": "/1/subject", "detail": "this client was erased"}]
    check(await api.get("/v1/events/new"), 404)

    lines = b"\n".join(map(as_json, (late, cloud_event("line", client="other"))))
    stream = await api.post("/v1/events", content=lines, headers={"Content-Type": NDJSON})
    first, second, summary = map(json.loads, stream.text.splitlines())
    assert (first["status"], first["errors"], second["status"]) == ("invalid", GONE, "accepted")
    assert summary["summary"] == {"lines": 2, "accepted": 1, "invalid": 1}
    check(await api.get("/v1/clients/acme"), 404)


async def test_an_erased_client_cannot_be_put(api: httpx.AsyncClient):
    await tell(api)
    await api.delete("/v1/clients/acme")
    for body in ({}, {"name": "Acme"}):
        assert "was erased" in check(await api.put("/v1/clients/acme", json=body), 409)["detail"]
    check(await api.get("/v1/clients/acme"), 404)


async def test_erasing_again_is_harmless_and_erasing_nobody_is_404(api: httpx.AsyncClient):
    await tell(api)
    assert (await api.delete("/v1/clients/acme")).status_code == 204
    before = (await api.get("/v1/erasures")).json()
    assert (await api.delete("/v1/clients/acme")).status_code == 204
    assert (await api.get("/v1/erasures")).json() == before
    assert "'nobody'" in check(await api.delete("/v1/clients/nobody"), 404)["detail"]
    assert (await send(api, cloud_event("n", client="nobody"))).json()["accepted"] == 1, "it left no tombstone"
    problem = check(await api.delete("/v1/clients/a%00b"), 422)
    assert problem["errors"][0]["pointer"] == "{client_id}"


@pytest.mark.parametrize("name", ["a/b", "%2F", "50%", "ärger", "👩‍💻", "x" * 200])
async def test_a_client_of_any_id_can_be_erased(api: httpx.AsyncClient, name: str):
    path = f"/v1/clients/{quote(name, safe='')}"
    assert (await api.put(path, json={})).status_code == 201
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(f"/v1/erasures/{digest(name)}")).json()["finished_at"] is not None
    check(await api.get(path), 404)


async def test_an_erasure_can_be_proved(api: httpx.AsyncClient):
    await tell(api)
    for name in ("acme", "other"):
        assert (await api.delete(f"/v1/clients/{name}")).status_code == 204
    found = (await api.get(f"/v1/erasures/{digest('acme')}")).json()
    assert set(found) == {"digest", "erased_at", "finished_at"}
    assert found["digest"] == digest("acme")
    assert found["erased_at"] <= found["finished_at"]
    first = (await api.get("/v1/erasures?limit=1")).json()
    assert first["items"] == [found]
    second = (await api.get("/v1/erasures", params={"limit": 1, "cursor": first["next"]})).json()
    assert [one["digest"] for one in second["items"]] == [digest("other")]
    assert second["next"] is None
    check(await api.get(f"/v1/erasures/{digest('nobody')}"), 404)


@pytest.mark.parametrize("name", ["acme", digest("acme")[:-1], digest("acme").upper(), "g" * 64])
async def test_what_is_no_digest_is_named(api: httpx.AsyncClient, name: str):
    assert check(await api.get(f"/v1/erasures/{name}"), 422)["errors"][0]["pointer"] == "{digest}"


@pytest.mark.parametrize(
    "cursor", ["x", "", "WyJhIiwgImIiXQ", "WyIyMDI2LTAxLTAxIiwgImFhIl0", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICJnIl0"]
)
async def test_a_cursor_of_another_list_is_named(api: httpx.AsyncClient, cursor: str):
    problem = check(await api.get("/v1/erasures", params={"cursor": cursor}), 400)
    assert problem["errors"][0]["pointer"] == "?cursor"


async def test_the_rest_of_a_long_erasure_goes_on_afterwards(api: httpx.AsyncClient, hasty: EraseClients):
    await tell(api)
    begun = await api.delete("/v1/clients/acme")
    assert begun.status_code == 202
    assert begun.json()["finished_at"] is None
    assert begun.headers["location"] == f"/v1/erasures/{digest('acme')}"
    assert (await api.get(begun.headers["location"])).json() == begun.json()
    assert [one["id"] for one in (await api.get("/v1/events")).json()["items"]] == ["o"], "unseen at once"
    assert (await send(api, cloud_event("late"))).json()["invalid"] == 1
    assert (await api.delete("/v1/clients/acme")).status_code == 202
    while await hasty.finish():
        pass
    assert (await api.get(begun.headers["location"])).json()["finished_at"] is not None
    assert (await api.delete("/v1/clients/acme")).status_code == 204


async def test_only_who_may_manage_may_erase(caller: Caller, api: httpx.AsyncClient, tenant: str):
    await tell(api)
    weak = await caller(tenant, Scope.INGEST, Scope.READ, Scope.METRICS)
    for method, path in (("DELETE", "clients/acme"), ("GET", "erasures"), ("GET", f"erasures/{digest('acme')}")):
        assert "manage" in check(await weak.request(method, f"/v1/{path}"), 403)["detail"]
    assert (await api.get("/v1/clients/acme")).status_code == 200


async def test_tenants_erase_their_own_clients_alone(caller: Caller, api: httpx.AsyncClient, tenant: str):
    await tell(api)
    neighbour = await caller(f"{tenant}-2")
    check(await neighbour.delete("/v1/clients/acme"), 404)
    await tell(neighbour)
    assert (await neighbour.delete("/v1/clients/acme")).status_code == 204
    assert len((await api.get("/v1/events?client_id=acme")).json()["items"]) == 3
    assert (await api.get("/v1/erasures")).json()["items"] == []
    check(await api.get(f"/v1/erasures/{digest('acme')}"), 404)


async def test_lists_and_portfolios_do_not_remember(api: httpx.AsyncClient):
    """As many events as were erased come of others: what is kept at hand must not be taken for the same."""
    await tell(api)
    query = "/v1/clients?as_of=2026-06-01"
    assert {one["client_id"] for one in (await api.get(query)).json()["items"]} == {"acme", "other"}
    await api.delete("/v1/clients/acme")
    new = await send(api, *(cloud_event(f"n{n}", "call.received", client="new") for n in range(3)))
    assert new.json()["accepted"] == 3
    assert {one["client_id"] for one in (await api.get(query)).json()["items"]} == {"other", "new"}


async def test_no_route_of_a_client_is_forgotten(application: FastAPI):
    paths = {path for path in application.openapi()["paths"] if path.startswith("/v1/clients/{client_id}")}
    assert paths == {f"/v1/clients/{{client_id}}{end}" for end in (*READS, "/simulate")}
