"""A rolling restart under load: python -m benchmarks.rolling [ROUNDS [SERVERS]].

Servers behind HAProxy, which asks each for /readyz as Kubernetes does, are replaced in turn by SIGTERM, while events
come singly, in batches and in streams, and answers are read. No request may fail, nothing is sent again, and in the end
every acknowledged event is there exactly once.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from app.embedded import EmbeddedPostgres
from app.store.migrate import migrate
from benchmarks.administrator import administrator_url
from tests.service import UNBOUND, free_port

ROUNDS, SERVERS = 3, 3
DRAIN_DELAY = 2
CHECK_MILLISECONDS = 250
BATCH, LINES = 20, 30
CLIENTS = 6
PATIENCE = 60.0
SENDERS = {"single": 4, "batch": 2, "stream": 2, "read": 3}
STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"

HAPROXY = """
global
    stats socket {socket} mode 600
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout check 6s
    retries 3
    option redispatch
    option httpchk GET /readyz
    default-server inter {check}ms fall 1 rise 1
frontend public
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    balance roundrobin
{servers}
"""


@dataclass
class Server:
    """One server process; `replace` ends it as Kubernetes does, and starts the next one in its place."""

    name: str
    home: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    operators_port: int = field(default_factory=free_port)
    drained: list[float] = field(default_factory=list)

    def start(self) -> None:
        own = {"PORT": str(self.port), "PARTWISE_METRICS_PORT": str(self.operators_port)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve"], env=self.environment | own, stdout=log, stderr=log
            )

    @property
    def log(self) -> Path:
        return self.home / f"{self.name}.log"

    def end(self) -> None:
        """Ask it to end, and wait until it has.

        Raises:
            AssertionError: it did not end well.
        """
        began = time.monotonic()
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.drained.append(time.monotonic() - began)
        assert code == 0, f"{self.name} ended with {code}: {self.log.read_text()[-2000:]}"


class Balancer:
    """HAProxy in front of some servers."""

    def __init__(self, home: Path, servers: list[Server]) -> None:
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "haproxy is not installed (Debian: apt-get install haproxy)"
        self.port = free_port()
        # A path of a socket has room for some hundred characters.
        self._socket = home / "s"
        lines = [f"    server {one.name} 127.0.0.1:{one.port} check port {one.operators_port}" for one in servers]
        configuration = home / "haproxy.cfg"
        configuration.write_text(
            HAPROXY.format(
                socket=self._socket, check=CHECK_MILLISECONDS, port=self.port, servers="\n".join(lines)
            ).lstrip()
        )
        with (home / "haproxy.log").open("wb") as log:
            self._process = subprocess.Popen([program, "-f", str(configuration), "-db"], stdout=log, stderr=log)

    def _stand(self) -> dict[str, str]:
        """How each server stands, by its name."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self._socket))
            asked.sendall(b"show stat\n")
            text = b"".join(iter(lambda: asked.recv(65536), b"")).decode()
        header, *rows = [line.split(",") for line in text.lstrip("# ").splitlines() if line]
        found = (dict(zip(header, row, strict=False)) for row in rows)
        return {row["svname"]: row["status"] for row in found if row["pxname"] == "servers"}

    async def until_it_sends_to(self, name: str) -> None:
        """Wait until a server gets requests."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self._stand().get(name, "").startswith("UP"):
                    return
            except OSError:
                pass  # it begins
            assert time.monotonic() < deadline, f"{name} is not ready"
            await asyncio.sleep(0.1)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)


@dataclass
class Load:
    """What is sent meanwhile, and what became of it."""

    url: str
    key: str
    requests: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)
    sent: int = 0

    async def run(self, ended: asyncio.Event) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=PATIENCE, limits=limits) as http:
            kinds: dict[str, Callable[[httpx.AsyncClient], Awaitable[None]]] = {
                "single": self._single,
                "batch": self._batch,
                "stream": self._stream,
                "read": self._read,
            }
            for _ in range(CLIENTS):
                await self._single(http)
            async with asyncio.TaskGroup() as group:
                for kind, senders in SENDERS.items():
                    for _ in range(senders):
                        group.create_task(self._again_and_again(kind, kinds[kind], http, ended))

    async def _again_and_again(
        self,
        kind: str,
        send: Callable[[httpx.AsyncClient], Awaitable[None]],
        http: httpx.AsyncClient,
        ended: asyncio.Event,
    ) -> None:
        while not ended.is_set():
            began = time.monotonic()
            self.requests[kind] += 1
            try:
                await send(http)
            except (httpx.HTTPError, AssertionError) as error:
                self.failures.append(f"{datetime.now(UTC):%H:%M:%S.%f} {kind}: {type(error).__name__}: {error}"[:300])
            self.slowest[kind] = max(self.slowest.get(kind, 0), time.monotonic() - began)
            # Some requests a second each: what is looked for is a gap, not a record.
            await asyncio.sleep(0.01)

    def _event(self) -> dict[str, Any]:
        self.sent += 1
        event = {"specversion": "1.0", "id": str(self.sent), "source": "/rolling", "type": "message.received"}
        return {**event, "subject": f"client-{self.sent % CLIENTS}", "time": datetime.now(UTC).isoformat(), "data": {}}

    async def _single(self, http: httpx.AsyncClient) -> None:
        event = self._event()
        self._note(
            [event], await http.post("/v1/events", content=json.dumps(event), headers={"Content-Type": STRUCTURED})
        )

    async def _batch(self, http: httpx.AsyncClient) -> None:
        events = [self._event() for _ in range(BATCH)]
        answer = await http.post("/v1/events", content=json.dumps(events), headers={"Content-Type": BATCHED})
        self._note(events, answer)
        assert {one["status"] for one in answer.json()["results"]} == {"accepted"}, answer.text

    async def _stream(self, http: httpx.AsyncClient) -> None:
        events = [self._event() for _ in range(LINES)]

        async def lines() -> AsyncIterator[bytes]:
            for event in events:
                yield json.dumps(event).encode() + b"\n"
                await asyncio.sleep(0.05)

        headers = {"Content-Type": "application/x-ndjson"}
        answer = await http.post("/v1/events", content=lines(), headers=headers)
        told = [json.loads(line) for line in answer.text.splitlines()]
        assert [one.get("status") for one in told[:-1]] == ["accepted"] * LINES, answer.text[-500:]
        self._note(events, answer)

    async def _read(self, http: httpx.AsyncClient) -> None:
        client = f"client-{self.sent % CLIENTS}"
        for answer in (
            await http.get(f"/v1/clients/{client}/score"),
            await http.get("/v1/clients"),
            await http.post("/graphql", json={"query": "{ events(first: 1) { edges { node { eventId } } } }"}),
        ):
            assert answer.status_code == 200, f"{answer.request.url.path}: {answer.status_code} {answer.text}"
        self.requests["read"] += 2

    def _note(self, events: list[dict[str, Any]], answer: httpx.Response) -> None:
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        self.acknowledged += [event["id"] for event in events]


@contextmanager
def _everything(home: Path, servers: int) -> Iterator[tuple[str, str, list[Server], Balancer]]:
    """Postgres, servers and HAProxy: the administrator's address, a key, the servers and the balancer."""
    with EmbeddedPostgres(home) as postgres:
        asyncio.run(migrate(postgres.url()))
        environment = {
            **os.environ,
            **UNBOUND,
            "DATABASE_URL": postgres.service_url().replace("+asyncpg", ""),
            "PARTWISE_HOME": str(home),
            "PARTWISE_DRAIN_DELAY": str(DRAIN_DELAY),
        }
        made = subprocess.run(
            [sys.executable, "-m", "app", "keys", "create", "--tenant", "rolling", "--scopes", "ingest,read"],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        found = [Server(f"server-{number}", home, environment) for number in range(servers)]
        for server in found:
            server.start()
        balancer = Balancer(home, found)
        try:
            yield administrator_url(postgres, home), made.stdout.strip(), found, balancer
        finally:
            balancer.end()
            for server in found:
                if server.process.poll() is None:
                    server.process.terminate()
                    server.process.wait(PATIENCE)


async def _roll(load: Load, servers: list[Server], balancer: Balancer, rounds: int) -> float:
    """Replace each server so many times, one after the other; how many seconds that took."""
    for server in servers:
        await balancer.until_it_sends_to(server.name)
    ended = asyncio.Event()
    running = asyncio.create_task(load.run(ended))
    began = time.monotonic()
    for _ in range(rounds):
        for server in servers:
            await asyncio.sleep(1)
            await asyncio.to_thread(server.end)
            server.start()
            await balancer.until_it_sends_to(server.name)
    took = time.monotonic() - began
    await asyncio.sleep(1)
    ended.set()
    await asyncio.wait_for(running, PATIENCE)
    return took


async def _stored(database_url: str) -> Counter[str]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT id, count(*) FROM event WHERE source = '/rolling' GROUP BY id")
        return Counter({row[0]: row[1] for row in rows})
    finally:
        await connection.close()


def rolling(rounds: int = ROUNDS, servers: int = SERVERS) -> list[str]:
    """Replace every server so many times under load, and hold what happened to the promises.

    Raises:
        AssertionError: one of them is broken.
    """
    with tempfile.TemporaryDirectory(prefix="partwise-rolling-") as folder:
        with _everything(Path(folder), servers) as (database, key, found, balancer):
            load = Load(f"http://127.0.0.1:{balancer.port}", key)
            took = asyncio.run(_roll(load, found, balancer, rounds))
            stored = asyncio.run(_stored(database))
        drained = [seconds for server in found for seconds in server.drained]
        logs = "".join(server.log.read_text() for server in found)
    total = sum(load.requests.values())
    assert not load.failures, f"{len(load.failures)} of {total} requests failed: " + "; ".join(load.failures[:5])
    assert len(load.acknowledged) == len(set(load.acknowledged)) == load.sent
    assert set(stored.values()) == {1}, "an event is there twice"
    assert set(load.acknowledged) == set(stored), "an acknowledged event is not there, or one that was not is"
    assert "Traceback" not in logs, logs[-3000:]
    assert min(drained) >= DRAIN_DELAY, "a server did not wait until it was noticed"
    times = f"each drained in {min(drained):.1f} to {max(drained):.1f} s"
    slowest = "the slowest " + ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in load.slowest.items())
    counts = f"{total:,} requests {dict(load.requests)}, {len(load.failures)} failed, {slowest}"
    return [
        f"{len(drained)} replacements of {servers} servers in {took:.0f} s, {times}: {counts}",
        f"{load.sent:,} events acknowledged, {len(stored):,} stored, each once",
    ]


if __name__ == "__main__":
    for line in rolling(*map(int, sys.argv[1:3])):
        print(line)
