"""Lists page by page: signed cursors, and links to the first and the next page."""

import base64
import re
import uuid

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.composition import create_app
from app.ports.tenants import Scope
from app.settings import Settings, SettingsError, read_settings
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check

LISTS = {
    "/v1/clients": "items",
    "/v1/events": "items",
    "/v1/policies": "items",
    "/v1/erasures": "items",
    "/v1/clients/acme%2Fnorth/timeline": "items",
}


@pytest.fixture
async def filled(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """A tenant with several of everything."""
    clients = ("acme/north", "b", "c", "d")
    events = [
        cloud_event(f"{client}-{n}", "call.received", client=client, time=f"2026-01-0{n}T10:00:00Z", data={})
        for client in clients
        for n in (1, 2, 3)
    ]
    answer = await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(events)
    for _ in range(2):
        assert (await api.post("/v1/policies", json={"settings": {}})).status_code == 201
    for client in ("x", "y", "z"):
        await api.put(f"/v1/clients/{client}", json={})
        assert (await api.delete(f"/v1/clients/{client}")).status_code == 204
    return api


def links(answer: httpx.Response) -> dict[str, str]:
    return {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="([a-z]+)"', answer.headers["Link"])}


@pytest.mark.parametrize("path", LISTS)
async def test_links_lead_through_every_list(filled: httpx.AsyncClient, path: str):
    whole = await filled.get(path)
    assert "next" not in links(whole)
    found: list[dict[str, object]] = []
    url: str | None = f"{path}?limit=1"
    while url is not None:
        answer = await filled.get(url)
        page = answer.json()
        assert (len(page["items"]), links(answer)["first"]) == (1, f"{path}?limit=1")
        found += page["items"]
        url = links(answer).get("next")
        assert (page["next"] is None) == (url is None)
        assert url is None or url == f"{path}?limit=1&cursor={page['next']}"
    assert len(found) > 2
    if "timeline" not in path:
        assert found == whole.json()["items"]


async def test_links_keep_every_parameter(filled: httpx.AsyncClient):
    asked = "/v1/events?since=2026-01-01T00:00:00%2B01:00&type=call.received&limit=2&source=%2Ft&cursor="
    first = await filled.get(asked.removesuffix("&cursor="))
    assert links(first)["first"] == asked.removesuffix("&cursor=")
    assert links(first)["next"] == asked + first.json()["next"]
    second = await filled.get(links(first)["next"])
    assert links(second)["first"] == asked.removesuffix("&cursor=")
    assert second.json()["items"][0]["id"] not in {one["id"] for one in first.json()["items"]}


async def test_a_query_cannot_break_out_of_a_link(filled: httpx.AsyncClient):
    answer = await filled.get("/v1/events?limit=1&note=%3E%3B%20rel%3D%22next%22&x=<>;,\"'")
    assert set(links(answer)) == {"first", "next"}
    assert (await filled.get(links(answer)["next"])).status_code == 200


async def test_a_cursor_holds_for_its_own_list_alone(filled: httpx.AsyncClient, caller: Caller):
    """Of another list, another tenant, another client, with another filter or viewpoint: refused, and named."""
    other = await caller(f"tenant-{uuid.uuid4()}")
    cursors = {path: (await filled.get(path, params={"limit": 1})).json()["next"] for path in LISTS}
    for path in LISTS:
        for of, cursor in cursors.items():
            answer = await filled.get(path, params={"cursor": cursor, "limit": 3})
            if of == path:
                assert answer.status_code == 200
            else:
                assert check(answer, 400)["errors"][0]["pointer"] == "?cursor"
        if "timeline" not in path:
            problem = check(await other.get(path, params={"cursor": cursors[path]}), 400)
            assert problem["errors"][0]["pointer"] == "?cursor"
    for query in ("since=2026-01-01", "type=call.received", "as_of=2026-01-05", "known_at=2199-01-05"):
        for ours, theirs in ((query, ""), ("", query)):
            cursor = (await filled.get(f"/v1/events?limit=1&{ours}")).json()["next"]
            answer = await filled.get(f"/v1/events?limit=1&cursor={cursor}&{theirs}")
            assert check(answer, 400)["errors"][0]["pointer"] == "?cursor"
            assert (await filled.get(f"/v1/events?limit=7&cursor={cursor}&{ours}")).status_code == 200


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_cursor_cannot_be_changed(filled_once: tuple[httpx.AsyncClient, str], data: st.DataObject):
    api, cursor = filled_once
    found = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    place = data.draw(st.integers(0, len(found) - 1))
    found[place] ^= data.draw(st.integers(1, 255))
    changed = base64.urlsafe_b64encode(found).decode().rstrip("=")
    problem = check(await api.get("/v1/events", params={"cursor": changed}), 400)
    assert problem["errors"][0]["pointer"] == "?cursor"


@pytest.fixture
async def filled_once(filled: httpx.AsyncClient) -> tuple[httpx.AsyncClient, str]:
    return filled, (await filled.get("/v1/events?limit=1")).json()["next"]


# ---------------------------------------------------------------------------------------- what they are signed with


async def _asked(database_url: str, key: str, path: str, secrets: str | None) -> httpx.Response:
    """Ask a replica with some secrets."""
    app = create_app(Settings(secrets=secrets).with_database(database_url))
    async with app.router.lifespan_context(app):
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers=headers
        ) as replica:
            return await replica.get(path)


async def test_every_replica_takes_the_cursors_of_another(
    filled: httpx.AsyncClient, services, database_url: str, tenant: str
):
    """Also without a secret in the settings: it is kept in the database."""
    key = await services.keys.create(tenant, frozenset(Scope))
    url = links(await filled.get("/v1/events?limit=1"))["next"]
    mine, theirs = await filled.get(url), await _asked(database_url, key, url, None)
    assert (theirs.status_code, theirs.content) == (200, mine.content)


async def test_secrets_are_changed_without_a_break(filled: httpx.AsyncClient, services, database_url: str, tenant: str):
    """The first signs, all verify; what was signed with one that is gone is refused."""
    key = await services.keys.create(tenant, frozenset(Scope))
    old, new = "o" * 32, "n" * 40
    url = links(await _asked(database_url, key, "/v1/events?limit=1", old))["next"]
    assert (await _asked(database_url, key, url, f"{new}, {old}")).status_code == 200
    check(await _asked(database_url, key, url, new), 400)
    check(await filled.get(url), 400)
    newer = links(await _asked(database_url, key, "/v1/events?limit=1", f"{new},{old}"))["next"]
    assert (await _asked(database_url, key, newer, new)).status_code == 200
    check(await _asked(database_url, key, newer, old), 400)


@pytest.mark.parametrize("secrets", ["short", f"{'x' * 32},", f"{'x' * 32},short"])
def test_a_short_secret_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, secrets: str):
    monkeypatch.setenv("PARTWISE_SECRETS", secrets)
    with pytest.raises(SettingsError, match="PARTWISE_SECRETS: expected secrets of at least 32") as refused:
        read_settings()
    assert "short" not in str(refused.value)
    monkeypatch.setenv("PARTWISE_SECRETS", "z" * 32)
    assert "zzz" not in repr(read_settings())
