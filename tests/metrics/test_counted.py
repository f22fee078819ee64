"""What is counted when something happens, over the whole application."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.ports.rates import parse_rates
from app.settings import Settings
from tests.cloud_events import BATCH, NDJSON, STRUCTURED, as_json, cloud_event
from tests.metrics.conftest import running_app
from tests.metrics.exposed import Exposed
from tests.waiting import until

EVENTS = 'method="POST",route="/v1/events"'


async def post(http: httpx.AsyncClient, content: Any, media: str = STRUCTURED, query: str = "") -> httpx.Response:
    body = content if isinstance(content, bytes) else as_json(content)
    return await http.post(f"/v1/events{query}", content=body, headers={"Content-Type": media})


async def grown(http: httpx.AsyncClient, before: Exposed, *names: str) -> dict[str, float]:
    """What has grown since, of some metrics."""
    found = (await Exposed.of(http)).grown(before)
    return {name: value for name, value in found.items() if name.startswith(names)}


async def test_requests_by_route_and_status(running: httpx.AsyncClient, before: Exposed):
    await post(running, cloud_event("1", "message.received"))
    await post(running, b"no json")
    await running.get("/v1/clients/acme/score")
    await running.get("/v1/clients/a%2Fb/score")
    await running.head("/v1/clients/acme/score")
    await running.put("/v1/events")
    await running.get("/nothing")
    await running.get("/v1/clients", headers={"Accept": "image/png"})
    await running.get("/v1/clients", headers={"Accept-Encoding": "identity;q=0"})
    score = 'route="/v1/clients/{client_id}/score"'
    found = await grown(running, before, "partwise_http_request")
    found.pop("partwise_http_requests_in_progress", None)
    counts = {name.partition("{")[2].rstrip("}"): value for name, value in found.items() if "requests_total" in name}
    assert counts == {
        f'{EVENTS},status="2xx"': 1,
        f'{EVENTS},status="4xx"': 1,
        f'method="GET",{score},status="2xx"': 1,
        f'method="GET",{score},status="4xx"': 1,
        f'method="HEAD",{score},status="2xx"': 1,
        'method="PUT",route="unmatched",status="4xx"': 1,
        'method="GET",route="unmatched",status="4xx"': 2,
        'method="GET",route="/v1/clients",status="4xx"': 1,
        'method="GET",route="/metrics",status="2xx"': 1,
    }
    durations = {name: value for name, value in found.items() if "duration" in name}
    assert sum(durations.values()) == sum(counts.values())


async def test_problems_by_type(running: httpx.AsyncClient, before: Exposed):
    await post(running, b"no json")
    await running.get("/nothing")
    await running.get("/v1/clients/nobody/score")
    await running.get("/v1/clients", headers={"Authorization": "Bearer nonsense"})
    await running.get("/v1/clients?limit=0")
    key = {"Idempotency-Key": "one", "Content-Type": STRUCTURED}
    await running.post("/v1/events", content=b"no json", headers=key)
    found = await grown(running, before, "partwise_http_problems_total")
    assert found == {
        'partwise_http_problems_total{type="malformed-request"}': 2,
        'partwise_http_problems_total{type="not-found"}': 2,
        'partwise_http_problems_total{type="unauthenticated"}': 1,
        'partwise_http_problems_total{type="invalid-request"}': 1,
    }


async def test_events_by_outcome(running: httpx.AsyncClient, before: Exposed):
    now = datetime.now(UTC)
    first = cloud_event("1", "message.received", time=(now - timedelta(hours=2)).isoformat())
    ahead = cloud_event("2", "message.received", time=(now + timedelta(hours=2)).isoformat())
    await post(running, first)
    await post(running, [first, ahead, cloud_event("3", "nonsense")], BATCH)
    await post(running, cloud_event("1", "call.received"))
    await post(running, [cloud_event("4", "message.received"), cloud_event("5", "nonsense")], BATCH, "?atomic=true")
    lines = b"\n".join(as_json(cloud_event(f"s-{number}", "message.received")) for number in range(3))
    assert (await post(running, lines, NDJSON)).status_code == 200
    found = await grown(running, before, "partwise_ingest")
    assert {name: value for name, value in found.items() if "_events_total" in name} == {
        'partwise_ingest_events_total{outcome="accepted"}': 5,
        'partwise_ingest_events_total{outcome="duplicate"}': 1,
        'partwise_ingest_events_total{outcome="conflict"}': 1,
        'partwise_ingest_events_total{outcome="invalid"}': 2,
        'partwise_ingest_events_total{outcome="aborted"}': 1,
    }
    after = await Exposed.of(running)
    name = "partwise_ingest_batch_events"
    assert after[f"{name}_sum"] - before[f"{name}_sum"] == 10
    assert after["partwise_ingest_event_age_seconds_count"] == 5
    age = "partwise_ingest_event_age_seconds_bucket"
    assert after[f'{age}{{le="1.0"}}'] == 1, "what lies ahead has no age"
    assert after[f'{age}{{le="3600.0"}}'] == 1
    assert after[f'{age}{{le="21600.0"}}'] == 2
    assert after["partwise_ingest_event_age_seconds_sum"] >= 7200
    assert after["partwise_ingest_waiting_bytes"] == 0
    assert after["partwise_ingest_room_bytes"] == Settings().ingest_memory


async def test_what_waits_is_told(running: httpx.AsyncClient):
    """A request whose body does not come yet holds some room."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def body():
        yield as_json(cloud_event("1", "message.received"))
        begun.set()
        await may_end.wait()

    sending = asyncio.create_task(
        running.post("/v1/events", content=body(), headers={"Content-Type": STRUCTURED, "Content-Length": "100000"})
    )
    # The transport reads a body as the application asks for it.
    await begun.wait()
    during = await Exposed.of(running)
    may_end.set()
    await sending
    assert during["partwise_ingest_waiting_bytes"] > 0
    # This one, and the one that asks.
    assert during["partwise_http_requests_in_progress"] == 2
    after = await Exposed.of(running)
    assert after["partwise_ingest_waiting_bytes"] == 0
    assert after["partwise_http_requests_in_progress"] == 1


async def test_streams_are_counted_and_their_time_is_not(running: httpx.AsyncClient, before: Exposed):
    await post(running, as_json(cloud_event("1", "message.received")), NDJSON)
    await post(running, b"x" * 2_000_000, NDJSON)
    found = await grown(running, before, "partwise_http")
    assert found[f'partwise_http_requests_total{{{EVENTS},status="2xx"}}'] == 2
    assert f"partwise_http_request_duration_seconds_count{{{EVENTS}}}" not in found
    # The second ended early, with a problem in its last line.
    assert found['partwise_http_problems_total{type="content-too-large"}'] == 1


async def test_who_waits_for_changes_is_no_slow_request(running: httpx.AsyncClient, before: Exposed):
    (await running.get("/v1/changes")).raise_for_status()
    (await running.get("/v1/changes?after=latest&wait=1")).raise_for_status()
    found = await grown(running, before, "partwise_http_request")
    assert found['partwise_http_requests_total{method="GET",route="/v1/changes",status="2xx"}'] == 2
    assert found['partwise_http_request_duration_seconds_count{method="GET",route="/v1/changes"}'] == 1


async def test_operations_of_graphql(running: httpx.AsyncClient, before: Exposed):
    await post(running, cloud_event("1", "message.received"))

    async def ask(query: str, **more: Any) -> httpx.Response:
        return await running.post("/graphql", json={"query": query, **more})

    await ask('{ client(clientId: "acme") { clientId } }')
    await ask('mutation { putClient(input: {clientId: "acme", name: "Acme"}) { __typename } }')
    partly = (await ask('{ client(clientId: "acme") { history(since: "2199-01-01") { __typename } } }')).json()
    assert partly["errors"], partly
    assert partly.get("data", partly) == {"client": None}
    assert (await ask('{ policy(version: "nonsense") { __typename } }')).json()["data"] is None
    await ask("{ nonsense }")
    await ask("{")
    await running.post("/graphql", content=b"nonsense", headers={"Content-Type": "application/json"})
    await running.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": "Bearer nonsense"})
    await running.get("/graphql?query=mutation{__typename}")
    await running.get("/graphql", headers={"Accept": "text/html"})
    found = await grown(running, before, "partwise_graphql_operation")
    total, seconds = "partwise_graphql_operations_total", "partwise_graphql_operation_duration_seconds_count"
    assert found == {
        f'{total}{{kind="query",outcome="ok"}}': 1,
        f'{total}{{kind="query",outcome="partial"}}': 1,
        f'{total}{{kind="query",outcome="error"}}': 1,
        f'{total}{{kind="mutation",outcome="ok"}}': 1,
        f'{total}{{kind="mutation",outcome="refused"}}': 1,
        f'{total}{{kind="none",outcome="refused"}}': 4,
        f'{seconds}{{kind="query"}}': 3,
        f'{seconds}{{kind="mutation"}}': 2,
        f'{seconds}{{kind="none"}}': 4,
    }


async def test_the_database_as_it_is_used(running: httpx.AsyncClient, before: Exposed):
    await post(running, cloud_event("1", "message.received"))
    await running.get("/v1/clients")
    await running.get("/v1/events")
    assert (await running.get("/readyz")).status_code == 200
    after = await Exposed.of(running)
    for operation in ("append", "read", "events", "keep", "ready"):
        name = f'partwise_database_transaction_duration_seconds_count{{operation="{operation}"}}'
        assert after[name] > before[name], operation
    assert after['partwise_database_transaction_duration_seconds_count{operation="other"}'] == 0
    for pool in ("queries", "reads", "writes"):
        assert after[f'partwise_database_pool_wait_seconds_count{{pool="{pool}"}}'] > 0
        assert after[f'partwise_database_pool_connections{{pool="{pool}",state="idle"}}'] >= 1
        assert after[f'partwise_database_pool_connections{{pool="{pool}",state="used"}}'] == 0
        assert after[f'partwise_database_pool_limit_connections{{pool="{pool}"}}'] >= 1
    assert after["partwise_database_up"] == 1


async def test_a_database_that_is_away():
    nowhere = "postgresql+asyncpg://nobody:x@127.0.0.1:1/none"
    async with running_app(Settings().with_database(nowhere), "Bearer pw_" + "a" * 43) as http:
        before = await Exposed.of(http)
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/v1/clients")).status_code in (401, 503)
        found = await Exposed.of(http)
        assert found["partwise_database_up"] == 0
        grew = found.grown(before)
        assert grew['partwise_database_errors_total{kind="unavailable"}'] >= 1
        assert grew['partwise_http_requests_total{method="GET",route="/readyz",status="5xx"}'] == 1
        assert grew['partwise_http_problems_total{type="database-unavailable"}'] >= 1


async def test_who_asks_too_much_and_whose_key_does_not_count(api: httpx.AsyncClient, database_url: str):
    few = Settings(rate_limits=parse_rates("burst=3/60 events=2/60")).with_database(database_url)
    async with running_app(few, api.headers["Authorization"]) as http:
        before = await Exposed.of(http)
        sent = [cloud_event(f"{n}", "message.received") for n in range(2)]
        assert (await post(http, sent, BATCH)).status_code == 200
        assert (await post(http, sent, BATCH)).status_code == 429
        assert (await http.get("/v1/clients", headers={"Authorization": "Bearer nonsense"})).status_code == 401
        assert (await http.get("/v1/clients")).status_code == 200
        assert (await http.get("/v1/clients")).status_code == 429
        found = (await Exposed.of(http)).grown(before)
        assert found['partwise_rate_limited_total{unit="events"}'] == 1
        assert found['partwise_rate_limited_total{unit="requests"}'] == 1
        assert found['partwise_authentications_total{outcome="refused"}'] == 1
        assert found['partwise_authentications_total{outcome="accepted"}'] >= 3
        assert found['partwise_http_problems_total{type="rate-limited"}'] == 2


@pytest.mark.parametrize(
    ("ask", "purpose", "clients"),
    [
        (("GET", "/v1/clients/c-0/score", None), "read", 1),
        (("GET", "/v1/clients/c-0/explanation", None), "read", 1),
        (("GET", "/v1/clients/c-0/history", None), "read", 1),
        (("GET", "/v1/clients/c-0/timeline", None), "read", 1),
        (("GET", "/v1/clients/c-0/recourse", None), "recourse", 1),
        (("POST", "/v1/clients/c-0/simulate", {"events": [{"type": "contract.signed", "data": {}}]}), "simulate", 2),
        (("GET", "/v1/clients", None), "list", 3),
        (("GET", "/v1/clients?as_of=2026-02-01", None), "list", 3),
    ],
)
async def test_evaluations_by_purpose(
    running: httpx.AsyncClient, ask: tuple[str, str, Any], purpose: str, clients: int
):
    for number in range(3):
        await post(running, cloud_event(f"{number}", "contract.sent", f"c-{number}"))
    before = await Exposed.of(running)
    method, path, body = ask
    assert (await running.request(method, path, json=body)).status_code == 200
    found = await grown(running, before, "partwise_policy_evaluations_total")
    assert found == {f'partwise_policy_evaluations_total{{purpose="{purpose}"}}': clients}


async def test_a_preview_evaluates_twice(running: httpx.AsyncClient):
    for number in range(3):
        await post(running, cloud_event(f"{number}", "contract.sent", f"c-{number}"))
    drafted = await running.post("/v1/policies", json={"settings": {"late": {"grace_days": 3}}})
    before = await Exposed.of(running)
    version = drafted.raise_for_status().json()["version"]
    (await running.get(f"/v1/policies/{version}/preview")).raise_for_status()
    found = await grown(running, before, "partwise_policy_evaluations_total")
    assert found == {'partwise_policy_evaluations_total{purpose="preview"}': 6}


async def test_verdicts_that_change_and_events_that_wait(running: httpx.AsyncClient, before: Exposed):
    def told(number: int, kind: str, **data: Any) -> dict[str, Any]:
        return cloud_event(f"{number}", kind, time=datetime.now(UTC).isoformat(), data=data)

    await post(running, told(0, "message.received"))
    await running.get("/v1/clients")
    first = await Exposed.of(running)
    grew = first.grown(before)
    (change,) = [name for name in grew if name.startswith("partwise_verdict_changes_total")]
    assert 'before="none"' in change
    assert grew["partwise_assessed_clients_total"] == 1
    assert grew["partwise_assessment_lag_seconds_count"] == 1
    # Nothing new: nothing waits.
    await running.get("/v1/clients")
    assert "partwise_assessment_lag_seconds_count" not in (await Exposed.of(running)).grown(first)
    await post(running, told(1, "relationship.ended", by="client"))
    await post(running, told(2, "contract.declined", reason="never"))
    await running.get("/v1/clients")
    grew = (await Exposed.of(running)).grown(first)
    assert grew["partwise_assessment_lag_seconds_count"] == 1, "of several the first"


async def test_the_loop_is_looked_at(running: httpx.AsyncClient):
    async def was_seen() -> bool:
        return (await Exposed.of(running))["partwise_event_loop_lag_seconds_count"] >= 2

    await until(was_seen)
