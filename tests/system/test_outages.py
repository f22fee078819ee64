"""Postgres goes away, killed or frozen, and comes back: 503 with Retry-After meanwhile, and all goes on afterwards."""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from app.cli.openapi import document_of_the_code
from app.embedded import EmbeddedPostgres
from app.rest.openapi.operations import Operation, operations_of
from app.store.migrate import migrate
from benchmarks.crashes import Process
from tests.cloud_events import BATCH, NDJSON, STRUCTURED, as_json, cloud_event
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

BACK_SECONDS = 2.0
"""After which all is to go on."""
PATIENCE = 2
ANSWER_SECONDS = 25
"""Some times the patience: for a connection, a statement and a busy machine."""

DOCUMENT = document_of_the_code()
Asked = tuple[str, str, dict[str, Any]]
SEND = "mutation($sent: [JSON!]!) { sendEvents(input: {events: $sent}) { __typename } }"


@dataclass
class Running:
    """A server and a worker over a Postgres that can be done harm to."""

    home: Path
    postgres: EmbeddedPostgres
    service: Service
    headers: dict[str, str]

    def processes(self) -> list[psutil.Process]:
        pid = int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def kill(self) -> None:
        processes = self.processes()
        processes[0].kill()
        psutil.wait_procs(processes, timeout=30)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Postgres does not answer for as long as the block lasts, but holds its connections."""
        ended = threading.Event()

        def freeze() -> None:
            # Again and again: whoever is started meanwhile freezes too.
            while not ended.wait(0.02):
                signal_all(psutil.Process.suspend)

        def signal_all(do: Any) -> None:
            for process in self.processes():
                with suppress(psutil.NoSuchProcess):
                    do(process)

        thread = threading.Thread(target=freeze)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            signal_all(psutil.Process.resume)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="partwise-outages-") as folder, EmbeddedPostgres(Path(folder)) as postgres:
        home = Path(folder)
        asyncio.run(migrate(postgres.url()))
        service_url = postgres.service_url().replace("+asyncpg", "")
        settings = {"PARTWISE_DATABASE_PATIENCE": str(PATIENCE)}
        service = Service(home, free_port(), database_url=service_url, kind="serve", settings=settings)
        environment = {**os.environ, "PARTWISE_HOME": str(home), "DATABASE_URL": service_url}
        made = subprocess.run(
            [sys.executable, "-m", "app", "keys", "create", "--tenant", "t", "--scopes", "ingest,read,manage,metrics"],
            env={**environment, "DATABASE_URL": postgres.url().replace("+asyncpg", "")},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        service.start()
        worker = Process("worker", home, environment)
        try:
            yield Running(home, postgres, service, {"Authorization": f"Bearer {made.stdout.strip()}"})
        finally:
            worker.end()
            service.end()


def requests() -> list[Asked]:
    """A good request of every operation that needs the database, and of GraphQL and each way to send events."""
    found: list[Asked] = [
        ("POST", "/v1/events", {"content": as_json(cloud_event("1")), "headers": {"Content-Type": STRUCTURED}}),
        ("POST", "/v1/events", {"content": as_json([cloud_event("2")]), "headers": {"Content-Type": BATCH}}),
        ("POST", "/v1/events", {"content": as_json(cloud_event("3")), "headers": {"Content-Type": NDJSON}}),
        (
            "POST",
            "/v1/events",
            {"content": as_json(cloud_event("4")), "headers": {"Content-Type": STRUCTURED, "Idempotency-Key": "k"}},
        ),
        ("POST", "/graphql", {"json": {"query": "{ events(first: 1) { edges { node { eventId } } } }"}}),
        ("POST", "/graphql", {"json": {"query": '{ client(clientId: "acme") { name } }'}}),
        ("POST", "/graphql", {"json": {"query": SEND, "variables": {"sent": [cloud_event("5")]}}}),
        ("GET", "/readyz", {}),
    ]
    return found + [request_of(one) for one in operations_of(DOCUMENT) if one.needs_key and one.id != "sendEvents"]


def request_of(operation: Operation) -> Asked:
    path = operation.path
    for parameter in operation.spec.get("parameters", ()):
        if parameter.get("in") == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    more: dict[str, Any] = {}
    if operation.has_body:
        content = operation.spec["requestBody"]["content"]["application/json"]
        more["json"] = next(iter(content["examples"].values()))["value"]
    return operation.method, path, more


async def ask_all(running: Running, asked: list[Asked]) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=running.service.url, headers=running.headers, timeout=ANSWER_SECONDS) as http:
        return await asyncio.gather(*(http.request(method, path, **more) for method, path, more in asked))


def told(answers: list[httpx.Response]) -> list[tuple[int, str | None, str]]:
    """Answers that do not say that the database is away."""
    return [
        (answer.status_code, answer.headers.get("retry-after"), f"{answer.request.method} {answer.url}: {answer.text}")
        for answer in answers
        if answer.status_code != 503 or int(answer.headers.get("retry-after", "0")) < 1
    ]


def assert_served_again(running: Running, event_id: str) -> None:
    """Two seconds later events are taken, stored ones are read, over REST and GraphQL, at the first attempt."""
    time.sleep(BACK_SECONDS)
    sent = cloud_event(event_id, client="after")
    asked: list[Asked] = [
        ("POST", "/v1/events", {"content": as_json(sent), "headers": {"Content-Type": STRUCTURED}}),
        ("GET", "/v1/events", {}),
        ("GET", "/v1/clients", {}),
        ("POST", "/graphql", {"json": {"query": "{ events(first: 1) { edges { node { eventId } } } }"}}),
    ]
    answers = asyncio.run(ask_all(running, asked))
    assert [answer.text for answer in answers if not answer.is_success] == []


def assert_worker_goes_on(running: Running) -> None:
    """What is due is assessed, by the worker that was there before."""
    deadline = time.monotonic() + 60
    query = "{ clients(first: 1) { stale } }"
    while True:
        (answer,) = asyncio.run(ask_all(running, [("POST", "/graphql", {"json": {"query": query}})]))
        if answer.is_success and answer.json()["data"]["clients"]["stale"] == 0:
            return
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)


def test_killed_and_started_again(running: Running):
    before = asyncio.run(ask_all(running, requests()))
    assert all(answer.status_code < 500 for answer in before)
    running.kill()
    try:
        # The key is known yet, and then it is not any more.
        for _ in range(2):
            assert told(asyncio.run(ask_all(running, requests()))) == []
            time.sleep(6)
    finally:
        running.postgres.start()
    assert_served_again(running, "killed")
    assert_worker_goes_on(running)
    assert running.service.process is not None
    assert running.service.process.poll() is None


def test_frozen_and_thawed(running: Running):
    asyncio.run(ask_all(running, requests()))
    with running.frozen():
        answers = asyncio.run(ask_all(running, requests()))
    # A machine that freezes itself may let one or the other through.
    assert [one for one in told(answers) if one[0] >= 500] == []
    assert any(answer.status_code == 503 for answer in answers)
    assert_served_again(running, "frozen")
    assert_worker_goes_on(running)
