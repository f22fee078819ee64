"""How `/metrics` answers: in which format, with which series, and never with more of them."""

import gzip
import re

import httpx
import pytest

from app.composition import create_server
from app.metrics.catalogue import METRICS, Kind, Process, metrics_of
from app.settings import Settings
from tests.cloud_events import BATCH, STRUCTURED, as_json, cloud_event
from tests.metrics.conftest import running_app
from tests.metrics.exposed import OPENMETRICS, Exposed

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""
MOST_SERIES = 3_000


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        (PROMETHEUS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("application/*", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("application/openmetrics-text;q=0.1, text/plain", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
async def test_the_format_is_the_one_that_is_wanted(running: httpx.AsyncClient, accept: str | None, version: str):
    if accept is None:
        del running.headers["Accept"]
    answer = await running.get("/metrics", headers={} if accept is None else {"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, version)
    assert "Accept" in answer.headers["vary"].split(", ")
    is_open = version.startswith("application")
    assert answer.text.endswith("# EOF\n") == is_open
    read = Exposed.read(answer.text, openmetrics=is_open)
    assert read["partwise_ready"] == 1


async def test_both_formats_say_the_same(running: httpx.AsyncClient):
    await running.get("/v1/clients")
    plain = Exposed.read((await running.get("/metrics", headers={"Accept": "text/plain"})).text, openmetrics=False)
    opened = await Exposed.of(running)
    assert plain.series.keys() == opened.series.keys()


async def test_other_forms_are_refused(running: httpx.AsyncClient):
    answer = await running.get("/metrics", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
async def test_it_is_compressed_for_who_takes_that(running: httpx.AsyncClient, accept: str):
    request = running.build_request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
    answer = await running.send(request, stream=True)
    raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) * 5 < len(gzip.decompress(raw))


async def test_head_is_get_without_a_body(running: httpx.AsyncClient):
    head = await running.head("/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    refused = await running.post("/metrics")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_all_of_the_catalogue_is_there_from_the_start(before: Exposed):
    for metric in metrics_of(Process.SERVER):
        name = {Kind.HISTOGRAM: f"{metric.name}_count"}.get(metric.kind, metric.name)
        found = {key[1]: value for key, value in before.series.items() if key[0] == name}
        assert found, metric.name
        for label in metric.labels:
            there = {dict(labels)[label.name] for labels in found}
            assert there == set(label.values) if label.values else there, (metric.name, label.name)
    ours = {name for name, _ in before.series if name.startswith("partwise_")}
    for name in METRICS:
        ours = {one for one in ours if one not in {name, f"{name}_bucket", f"{name}_sum", f"{name}_count"}}
    assert ours == set(), "what is in no catalogue"


async def test_counters_begin_at_zero(before: Exposed):
    begun = {"partwise_database_transaction_duration_seconds_count", "partwise_event_loop_lag_seconds_count"}
    for (name, labels), value in before.series.items():
        told = dict(labels)
        # The question that was just asked is in it, and so may be the first look at the database.
        if name.startswith("partwise_") and name.endswith("_total") and told.get("route") != "/metrics":
            assert value == 0, (name, labels)
        if name.endswith("_count") and name not in begun and told.get("pool") != "queries":
            assert value == 0 or told.get("route") == "/metrics", (name, labels)


async def test_every_operation_and_every_problem_is_known_from_the_start(before: Exposed, database_url: str):
    rest = create_server(Settings().with_database(database_url)).rest
    told = {
        (dict(labels)["method"], dict(labels)["route"])
        for name, labels in before.series
        if name == "partwise_http_request_duration_seconds_count"
    }
    assert rest.operations <= told
    assert {("GET", "/graphql"), ("POST", "/graphql"), ("other", "unmatched")} <= told
    assert before['partwise_http_problems_total{type="not-found"}'] == 0


async def flood(http: httpx.AsyncClient, round_: int) -> None:
    """What nobody should send, each with names that were never seen before."""
    for number in range(3):
        name = f"made-up-{round_}-{number}"
        await http.get(f"/{name}")
        await http.get(f"/v1/{name}/{name}")
        await http.get(f"/graphql/{name}")
        await http.get(f"/docs/assets/{name}")
        await http.get(f"/problems/{name}")
        await http.request(f"BREW{number}{round_}", "/v1/events")
        await http.request(f"BREW{number}{round_}", f"/v1/clients/{name}")
        for method in ("GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "PUT", "POST", "TRACE"):
            await http.request(method, f"/v1/clients/{name}/score")
            await http.request(method, "/v1/events")
        event = cloud_event(name, "message.received", client=name, source=f"/{name}")
        unknown = cloud_event(name, f"{name}.happened", client=name)
        await http.post("/v1/events", content=as_json(event), headers={"Content-Type": STRUCTURED})
        await http.post("/v1/events", content=as_json([unknown, {}, event]), headers={"Content-Type": BATCH})
        await http.post("/v1/events", content=b"x", headers={"Content-Type": f"text/{name}"})
        await http.get(f"/v1/clients/{name}/explanation")
        await http.get("/v1/clients", headers={"Authorization": f"Bearer {name}"})
        for query in (f"query {name.replace('-', '_')} {{ __typename }}", f"{{ {name.replace('-', '_')} }}", name, "{"):
            await http.post("/graphql", json={"query": query, "operationName": name if number % 2 else None})
        await http.request("DELETE", "/graphql")


async def test_the_series_are_bounded_whatever_is_sent(running: httpx.AsyncClient):
    await flood(running, 0)
    once = await Exposed.of(running)
    assert len(once.series) < MOST_SERIES
    await flood(running, 1)
    again = await Exposed.of(running)
    assert again.series.keys() == once.series.keys()
    assert again['partwise_http_requests_total{method="other",route="unmatched",status="4xx"}'] >= 12
    values = {value for name, labels in again.series for _, value in labels if name.startswith("partwise_")}
    assert not any("made" in value or "BREW" in value for value in values)
    names = {label for name, labels in again.series for label, _ in labels if name.startswith("partwise_")}
    assert names.isdisjoint({"tenant", "tenant_id", "client", "client_id", "key", "key_id", "path"})


async def test_every_series_that_there_can_be_is_bounded(running: httpx.AsyncClient, database_url: str):
    """HEAD is there for a route once it was used; nothing else comes to be."""
    before = await Exposed.of(running)
    for method, path in create_server(Settings().with_database(database_url)).rest.operations:
        if method == "GET":
            await running.head(re.sub(r"\{\w+\}", "x", path))
    await running.head("/graphql")
    await flood(running, 0)
    after = await Exposed.of(running)
    assert len(after.series) < MOST_SERIES
    assert {dict(labels)["method"] for _, labels in after.series.keys() - before.series.keys()} == {"HEAD"}


async def test_without_metrics_there_is_none(database_url: str):
    async with running_app(Settings(metrics=False).with_database(database_url)) as http:
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.get("/readyz")).status_code == 200


async def test_a_port_of_operators_takes_it_from_the_public_one(database_url: str):
    server = create_server(Settings(metrics_port=9464).with_database(database_url))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.rest), base_url="http://test") as public:
        assert (await public.get("/metrics")).json()["type"] == "/problems/not-found"
        assert (await public.get("/readyz")).status_code == 200
        assert "/metrics" not in (await public.get("/openapi.json")).json()["paths"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.operators), base_url="http://test") as operators:
        assert (await Exposed.of(operators))["partwise_ready"] == 1
        assert (await operators.get("/livez")).json() == {"status": "ok"}
        assert (await operators.get("/readyz")).json() == {"status": "ok"}
        nothing = await operators.get("/v1/clients")
        assert (nothing.status_code, nothing.json()["type"]) == (404, "/problems/not-found")
        assert (await operators.get("/metrics?x=1")).status_code in (200, 422)
        assert (await operators.get("/metrics", headers={"Accept": "image/png"})).status_code == 406
        server.ending.begin()
        assert (await operators.get("/readyz")).json()["type"] == "/problems/not-ready"
        assert (await operators.get("/livez")).status_code == 200
        assert (await Exposed.of(operators))["partwise_ready"] == 0
