"""Traces as a real server and a real worker send them to a collector, from the `traceparent` to the statement."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.ports.tenants import Scope
from tests.cloud_events import BATCH, STRUCTURED, as_json, cloud_event
from tests.postgres import Server
from tests.service import Service, free_port
from tests.tracing.collector import Collector, SeenSpan, collecting
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]

MARK = "quibblefax"
SERVER, CLIENT = 2, 3


@dataclass
class Traced:
    """A server that sends traces to a collector."""

    service: Service
    collector: Collector

    def http(self, tenant: str = "", **headers: str) -> httpx.Client:
        """Somebody who may do everything for a tenant of his own."""
        key = self.service.key(tenant or str(uuid4()), ",".join(Scope))
        headers = {"Authorization": f"Bearer {key}", **headers}
        return httpx.Client(base_url=self.service.url, headers=headers, timeout=30)

    def sent_by(self, trace_id: str) -> set[str]:
        return {one.name for one in self.collector.of_trace(trace_id)}


def served(home: Path, url: str, postgres: Server, **settings: str) -> Service:
    """A server that is started now."""
    settings = {"MIGRATION_DATABASE_URL": postgres.owner_of(url), "PARTWISE_LOG_LEVEL": "debug", **settings}
    service = Service(home, free_port(), database_url=url, kind="serve", settings=settings)
    service.start()
    return service


def end(service: Service) -> None:
    assert service.process is not None
    service.process.terminate()
    service.process.wait(25)


@pytest.fixture(scope="module")
def traced(database_url: str, postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with collecting() as collector:
        service = served(
            tmp_path_factory.mktemp("traced"),
            database_url,
            postgres,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="50",
            OTEL_SERVICE_NAME="ours",
            # FastAPI would send paths and queries by itself.
            FASTAPI_OTEL_AUTO_CONFIGURE="true",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
        )
        try:
            yield Traced(service, collector)
        finally:
            end(service)


@contextmanager
def working(home: Path, environment: dict[str, str]) -> Iterator[Path]:
    """A worker for as long as the block lasts, and its log."""
    log = home / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen([sys.executable, "-m", "app", "worker"], env=environment, stderr=out)
        try:
            yield log
        finally:
            worker.terminate()
            worker.wait(60)


def a_trace(sampled: bool = True) -> tuple[str, str, str]:
    """A trace of somebody else: its id, the id of the span that asks us, and the header that says so."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


def children(spans: list[SeenSpan], of: SeenSpan) -> list[SeenSpan]:
    return sorted((one for one in spans if one.parent_id == of.span_id), key=lambda one: one.began)


def lines_of(traced: Traced, trace_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in traced.service.output().splitlines()]
    return [one for one in lines if one.get("trace_id") == trace_id and one["event"] == "request"]


async def test_a_request_is_seen_from_its_sender_to_the_statements(traced: Traced):
    trace_id, span_id, traceparent = a_trace()
    with traced.http() as http:
        # The driver looks up types once, and a new client's id among those of erased ones.
        http.post("/v1/events", content=as_json(cloud_event("1")), headers={"Content-Type": STRUCTURED})
        told = {"Content-Type": STRUCTURED, "Traceparent": traceparent}
        sent = http.post("/v1/events", content=as_json(cloud_event("2")), headers=told)
    assert sent.status_code == 201
    await traced.collector.until(lambda: {"POST /v1/events", "COMMIT"} <= traced.sent_by(trace_id))
    spans = traced.collector.of_trace(trace_id)
    (request,) = [one for one in spans if one.kind == SERVER]
    assert request.parent_id == span_id
    assert request.facts["http.request.method"] == "POST"
    assert request.facts["http.route"] == "/v1/events"
    assert request.facts["http.response.status_code"] == 201
    assert request.facts["partwise.tenant_id"]
    assert request.resource["service.name"] == "ours"
    assert request.resource["deployment.environment.name"] == "test"
    assert request.resource["service.version"]
    (recorded,) = [one for one in children(spans, request) if one.name == "record events"]
    assert recorded.facts == {"partwise.events": 1}
    (appended,) = children(spans, recorded)
    assert appended.name == "append transaction"
    statements = children(spans, appended)
    assert [one.name for one in statements] == ["BEGIN", "INSERT event", "INSERT client", "COMMIT"]
    for one in statements:
        assert one.kind == CLIENT
        assert one.facts == {"db.system.name": "postgresql", "db.query.summary": one.name}
        assert one.ended >= one.began >= request.began
    # Who looks at a line of the log finds the trace, and the other way round.
    # Lines of requests are written together, a little later.
    await asyncio.to_thread(wait_until, lambda: bool(lines_of(traced, trace_id)))
    (line,) = lines_of(traced, trace_id)
    assert (line["span_id"], line["route"]) == (request.span_id, "/v1/events")
    assert line["request_id"] == sent.headers["x-request-id"]


async def test_durations_have_a_trace_as_an_example(traced: Traced):
    """From a graph to a trace."""
    traces = {}
    with traced.http() as http:
        for method, path in (("POST", "/v1/events"), ("POST", "/graphql"), ("GET", "/v1/policies")):
            traces[path], _, traceparent = a_trace()
            content = as_json({"query": "{ __typename }"} if path == "/graphql" else cloud_event())
            media = "application/json" if path == "/graphql" else STRUCTURED
            told = {"Traceparent": traceparent, "Content-Type": media}
            assert http.request(method, path, content=content, headers=told).status_code < 300
        shown = http.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
    families = {
        "partwise_http_request_duration_seconds_bucket": 'method="POST",route="/v1/events"',
        "partwise_graphql_operation_duration_seconds_bucket": 'kind="query"',
        "partwise_database_transaction_duration_seconds_bucket": 'operation="policy"',
    }
    for (name, labels), trace_id in zip(families.items(), traces.values(), strict=True):
        lines = [line for line in shown.splitlines() if line.startswith(name) and labels in line]
        assert any(f'# {{trace_id="{trace_id}"}} ' in line for line in lines), (name, lines)


async def test_reads_and_graphql_are_seen(traced: Traced):
    traces = {}
    with traced.http() as http:
        http.post("/v1/events", content=as_json(cloud_event()), headers={"Content-Type": STRUCTURED})
        for path in ("/v1/clients/acme/score", "/v1/policies", "/nothing", "/livez"):
            traces[path], _, traceparent = a_trace()
            http.get(path, headers={"Traceparent": traceparent})
        traces["/graphql"], _, traceparent = a_trace()
        asked = {"query": "query Q { clients(first: 1) { totalCount } }"}
        assert http.post("/graphql", json=asked, headers={"Traceparent": traceparent}).status_code == 200
    await traced.collector.until(lambda: {"POST /graphql", "query"} <= traced.sent_by(traces["/graphql"]))
    score = traced.sent_by(traces["/v1/clients/acme/score"])
    assert {"GET /v1/clients/{client_id}/score", "compute"} <= score
    assert any(name.startswith("SELECT event") for name in score)
    policies = traced.sent_by(traces["/v1/policies"])
    assert {"GET /v1/policies", "policy transaction", "BEGIN", "COMMIT"} <= policies
    assert any(name.startswith("SELECT policy") for name in policies)
    (nothing,) = traced.collector.of_trace(traces["/nothing"])
    assert (nothing.name, nothing.facts["http.response.status_code"]) == ("GET", 404)
    assert "http.route" not in nothing.facts
    assert traced.sent_by(traces["/livez"]) == set()
    (operation,) = [one for one in traced.collector.of_trace(traces["/graphql"]) if one.name == "query"]
    assert operation.facts == {"graphql.operation.type": "query"}


async def test_who_is_not_to_be_traced_is_not(traced: Traced):
    secret, _, unsampled = a_trace(sampled=False)
    known, _, sampled = a_trace()
    with traced.http() as http:
        http.get("/v1/clients", headers={"Traceparent": unsampled})
        http.get("/v1/clients", headers={"Traceparent": "00-nonsense"})
        http.get("/v1/clients", headers={"Traceparent": sampled})
    await traced.collector.until(lambda: "GET /v1/clients" in traced.sent_by(known))
    assert traced.sent_by(secret) == set()


@pytest.mark.timeout(120)
async def test_nothing_that_was_sent_is_exported_or_logged(traced: Traced):
    event = cloud_event(f"{MARK}-1", kind="client.updated", client=f"{MARK}@example.org", data={"name": MARK})
    trace_id, _, traceparent = a_trace()
    told = {"Traceparent": traceparent, "Tracestate": f"x={MARK}", "Baggage": f"user={MARK}", "User-Agent": MARK}
    document = f'query {MARK} {{ client(clientId: "{MARK}@example.org") {{ name }} }}'
    with traced.http(f"{MARK}-tenant", **told) as http:
        for media, body in (
            (STRUCTURED, as_json(event)),
            (STRUCTURED, as_json(event | {"data": {"name": MARK, MARK: MARK}})),
            (BATCH, as_json([cloud_event(f"{MARK}-{n}", client=MARK) for n in range(300)])),
            (f"{MARK}/{MARK}", as_json(event)),
        ):
            http.post("/v1/events", content=body, headers={"Content-Type": media, "Idempotency-Key": f"{MARK}-{media}"})
        for path in ("", "/score", "/explanation", "/timeline", f"/{MARK}"):
            http.get(f"/v1/clients/{MARK}{path}", params={"as_of": MARK} if path == "/timeline" else {MARK: MARK})
        http.request(MARK.upper(), f"/{MARK}")
        http.put(f"/v1/clients/{MARK}", json={"name": MARK})
        http.post("/graphql", json={"query": document, "operationName": MARK, "variables": {MARK: MARK}})
        http.get("/v1/clients", params={"text": MARK, "cursor": MARK})
        http.post("/v1/policies", json={"settings": {MARK: MARK}, "note": MARK})
        http.get("/v1/clients", headers={"Authorization": f"Bearer pw_{MARK}"})
        http.delete(f"/v1/clients/{MARK}", headers={"Idempotency-Key": MARK})
        key = http.headers["Authorization"].partition(" ")[2]
    await traced.collector.until(lambda: "DELETE /v1/clients/{client_id}" in traced.sent_by(trace_id))
    assert len(traced.collector.of_trace(trace_id)) > 100
    for text in (*traced.collector.text, traced.service.output()):
        assert MARK not in text.lower()
        assert key not in text
    # Whatever is seen at all is a part of a request.
    assert {one.kind for one in traced.collector.spans if not one.parent_id} <= {SERVER}


async def test_a_worker_is_seen_where_it_has_something_to_do(traced: Traced, database_url: str):
    with traced.http() as http:
        events = [cloud_event(f"e{n}", client=f"c{n}") for n in range(7)]
        assert http.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH}).status_code == 200
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{traced.collector.url}/v1/traces",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }

    def of_the_worker() -> list[SeenSpan]:
        return [one for one in traced.collector.spans if one.resource["service.name"] == "partwise"]

    def is_seen() -> bool:
        return any(one.facts.get("partwise.clients") == 7 and not one.parent_id for one in of_the_worker())

    with working(traced.service.home, environment) as log:
        await traced.collector.until(is_seen)
    roots = [one for one in of_the_worker() if not one.parent_id]
    assert {one.name for one in roots} <= {"reassess clients", "renew portfolio", "finish erasure"}
    assert all(one.facts["partwise.tenant_id"] for one in roots)
    work = next(one for one in roots if one.facts.get("partwise.clients") == 7)
    below = traced.sent_by(work.trace_id)
    assert "keep transaction" in below
    assert any("INSERT assessment" in name for name in below)
    for line in log.read_text().splitlines():
        assert json.loads(line)["logger"]


def imported(service: Service) -> set[str]:
    """What a process has imported that was told to say so."""
    return {line.rpartition("|")[2].strip() for line in service.output().splitlines() if "|" in line}


OPEN_TELEMETRY = {"opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http", "app.tracing.sdk"}


def test_without_variables_nothing_of_it_is_imported(database_url: str, postgres: Server, tmp_path: Path):
    # FastAPI itself imports the API of OpenTelemetry, which does nothing; what traces is the SDK.
    service = served(tmp_path, database_url, postgres, PYTHONPROFILEIMPORTTIME="1")
    assert httpx.get(f"{service.url}/v1/event-types").status_code == 200
    end(service)
    assert "app.rest.application" in imported(service)
    assert not OPEN_TELEMETRY & imported(service)
    assert not {name for name in imported(service) if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))}


def test_a_collector_that_is_not_there_harms_nobody(database_url: str, postgres: Server, tmp_path: Path):
    gone = f"http://127.0.0.1:{free_port()}"
    settings = {"PYTHONPROFILEIMPORTTIME": "1", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    service = served(tmp_path, database_url, postgres, OTEL_EXPORTER_OTLP_ENDPOINT=gone, **settings)
    key = service.key(str(uuid4()), "ingest")
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}) as http:
        for number in range(50):
            event = as_json(cloud_event(f"e{number}"))
            assert http.post("/v1/events", content=event, headers={"Content-Type": STRUCTURED}).status_code == 201
    # It does not wait for what is not there, either.
    end(service)
    assert imported(service) >= OPEN_TELEMETRY
    lines = [json.loads(line) for line in service.output().splitlines() if line.startswith("{")]
    told = [line for line in lines if line["logger"].startswith("opentelemetry")]
    assert 0 < len(told) < 20, "operators are told"
