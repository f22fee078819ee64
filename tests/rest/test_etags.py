"""Entity tags: what one has is not sent again, and what has changed is."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.composition import create_app
from app.ports.tenants import Scope
from app.rest.openapi.headers import is_tagged
from app.rest.openapi.operations import operations_of
from app.services import Services
from app.settings import Settings
from app.stories import STORIES, events_of
from app.use_cases.cases import Cases
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check
from tests.rest.walks import NOWHERE

STRONG = re.compile(r'"[!#-~]+"')
TOLD = [
    cloud_event("i1", data={"invoice": "INV-1", "amount": 100, "currency": "EUR", "due_date": "2026-01-31"}),
    cloud_event("c1", "call.received", time="2026-01-09T22:00:00Z", data={}),
]
MADE_FROM_VERSIONS = ("score", "explanation", "recourse", "history", "timeline")


async def tell(api: httpx.AsyncClient, *events: dict[str, Any]) -> None:
    answer = await api.post("/v1/events", content=as_json(list(events)), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(events), answer.text


@pytest.fixture
async def filled(api: httpx.AsyncClient) -> httpx.AsyncClient:
    await tell(api, *TOLD)
    return api


async def every_read(api: httpx.AsyncClient) -> list[str]:
    """Every operation whose answers have tags, by the document."""
    key = (await api.get("/v1/api-keys")).json()["items"][0]["key_id"]
    await api.put("/v1/clients/gone", json={})
    await api.delete("/v1/clients/gone")
    erasure = (await api.get("/v1/erasures")).json()["items"][0]["digest"]
    names = {"client_id": "acme", "event_id": "i1", "version": "default-1", "key_id": key, "digest": erasure}
    webhook = (await api.post("/v1/webhooks", json={"url": NOWHERE})).json()["webhook_id"]
    delivery = (await api.post(f"/v1/webhooks/{webhook}/ping")).json()["number"]
    names |= {"slug": "not-found", "webhook_id": webhook, "number": delivery}
    found = [
        one.path.format(**names) for one in operations_of((await api.get("/openapi.json")).json()) if is_tagged(one)
    ]
    # Of now it tells the instant, and is another one each time.
    return [f"{path}?as_of=2026-03-01" if path.endswith("/preview") else path for path in found]


async def settled(api: httpx.AsyncClient, path: str) -> httpx.Response:
    """The answer once it is the same twice: that a key is used is noted beside."""
    while True:
        first, second = await api.get(path), await api.get(path, headers={"If-None-Match": "W/x"})
        if without_instant(first.json()) == without_instant(second.json()):
            return second


async def test_every_read_is_answered_by_304_to_who_has_it(filled: httpx.AsyncClient):
    paths = [*await every_read(filled), "/openapi.json"]
    assert len(paths) > 18
    for path in paths:
        whole = await settled(filled, path)
        tag = whole.headers["ETag"]
        assert STRONG.fullmatch(tag), path
        assert "no-store" not in whole.headers["Cache-Control"]
        for given in (tag, f"W/{tag}", f'"x", {tag}', f'W/"x" , {tag},"y"', "*"):
            answer = await filled.get(path, headers={"If-None-Match": given})
            assert (answer.status_code, answer.content) == (304, b""), (path, given)
            assert "content-type" not in answer.headers
            assert "content-length" not in answer.headers
            for name in ("Cache-Control", "Vary", "Content-Language"):
                assert answer.headers.get(name) == whole.headers.get(name), (path, name)
            if given != "*":
                assert answer.headers["ETag"] == tag, (path, given)
        for given in ('"x"', f'{tag[:-1]}x"', "x", '"', tag.strip('"'), ", ".join(['"x"'] * 51)):
            answer = await filled.get(path, headers={"If-None-Match": given})
            assert (answer.status_code, bool(answer.content)) == (200, True), (path, given)
        head = await filled.head(path, headers={"If-None-Match": tag})
        assert (head.status_code, head.headers["ETag"]) == (304, tag)


async def test_what_is_not_there_has_no_tag(filled: httpx.AsyncClient):
    for path in ("/v1/clients/nobody", "/v1/clients/nobody/score", "/v1/policies/v9", "/v1/clients?limit=0"):
        answer = await filled.get(path, headers={"If-None-Match": "*"})
        assert answer.is_client_error
        assert "etag" not in answer.headers


async def test_a_header_of_any_length_is_not_read(filled: httpx.AsyncClient):
    for path in ("/v1/clients/acme", "/v1/clients/acme/score", "/v1/policies"):
        given = ", ".join(['"' + "x" * 200 + '"'] * 30)
        problem = check(await filled.get(path, headers={"If-None-Match": given}), 400)
        assert problem["errors"][0]["pointer"] == "if-none-match:"


async def test_a_304_costs_no_assessment(filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    found = {}
    for path in MADE_FROM_VERSIONS:
        found[path] = (await filled.get(f"/v1/clients/acme/{path}")).headers["ETag"]

    async def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the client was read")

    monkeypatch.setattr(Cases, "several", refuse)
    for path, tag in found.items():
        answer = await filled.get(f"/v1/clients/acme/{path}", headers={"If-None-Match": f'"x", {tag}'})
        assert (answer.status_code, answer.headers["ETag"]) == (304, tag)
        assert (await filled.get(f"/v1/clients/acme/{path}", headers={"If-None-Match": '"x"'})).status_code == 500


@pytest.mark.parametrize("path", ["explanation", "recourse"])
async def test_every_language_has_tags_of_its_own(filled: httpx.AsyncClient, path: str):
    url = f"/v1/clients/acme/{path}"
    english, russian = await filled.get(url), await filled.get(url, headers={"Accept-Language": "ru"})
    assert english.headers["ETag"] != russian.headers["ETag"]
    for tag, status in ((english.headers["ETag"], 200), (russian.headers["ETag"], 304)):
        answer = await filled.get(url, headers={"Accept-Language": "ru", "If-None-Match": tag})
        assert (answer.status_code, answer.headers["Content-Language"]) == (status, "ru")
        assert "Accept-Language" in answer.headers["Vary"].split(", ")
        # The parameter wins, and is a part of what is asked for.
        assert (await filled.get(f"{url}?language=ru", headers={"If-None-Match": tag})).status_code == 200


async def test_tags_are_of_one_path_and_query_and_tenant(filled: httpx.AsyncClient, caller: Caller):
    await tell(filled, cloud_event("o", client="other"))
    other = await caller("another tenant of the same")
    await tell(other, *TOLD)
    tag = (await filled.get("/v1/clients/acme/history")).headers["ETag"]
    for path in ("history?step=day", "history?from=2026-01-01", "timeline", "score"):
        assert (await filled.get(f"/v1/clients/acme/{path}", headers={"If-None-Match": tag})).status_code == 200
    assert (await filled.get("/v1/clients/other/history", headers={"If-None-Match": tag})).status_code == 200
    assert (await other.get("/v1/clients/acme/history", headers={"If-None-Match": tag})).status_code == 200


# ------------------------------------------------------------------------------------------------- what changes them


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def now(self) -> datetime:
        self.instant += timedelta(microseconds=1)
        return self.instant


@asynccontextmanager
async def served(database_url: str, services: Services, tenant: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings().with_database(database_url))
    key = await services.keys.create(tenant, frozenset(Scope))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers={"Authorization": f"Bearer {key}"}
        ) as found,
    ):
        yield found


def without_instant(found: Any) -> Any:
    """An answer without the instant that it is of, which is in cursors too."""
    if isinstance(found, dict):
        return {name: without_instant(value) for name, value in found.items() if name not in ("as_of", "until", "next")}
    return [without_instant(one) for one in found] if isinstance(found, list) else found


def timed_reads() -> Iterator[str]:
    for client, path in itertools.product(("north-pier-events", "silent"), MADE_FROM_VERSIONS):
        yield f"/v1/clients/{client}/{path}{'?step=month' if path == 'history' else ''}"
    yield from ("/v1/clients/silent", "/v1/policies", "/v1/policies/default-1", "/v1/events")


async def test_a_tag_holds_for_as_long_as_the_answer_and_no_longer(
    database_url: str, services: Services, tenant: str, monkeypatch: pytest.MonkeyPatch
):
    """As time goes by and things happen: where there is a 304 the answer would be that of the tag, but for its instant;
    and no tag ever names two answers."""
    clock = Clock()
    monkeypatch.setattr("app.composition.SystemClock", lambda: clock)
    bodies: dict[tuple[str, str], bytes] = {}
    unchanged, changed = set[str](), set[str]()

    async with served(database_url, services, tenant) as api:
        for story in STORIES:
            if story.client_id == "north-pier-events":
                for raw in events_of(story, clock.instant.date()):
                    headers = {"Content-Type": "application/cloudevents+json"}
                    assert (await api.post("/v1/events", content=raw, headers=headers)).status_code == 201
        await tell(api, cloud_event("s", "rate.refused", client="silent", time="2026-01-31T12:00:00Z", data={}))

        async def read_all() -> None:
            """Ask by the newest tag of each path."""
            for path in timed_reads():
                known = [tag for of, tag in bodies if of == path]
                asked = await api.get(path, headers={"If-None-Match": ", ".join(known[-5:])} if known else {})
                whole = await api.get(path)
                assert bodies.setdefault((path, whole.headers["ETag"]), whole.content) == whole.content
                if asked.status_code == 304:
                    before = httpx.Response(200, content=bodies[path, asked.headers["ETag"]]).json()
                    assert without_instant(before) == without_instant(whole.json()), (path, clock.instant)
                    unchanged.add(path)
                else:
                    assert asked.status_code == 200
                    assert bodies.setdefault((path, asked.headers["ETag"]), asked.content) == asked.content
                    if known:
                        changed.add(path)

        await read_all()
        # Within a day, over midnight, and days on.
        for step in (timedelta(minutes=1), timedelta(hours=9), timedelta(hours=7), timedelta(days=20)):
            clock.instant += step
            await read_all()
        # Told ahead of its time.
        soon = (clock.instant + timedelta(hours=2)).isoformat()
        late = cloud_event("l", client="north-pier-events", time=soon, data=TOLD[0]["data"])
        await tell(api, late, cloud_event("n", "message.received", client="silent", time=soon, data={}))
        for step in (timedelta(minutes=1), timedelta(minutes=1), timedelta(hours=3), timedelta(days=30)):
            clock.instant += step
            await read_all()
        # Of one client, whose portfolio the others are in.
        await tell(api, cloud_event("r", "rate.refused", client="silent", time=clock.instant.isoformat(), data={}))
        await read_all()
        assert (await api.put("/v1/clients/silent", json={"name": "Silent"})).status_code == 200
        await read_all()
        version = (await api.post("/v1/policies", json={"settings": {"late": {"grace_days": 20}}})).json()["version"]
        await read_all()
        await api.post(f"/v1/policies/{version}/activate", headers={"If-Match": "*"})
        await read_all()
        assert (await api.delete("/v1/clients/silent")).status_code == 204
        gone = {path for path in timed_reads() if "silent" in path}
        for path in gone:
            known = [tag for of, tag in bodies if of == path]
            assert (await api.get(path, headers={"If-None-Match": known[-1]})).status_code == 404
    assert unchanged == changed == set(timed_reads())
