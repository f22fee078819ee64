"""Operations over Server-Sent Events."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from app.graphql.live import event_streams
from app.ports.tenants import Scope
from app.services import Services
from app.store.change_feed import PostgresChangeFeed
from app.use_cases import live_changes
from tests.graphql.conftest import Caller
from tests.graphql.streams import Stream, streaming, tell
from tests.rest.test_rates import Limited, limited
from tests.waiting import until

__all__ = ["limited"]

ASKED = """
subscription Changed($verdict: [Verdict!], $clientIds: [ID!], $after: String) {
  scoreChanged(verdict: $verdict, clientIds: $clientIds, after: $after) {
    cursor
    changes { id at clientId asOf aspects before { score verdict clientType } after { score verdict clientType } }
  }
}"""
SHORT = "subscription { scoreChanged { cursor changes { clientId } } }"


async def clients(stream: Stream, count: int) -> list[str]:
    return [one["clientId"] for one in await stream.changes(count)]


async def test_what_comes_is_told_as_rest_tells_it(api: httpx.AsyncClient):
    async with streaming(api, ASKED) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no"
        assert (await stream.data())["changes"] == []
        await tell(api, "a")
        (told,) = await stream.changes(1)
        for number in range(3):
            await tell(api, "a", kind="contract.declined", number=number)
        listed = (await api.get("/v1/changes")).json()["items"]
        then = await stream.changes(len(listed) - 1)
    assert len(listed) > 1
    assert [as_rest(one) for one in (told, *then)] == listed
    assert then[0]["before"]["verdict"] == told["after"]["verdict"]


def as_rest(change: dict[str, Any]) -> dict[str, Any]:
    def reading(found: dict[str, Any] | None) -> dict[str, Any] | None:
        return found and {
            "score": found["score"],
            "verdict": found["verdict"].lower(),
            "client_type": found["clientType"],
        }

    return {
        "id": change["id"],
        "at": change["at"],
        "client_id": change["clientId"],
        "as_of": change["asOf"],
        "aspects": [one.lower() for one in change["aspects"]],
        "before": reading(change["before"]),
        "after": reading(change["after"]),
    }


async def test_a_cursor_goes_on_where_it_was_over_rest_too(api: httpx.AsyncClient):
    async with streaming(api, SHORT) as stream:
        begun = (await stream.data())["cursor"]
        await tell(api, "a")
        payload = await stream.data()
    await tell(api, "b", "c")
    for after, expected in ((payload["cursor"], ["b", "c"]), (begun, ["a", "b", "c"])):
        async with streaming(api, ASKED, after=after) as stream:
            assert sorted(await clients(stream, len(expected))) == expected
        page = (await api.get("/v1/changes", params={"after": after})).json()
        assert sorted(one["client_id"] for one in page["items"]) == expected
        async with streaming(api, ASKED, after=page["next"]) as stream:
            assert (await stream.data())["changes"] == []


async def test_filters_choose_by_client_and_by_verdict_before_or_after(api: httpx.AsyncClient):
    async with streaming(api, ASKED, clientIds=["b"]) as one, streaming(api, ASKED, verdict=["WATCH"]) as other:
        assert (await one.data())["changes"] == (await other.data())["changes"] == []
        await tell(api, "a", "b")
        for number in range(3):
            await tell(api, "a", "b", kind="contract.declined", number=number)
        listed = (await api.get("/v1/changes?limit=200")).json()["items"]
        wanted = [found for found in listed if found["client_id"] == "b"]
        assert [as_rest(found) for found in await one.changes(len(wanted))] == wanted
        watched = [
            found
            for found in listed
            if "watch" in (found["after"]["verdict"], found["before"] and found["before"]["verdict"])
        ]
        assert watched
        assert [as_rest(found) for found in await other.changes(len(watched))] == watched


async def test_another_tenant_sees_nothing(api: httpx.AsyncClient, caller: Caller):
    stranger = await caller("streams-stranger")
    async with streaming(stranger, SHORT) as theirs, streaming(api, SHORT) as ours:
        cursor = (await ours.data())["cursor"]
        assert (await theirs.data())["changes"] == []
        await tell(api, "a")
        assert await clients(ours, 1) == ["a"]
        await tell(stranger, "z")
        assert await clients(theirs, 1) == ["z"]
    async with streaming(stranger, ASKED, after=cursor) as stream:
        event = await stream.next()
    assert event is not None
    assert event[1]["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": "after"}


async def test_many_followers_are_one_reading(
    api: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
):
    feed, read = services.changes._feed, 0
    assert isinstance(feed, PostgresChangeFeed)
    page = feed.page

    async def counted(*given: Any) -> Any:
        nonlocal read
        read += 1
        return await page(*given)

    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(streaming(api, SHORT)) for _ in range(20)]
        for stream in streams:
            await stream.data()
        monkeypatch.setattr(feed, "page", counted)
        await tell(api, "a")
        for stream in streams:
            assert await clients(stream, 1) == ["a"]
    # One for what came, and one that found no more; a hint may come for nothing.
    assert read <= 4


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("subscription { scoreChanged { nonsense } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", {}, "GRAPHQL_PARSE_FAILED"),
        ("subscription { a: scoreChanged { cursor } b: scoreChanged { cursor } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (ASKED, {"after": "nonsense"}, "BAD_USER_INPUT"),
        (ASKED, {"after": ""}, "BAD_USER_INPUT"),
        (ASKED, {"verdict": ["NONE"]}, "BAD_USER_INPUT"),
        (ASKED, {"clientIds": [str(n) for n in range(1001)]}, "BAD_USER_INPUT"),
        (ASKED, {"clientIds": ["\0"]}, "BAD_USER_INPUT"),
        ("{ nonsense }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription S { scoreChanged { cursor } } subscription T { scoreChanged { cursor } }", {}, "BAD_REQUEST"),
    ],
)
async def test_what_is_wrong_is_told_in_the_stream(
    api: httpx.AsyncClient, query: str, variables: dict[str, Any], code: str
):
    async with streaming(api, query, **variables) as stream:
        assert stream.status == 200
        event, end, nothing = await stream.next(), await stream.next(), await stream.next()
    assert event is not None
    assert event[1]["errors"][0]["extensions"]["code"] == code
    assert (end, nothing) == (("complete", None), None)


async def test_a_query_is_answered_as_one_event(api: httpx.AsyncClient):
    async with streaming(api, "{ eventTypes { type } }") as stream:
        event = await stream.next()
        assert event is not None
        assert event[1]["data"]["eventTypes"]
        assert await stream.next() == ("complete", None)
        assert await stream.next() is None


async def test_what_no_plan_covers_is_told_all_the_same(api: httpx.AsyncClient):
    query = "subscription S($no: Boolean!) { scoreChanged { cursor changes { clientId id @skip(if: $no) } } }"
    async with streaming(api, query, no=True) as stream:
        assert (await stream.data())["changes"] == []
        await tell(api, "a")
        assert await stream.changes(1) == [{"clientId": "a"}]


async def test_a_subscription_needs_a_stream(api: httpx.AsyncClient):
    for accept in ("application/json", "*/*", "application/graphql-response+json"):
        answer = await api.post("/graphql", json={"query": SHORT}, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (406, "NOT_ACCEPTABLE")
    # As libraries ask that take both.
    mixed = {"Accept": "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"}
    async with streaming(api, SHORT, headers=mixed) as stream:
        assert (await stream.data())["changes"] == []
    answer = await api.post("/graphql", json={"query": "{ eventTypes { type } }"}, headers=mixed)
    assert answer.headers["content-type"].startswith("application/graphql-response+json")


async def test_a_get_may_follow_and_its_head_has_an_end(api: httpx.AsyncClient):
    async with streaming(api, SHORT, method="GET") as stream:
        assert (await stream.data())["changes"] == []
    async with streaming(api, SHORT, method="HEAD") as stream:
        assert (stream.status, await stream.next()) == (200, None)


async def test_who_may_not_read_is_told_so(caller: Caller, tenant: str, api: httpx.AsyncClient):
    other = await caller(tenant, Scope.INGEST)
    async with streaming(other, SHORT) as stream:
        event = await stream.next()
        assert event is not None
        assert event[1]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert event[1]["errors"][0]["path"] == ["scoreChanged"]
    async with streaming(api, SHORT, headers={"Authorization": "Bearer pw_nonsense"}) as stream:
        assert stream.status == 401


async def test_a_quiet_stream_says_that_it_is_there(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_streams, "_HEARTBEAT", 0.05)
    async with streaming(api, SHORT) as stream:
        await stream.data()
        await until(lambda: _is(stream.comments >= 3))
        await tell(api, "a")
        assert await clients(stream, 1) == ["a"]


async def _is(so: bool) -> bool:
    return so


async def test_what_is_not_kept_any_more_is_told(api: httpx.AsyncClient, services: Services, tenant: str):
    async with streaming(api, SHORT) as stream:
        begun = (await stream.data())["cursor"]
    await tell(api, "a", "b")
    tenant_id = await services.keys.tenant(tenant)
    feed = services.changes._feed
    assert isinstance(feed, PostgresChangeFeed)
    assert await feed._remove(tenant_id, -1, 10) == 2
    async with streaming(api, ASKED, after=begun) as stream:
        event = await stream.next()
    assert event is not None
    assert event[1]["errors"][0]["extensions"]["code"] == "CURSOR_EXPIRED"


async def test_a_filter_that_passes_over_much_says_where_it_is(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    from app.graphql import score_changes

    monkeypatch.setattr(score_changes, "_PASSED_OVER", 2)
    async with streaming(api, ASKED, clientIds=["nobody"]) as stream:
        begun = await stream.data()
        await tell(api, "a", "b", "c")
        then = await stream.data()
        assert then["changes"] == []
        assert then["cursor"] != begun["cursor"]


async def test_each_change_is_paid_for_and_waits_where_that_is_not_left(limited: Limited):
    client = await limited("cost=12/2")
    names = [f"c-{n}" for n in range(9)]
    async with streaming(client, SHORT) as stream:
        await stream.data()
        for name in names:
            await tell(client, name)
        assert sorted(await clients(stream, len(names))) == names


async def test_who_has_asked_for_all_it_may_opens_none(limited: Limited):
    client = await limited("cost=10/86400")
    for status in (200, 200, 429):
        async with streaming(client, SHORT) as stream:
            assert stream.status == status
            if status == 200:
                assert await stream.data()


async def test_nothing_is_left_of_who_has_gone(api: httpx.AsyncClient, services: Services):
    async with streaming(api, SHORT) as stream:
        await stream.data()
        await until(lambda: _is(bool(services.live._readings)))
    assert not services.live._readings


def test_the_pause_between_pages_is_longer_than_a_heartbeat():
    assert live_changes._PAUSE > event_streams._HEARTBEAT
