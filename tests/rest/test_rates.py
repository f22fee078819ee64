"""Rates over HTTP: what every answer tells of them, what is refused and how, over REST, streams and GraphQL."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from app.composition import create_app
from app.ports.audit import AuditFilter
from app.ports.rates import Override
from app.ports.tenants import Scope
from app.services import Services
from app.settings import Settings
from tests.cloud_events import BATCH, NDJSON, STRUCTURED, as_json, cloud_event
from tests.rest.walks import OPERATIONS

DAY = 86_400
"""A window that does not end while a test runs, but for one a day."""

Limited = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def limited(database_url: str, tenant: str) -> AsyncIterator[Limited]:
    """Make a client of a service of its own, with some rates and other settings."""
    async with AsyncExitStack() as stack:

        async def make(rates: str, **settings: object) -> httpx.AsyncClient:
            wanted = Settings(rate_limits=rates, **settings)  # type: ignore[arg-type]
            app = create_app(wanted.with_database(database_url))
            await stack.enter_async_context(app.router.lifespan_context(app))
            key = await app.state.services.keys.create(tenant, frozenset(Scope))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            return await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {key}"}
                )
            )

        yield make


def services_of(client: httpx.AsyncClient) -> Services:
    found: Services = client._transport.app.state.services
    return found


def left(answer: httpx.Response) -> dict[str, int]:
    """What the field `RateLimit` says is left, by policy."""
    told = answer.headers["ratelimit"]
    items = re.findall(r'"([a-z]+)";r=([0-9]+);t=([0-9]+)', told)
    # A list of structured fields, and nothing else.
    assert ", ".join(f'"{name}";r={rest};t={seconds}' for name, rest, seconds in items) == told
    assert all(0 < int(seconds) <= DAY for _, _, seconds in items)
    return {name: int(rest) for name, rest, _ in items}


def assert_limited(answer: httpx.Response, policy: str) -> None:
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == ("/problems/rate-limited", 429)
    assert body["violated-policies"] == [policy]
    # Not before the window ends.
    window = re.search(rf'"{policy}";r=0;t=([0-9]+)', answer.headers["ratelimit"])
    assert window is not None
    assert int(answer.headers["retry-after"]) >= int(window[1]) - 1


async def send(client: httpx.AsyncClient, *names: str, **headers: str) -> httpx.Response:
    body = as_json([cloud_event(name) for name in names])
    return await client.post("/v1/events", content=body, headers={"Content-Type": BATCH, **headers})


async def test_every_answer_tells_what_is_left(limited: Limited):
    client = await limited(f"burst=100/{DAY} sustained=1000/{DAY} events=50/{DAY}")
    for number, (method, path, status) in enumerate(
        [
            ("GET", "/v1/clients", 200),
            ("GET", "/v1/clients/nobody", 404),
            ("GET", "/v1/clients?limit=none", 422),
            ("POST", "/v1/events", 415),
            ("GET", "/graphql", 400),
            ("GET", "/graphql?query={__typename}", 200),
            ("HEAD", "/v1/clients", 200),
        ],
        1,
    ):
        answer = await client.request(method, path)
        assert answer.status_code == status, (path, answer.text)
        told = answer.headers["ratelimit-policy"]
        assert told == f'"burst";q=100;w={DAY}, "sustained";q=1000;w={DAY}, "events";q=50;w={DAY}'
        assert left(answer) == {"burst": 100 - number, "sustained": 1000 - number, "events": 50}
    assert left(await send(client, "1", "2", "3"))["events"] == 47


BODIES: list[tuple[dict[str, str], bytes, set[int]]] = [
    ({}, b"{", {400, 422}),
    ({}, b'{"a":1,"a":2}', {400, 422}),
    ({}, b" " * (8 * 1024 * 1024 + 1), {413}),
    ({"Content-Type": "text/plain"}, b"x", {415}),
    ({"Content-Encoding": "br"}, b"x", {415}),
    ({"Content-Encoding": "gzip"}, b"x", {400}),
    # Not where there is nothing in the answer.
    ({"Accept": "image/png"}, b"{}", {406, 404, 204}),
]


@pytest.mark.parametrize("once", [False, True])
async def test_every_refusal_of_an_operation_counts_and_tells_what_is_left(limited: Limited, once: bool):
    client, number = await limited(f"sustained=1000/{DAY}"), 0
    for operation in OPERATIONS:
        names = dict.fromkeys(("client_id", "key_id", "version", "event_id", "digest", "webhook_id"), "x")
        path = operation.path.format_map({**names, "number": "1"})
        media = next(iter(operation.spec["requestBody"]["content"])) if operation.has_body else "application/json"
        asked = [(path, *one) for one in (BODIES if operation.has_body else BODIES[-1:])]
        asked.append((f"{path}?a=1&a=2", {}, b"{}", {422}))
        for target, more, content, statuses in asked:
            number += 1
            headers = {"Content-Type": media, **more} | ({"Idempotency-Key": str(number)} if once else {})
            answer = await client.request(operation.method, target, content=content, headers=headers)
            assert answer.status_code in statuses, (operation, more, content[:20], answer.text)
            assert left(answer) == {"sustained": 1000 - number}, (operation, more, content[:20])


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Type": "text/plain"}, b"x", 415),
        ({"Content-Type": "application/json"}, b"{", 400),
        ({"Content-Type": "application/json"}, b" " * (8 * 1024 * 1024 + 1), 413),
    ],
)
async def test_every_refusal_of_an_operation_of_graphql_does_too(
    limited: Limited, headers: dict[str, str], content: bytes, status: int
):
    client = await limited(f"sustained=1000/{DAY}")
    answer = await client.post("/graphql", content=content, headers=headers)
    assert (answer.status_code, left(answer)) == (status, {"sustained": 999})


async def test_where_nobody_is_asked_who_asks_nothing_counts(limited: Limited):
    client = await limited(f"sustained=1000/{DAY}")
    for method, path, headers, status in (
        ("GET", "/v1/nothing", {}, 404),
        ("POST", "/v1/nothing", {"Idempotency-Key": "one"}, 404),
        ("PATCH", "/v1/clients", {}, 405),
        ("OPTIONS", "/v1/clients", {}, 204),
        ("GET", "/v1/event-types", {}, 200),
        ("GET", "/v1/clients", {"Accept-Encoding": "identity;q=0"}, 406),
        ("DELETE", "/graphql", {}, 405),
    ):
        answer = await client.request(method, path, headers=headers)
        assert answer.status_code == status, (path, answer.text)
        assert "ratelimit" not in answer.headers, path
    assert left(await client.get("/v1/clients")) == {"sustained": 999}


async def test_nobody_is_told_of_limits_where_there_are_none(limited: Limited):
    client = await limited("off")
    for answer in (await client.get("/v1/clients"), await send(client, "1")):
        assert answer.is_success
        assert not [name for name in answer.headers if name.startswith("ratelimit")]
    answer = await client.get("/v1/clients", headers={"Authorization": ""})
    assert answer.status_code == 401
    assert "ratelimit" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/clients", "/v1/clients/nobody", "/v1/policies"])
async def test_requests_beyond_the_limit_are_refused(limited: Limited, path: str):
    client = await limited(f"sustained=3/{DAY}")
    assert [(await client.get(path)).status_code != 429 for _ in range(3)] == [True] * 3
    for _ in range(3):
        answer = await client.get(path)
        assert_limited(answer, "sustained")
        assert left(answer) == {"sustained": 0}
    head = await client.head(path)
    assert (head.status_code, head.content) == (429, b"")


async def test_events_beyond_the_limit_are_refused_whole_and_nothing_is_stored(limited: Limited):
    client = await limited(f"events=10/{DAY}")
    assert (await send(client, *map(str, range(8)))).status_code == 200
    refused = await send(client, "x", "y", "z", Prefer="respond-async")
    assert refused.status_code == 429
    assert refused.json()["violated-policies"] == ["events"]
    assert left(refused) == {"events": 2}
    # What there is enough left for is let in, also after that.
    assert (await send(client, "a")).status_code == 200
    single = await client.post("/v1/events", content=as_json(cloud_event("b")), headers={"Content-Type": STRUCTURED})
    assert single.status_code == 201
    assert_limited(await send(client, "c"), "events")
    stored = (await client.get("/v1/events?limit=100")).json()["items"]
    assert sorted(one["id"] for one in stored) == sorted([*map(str, range(8)), "a", "b"])


async def test_a_body_beyond_the_limit_is_refused_before_it_is_read(limited: Limited):
    client = await limited(f"events=3/{DAY}")
    assert (await send(client, "1", "2", "3")).status_code == 200
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b" " * 1000

    headers = {"Content-Type": BATCH, "Content-Length": "1000000"}
    assert_limited(await client.post("/v1/events", content=body(), headers=headers), "events")
    assert read <= 1


async def test_a_stream_beyond_the_limit_ends_with_a_problem_that_says_where(limited: Limited):
    client = await limited(f"events=1000/{DAY}", rate_patience=0)
    lines = [as_json(cloud_event(f"{number}")) for number in range(1100)]
    answer = await client.post("/v1/events", content=b"\n".join(lines), headers={"Content-Type": NDJSON})
    assert answer.status_code == 200
    *told, last = map(json.loads, answer.text.splitlines())
    problem = last["problem"]
    assert (problem["type"], problem["violated-policies"]) == ("/problems/rate-limited", ["events"])
    assert problem["retry_after"] > 0
    assert [one["status"] for one in told] == ["accepted"] * len(told)
    assert problem["line"] == len(told) + 1
    assert 900 <= len(told) <= 1000
    # What comes after that has nothing to say before.
    for _ in range(2):
        answer = await client.post("/v1/events", content=b"\n".join(lines), headers={"Content-Type": NDJSON})
    assert_limited(answer, "events")


async def test_a_stream_is_held_back_until_it_may_go_on(limited: Limited):
    client = await limited("events=100/1")
    lines = [as_json(cloud_event(f"{number}")) for number in range(350)]
    answer = await client.post("/v1/events", content=b"\n".join(lines), headers={"Content-Type": NDJSON}, timeout=30)
    last = json.loads(answer.text.splitlines()[-1])
    assert last["summary"]["accepted"] == 350


async def test_graphql_counts_requests_what_they_cost_and_events(limited: Limited):
    client = await limited(f"sustained=20/{DAY} events=3/{DAY} cost=1000/{DAY}")

    async def ask(query: str, **variables: object) -> httpx.Response:
        return await client.post("/graphql", json={"query": query, "variables": variables})

    page = "query($n: Int) { events(first: $n) { edges { node { eventId } } } }"
    first = await ask(page, n=5)
    assert "errors" not in first.json(), first.text
    cheap = 1000 - left(first)["cost"]
    assert cheap > 0
    dear = await ask(page, n=100)
    assert left(first)["cost"] - left(dear)["cost"] > 5 * cheap
    assert left(dear)["sustained"] == 18
    refused = [answer for _ in range(17) if (answer := await ask(page, n=100)).status_code == 429]
    assert refused
    assert refused[0].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert int(refused[0].headers["retry-after"]) > 0
    assert 0 < left(refused[0])["cost"] < left(first)["cost"] - left(dear)["cost"]
    assert (await ask("{ __typename }")).status_code == 200
    last = await ask("{ __typename }")
    assert (last.status_code, left(last)["sustained"]) == (429, 0)
    assert last.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_events_over_graphql_count_as_events(limited: Limited):
    client = await limited(f"events=3/{DAY}")
    mutation = "mutation($sent: [JSON!]!) { sendEvents(input: {events: $sent}) { __typename } }"
    for names, code in ((("1", "2"), None), (("3", "4"), "RATE_LIMITED"), (("3",), None)):
        sent = [cloud_event(name) for name in names]
        answer = await client.post("/graphql", json={"query": mutation, "variables": {"sent": sent}})
        errors = answer.json().get("errors", [{}])
        assert errors[0].get("extensions", {}).get("code") == code, answer.text


async def test_a_replayed_answer_counts_as_a_request(limited: Limited):
    client = await limited(f"sustained=4/{DAY}")
    answers = [await send(client, "1", **{"Idempotency-Key": "k"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert [left(answer)["sustained"] for answer in answers] == [3, 2, 1, 0, 0]
    # What was refused is no answer that is kept.
    assert "idempotency-replayed" not in answers[-1].headers


async def test_an_override_of_a_tenant_or_of_a_key_holds_instead(limited: Limited, tenant: str):
    client = await limited(f"sustained=2/{DAY}")
    services = services_of(client)
    tenant_id = await services.keys.tenant(tenant)
    await services.rates.override(tenant_id, Override("", "sustained", 5, DAY))
    answer = await client.get("/v1/clients")
    assert answer.headers["ratelimit-policy"] == f'"sustained";q=5;w={DAY}'
    (key,) = await services.keys.of(tenant)
    await services.rates.override(tenant_id, Override(f"key:{key.key_id}", "sustained", None, DAY))
    assert [(await client.get("/v1/clients")).status_code for _ in range(9)] == [200] * 9
    await services.rates.drop_override(tenant_id, f"key:{key.key_id}", "sustained")
    assert {(await client.get("/v1/clients")).status_code for _ in range(9)} == {200, 429}
    # To drop what is not there is no change.
    await services.rates.drop_override(tenant_id, f"key:{key.key_id}", "sustained")
    log = await services.audit.page(tenant_id, AuditFilter(actor="cli"), None, 3)
    assert [(entry.action, entry.subject, dict(entry.details)) for entry in log] == [
        ("rate.unset", f"api_key:{key.key_id}", {"name": "sustained"}),
        ("rate.set", f"api_key:{key.key_id}", {"name": "sustained", "seconds": DAY}),
        ("rate.set", "keys", {"name": "sustained", "quota": 5, "seconds": DAY}),
    ]


async def test_an_address_that_tries_keys_is_shut_out_but_keys_that_count_pass(limited: Limited):
    client = await limited("burst=1000/10", failed_attempts=5)
    assert (await client.get("/v1/clients")).status_code == 200

    async def guess(number: int, path: str = "/v1/clients") -> httpx.Response:
        return await client.get(path, headers={"Authorization": f"Bearer pw_{number}"})

    assert [(await guess(number)).status_code for number in range(7)] == [401] * 5 + [429] * 2
    refused = await guess(8)
    assert refused.json()["type"] == "/problems/too-many-failed-attempts"
    assert 0 < int(refused.headers["retry-after"]) <= 60
    over_graphql = await guess(9, "/graphql?query={__typename}")
    assert over_graphql.status_code == 429
    assert over_graphql.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_FAILED_ATTEMPTS"
    # Whose key was good lately, and who has none at all, are not meant.
    assert (await client.get("/v1/clients")).status_code == 200
    assert (await client.get("/v1/event-types", headers={"Authorization": ""})).status_code == 200


async def test_addresses_are_believed_as_far_as_there_are_proxies(limited: Limited):
    client = await limited("off", failed_attempts=1, trusted_proxies=1)

    async def guess(forwarded: str) -> int:
        headers = {"Authorization": "Bearer pw_x", "X-Forwarded-For": forwarded}
        return (await client.get("/v1/clients", headers=headers)).status_code

    assert await guess("192.0.2.1") == 401
    assert await guess("192.0.2.1") == 429
    # What stands before what the proxy wrote is anybody's.
    assert await guess("198.51.100.7, 192.0.2.1") == 429
    assert await guess("192.0.2.2") == 401
    # Of one network of IPv6.
    assert await guess("2001:db8::1") == 401
    assert await guess("2001:db8::2") == 429
