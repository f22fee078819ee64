"""What operators see of real processes: metrics that Prometheus takes, probes, and an end that loses nothing."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.metrics.catalogue import Kind, Process, metrics_of
from tests.cloud_events import STRUCTURED, as_json, cloud_event
from tests.metrics.exposed import OPENMETRICS, Exposed
from tests.postgres import Server
from tests.prometheus import check_metrics
from tests.service import Service, free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

AWAY = "postgresql+asyncpg://nobody:x@127.0.0.1:1/none"


@contextmanager
def worker(database_url: str, folder: Path) -> Iterator[str]:
    """A worker as a process of its own; yields the URL of its port."""
    port = free_port()
    environment = {**os.environ, "DATABASE_URL": database_url, "PARTWISE_METRICS_PORT": str(port)}
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "app", "worker"], env=environment, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(30) == 0, (folder / "worker.log").read_text()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = tmp_path / "home"
    found.mkdir()
    return found


@pytest.fixture
def served(fresh_database_url: str, home: Path) -> Iterator[Service]:
    """A server with a port of operators."""
    settings = {"PARTWISE_METRICS_PORT": str(free_port()), "PARTWISE_DRAIN_DELAY": "3"}
    found = Service(home, free_port(), database_url=fresh_database_url, kind="serve", settings=settings)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def operators_of(service: Service) -> str:
    return f"http://127.0.0.1:{service.settings['PARTWISE_METRICS_PORT']}"


def text_of(url: str, accept: str = "text/plain") -> str:
    return httpx.get(f"{url}/metrics", headers={"Accept": accept}).raise_for_status().text


def post(service: Service, key: str, name: str, **changes: str) -> httpx.Response:
    return httpx.post(
        f"{service.url}/v1/events",
        content=as_json(cloud_event(name, "message.received", **changes)),
        headers={"Authorization": f"Bearer {key}", "Content-Type": STRUCTURED},
        timeout=30,
    )


def answers(url: str, status: int = 200) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url).status_code == status
    return False


def test_metrics_of_a_server_and_a_worker_are_as_prometheus_wants_them(served: Service, tmp_path: Path):
    key = served.key("acme", "ingest,read")
    with worker(served.database_url, tmp_path) as working:
        wait_until(lambda: answers(f"{working}/readyz"))
        assert post(served, key, "one").status_code == 201

        def was_assessed() -> bool:
            found = Exposed.read(text_of(working, OPENMETRICS), openmetrics=True)
            return (
                found["partwise_assessment_lag_seconds_count"] == 1
                and found['partwise_worker_runs_total{outcome="idle",task="look"}'] >= 1
            )

        wait_until(was_assessed, 60)
        found = Exposed.read(text_of(working, OPENMETRICS))
        assert found["partwise_assessed_clients_total"] >= 1
        assert found['partwise_policy_evaluations_total{purpose="worker"}'] >= 1
        assert found['partwise_verdict_changes_total{after="keep",before="none"}'] == 1
        assert found["partwise_unfinished_erasures"] == 0
        assert found["partwise_due_clients"] >= 0
        for task in ("assess", "portfolio", "deliver", "erase", "forget", "look"):
            assert found[f'partwise_worker_last_success_timestamp_seconds{{task="{task}"}}'] > 1e9
        for url, process in ((operators_of(served), Process.SERVER), (working, Process.WORKER)):
            plain = text_of(url)
            assert check_metrics(plain) == "", process
            read = Exposed.read(text_of(url, OPENMETRICS))
            assert {name for name, _ in read.series} == {
                name for name, _ in Exposed.read(plain, openmetrics=False).series
            }
            ours = {name for name, _ in read.series if name.startswith("partwise_")}
            told = [
                (one.name, f"{one.name}_bucket", f"{one.name}_count", f"{one.name}_sum")
                if one.kind is Kind.HISTOGRAM
                else (one.name,)
                for one in metrics_of(process)
            ]
            assert ours == {name for names in told for name in names} - {
                one.name for one in metrics_of(process) if one.kind is Kind.HISTOGRAM
            }
            assert {"process_resident_memory_bytes", "process_start_time_seconds"} <= {name for name, _ in read.series}
            build = next(dict(labels) for name, labels in read.series if name == "partwise_build_info")
            assert set(build) == {"version", "python", "commit"}
        assert httpx.get(f"{served.url}/metrics").status_code == 404
        assert httpx.get(f"{working}/v1/clients").status_code == 404


def test_promtool_finds_what_is_not_as_it_should_be():
    assert "no help text" in check_metrics("# TYPE requests counter\nrequests 1\n")


def test_a_worker_without_a_database_lives_and_is_not_ready(tmp_path: Path):
    with worker(AWAY, tmp_path) as working:
        wait_until(lambda: answers(f"{working}/livez"))
        refused = httpx.get(f"{working}/readyz")
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/database-unavailable")

        def is_told() -> bool:
            found = Exposed.read(text_of(working, OPENMETRICS))
            return found['partwise_worker_runs_total{outcome="unavailable",task="assess"}'] >= 1

        wait_until(is_told)
        found = Exposed.read(text_of(working, OPENMETRICS))
        assert found["partwise_database_up"] == 0
        assert found['partwise_database_errors_total{kind="unavailable"}'] >= 1
        assert found['partwise_worker_last_success_timestamp_seconds{task="assess"}'] == 0


@pytest.mark.parametrize("kind", ["serve", "worker"])
def test_a_port_that_is_taken_is_one_clear_line(served: Service, kind: str):
    port = served.settings["PARTWISE_METRICS_PORT"]
    done = served.run(kind, PORT=str(free_port()), PARTWISE_METRICS_PORT=port)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: port {port} on 127.0.0.1 is taken")
    assert "PARTWISE_METRICS_PORT=" in last
    assert "Traceback" not in done.stderr


class Writer(threading.Thread):
    """Sends one event after the other, each on a connection of its own, until nobody takes any more."""

    def __init__(self, service: Service, key: str, name: str) -> None:
        super().__init__()
        self._service = service
        self._key = key
        self._name = name
        self.acknowledged: set[str] = set()
        self.others: list[str] = []
        self.closed: list[str] = []
        self.is_refused = False

    def run(self) -> None:
        number = 0
        while not self.is_refused:
            number += 1
            name = f"{self._name}-{number}"
            try:
                answer = post(self._service, self._key, name, client=self._name)
            except httpx.ConnectError:
                self.is_refused = True
            except httpx.TransportError as error:
                self.others.append(type(error).__name__)
                self.is_refused = True
            else:
                if answer.status_code == 201:
                    self.acknowledged.add(name)
                    self.closed.append(answer.headers.get("connection", ""))
                else:
                    self.others.append(f"{answer.status_code}")


async def ids_in(url: str) -> set[str]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return {row[0] for row in await connection.fetch("SELECT id FROM event")}
    finally:
        await connection.close()


@dataclass
class HalfSent:
    """A connection on which half of a request was sent, and the other half."""

    connection: socket.socket
    rest: bytes


@contextmanager
def half_sent(service: Service, key: str) -> Iterator[HalfSent]:
    body = as_json(cloud_event("in-flight", "message.received"))
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {STRUCTURED}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:20])
        yield HalfSent(connection, body[20:])


def test_the_end_of_a_server(served: Service, postgres: Server):
    """Probes are told first; then it goes on for a while; then it takes no more, and finishes what it was asked."""
    assert served.process is not None
    key = served.key("acme", "ingest,read")
    assert post(served, key, "warm").status_code == 201
    operators = operators_of(served)
    assert answers(f"{served.url}/readyz")
    assert answers(f"{operators}/readyz")
    with socket.create_connection(("127.0.0.1", served.port)) as idle, half_sent(served, key) as begun:
        ends(served, postgres, key, idle, begun)


def ends(served: Service, postgres: Server, key: str, idle: socket.socket, begun: "HalfSent") -> None:
    assert served.process is not None
    operators = operators_of(served)
    writers = [Writer(served, key, f"w{number}") for number in range(3)]
    for one in writers:
        one.start()

    def all_write() -> bool:
        return all(len(one.acknowledged) > 3 for one in writers)

    wait_until(all_write)
    served.process.send_signal(signal.SIGTERM)
    # It falls first, while all goes on.
    wait_until(lambda: answers(f"{operators}/readyz", 503))
    refused = httpx.get(f"{served.url}/readyz")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/not-ready")
    assert refused.headers["connection"] == "close"
    assert Exposed.read(text_of(operators, OPENMETRICS))["partwise_ready"] == 0
    assert httpx.get(f"{served.url}/livez").is_success
    known = [len(one.acknowledged) for one in writers]

    def more_was_written() -> bool:
        return all(len(one.acknowledged) > before for one, before in zip(writers, known, strict=True))

    wait_until(more_was_written)

    def nothing_is_taken() -> bool:
        return all(one.is_refused for one in writers)

    wait_until(nothing_is_taken)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/livez")
    # What has begun is still answered, and operators still see it.
    assert served.process.poll() is None
    assert answers(f"{operators}/readyz", 503)
    begun.connection.sendall(begun.rest)
    answer = begun.connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"connection: close" in answer
    idle.settimeout(20)
    assert idle.recv(1) == b"", "a connection at rest ends"
    assert served.process.wait(30) == 0
    for one in writers:
        one.join()
        assert one.others == [], "nobody is cut off"
        assert one.closed[-1] == "close"
    acknowledged = {"warm", "in-flight"}.union(*(one.acknowledged for one in writers))
    stored = asyncio.run(ids_in(postgres.administrator_url(served.database_url.rpartition("/")[2])))
    assert acknowledged - stored == set(), "no acknowledged write is lost"


def test_a_server_that_waits_for_nothing_ends_at_once(fresh_database_url: str, home: Path):
    service = Service(home, free_port(), database_url=fresh_database_url, kind="serve")
    service.start()
    assert service.process is not None
    assert Exposed.read(text_of(service.url), openmetrics=False)["partwise_ready"] == 1, "at hand without another port"
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
