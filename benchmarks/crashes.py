"""Kill the server, a worker and Postgres at random moments under load: python -m benchmarks.crashes [ROUNDS].

Senders send events of some clients, late ones, corrections and repetitions among them, and send again what was not
acknowledged. In the end every acknowledged event is there exactly once, every stored state is what the events come to
(`verify`), and the worker has caught up.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from app.embedded import EmbeddedPostgres
from app.store.migrate import migrate
from benchmarks.administrator import administrator_url
from tests.service import free_port

ROUNDS = 20
SENDERS = 3
CLIENTS = 8
BATCH = 40
LEASE = 5
"""Seconds after which another worker takes over what one had claimed that was killed."""
PATIENCE = 120.0


@dataclass
class Sender:
    """Sends one event after the other of clients of its own, each until it is acknowledged."""

    number: int
    url: str
    key: str
    acknowledged: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    async def run(self, ended: asyncio.Event) -> None:
        rng = random.Random(self.number)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/cloudevents-batch+json"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30) as http:
            while not ended.is_set():
                events = [self._event(rng) for _ in range(BATCH)]
                body = json.dumps(events)
                while not await self._post(http, body):  # noqa: ASYNC110 - it comes back in its own time
                    await asyncio.sleep(0.1)
                if rng.random() < 0.1:
                    await self._post(http, body)

    def _event(self, rng: random.Random) -> dict[str, Any]:
        self.sent += 1
        name, client = f"{self.number}-{self.sent}", f"client-{self.number}-{rng.randrange(CLIENTS)}"
        # One in ten comes late, by up to a year.
        late = timedelta(days=rng.uniform(1, 365)) if rng.random() < 0.1 else timedelta()
        at = datetime.now(UTC) - late
        kind, data = rng.choices(
            [
                ("message.received", {"urgent": rng.random() < 0.1}),
                ("time.logged", {"hours": rng.randrange(1, 9)}),
                ("agreement.made", {"hours": 40, "period": "month"}),
                ("change.requested", {"change": f"C{rng.randrange(50)}", "hours": 3}),
                ("change.approved", {"change": f"C{rng.randrange(50)}"}),
                ("invoice.paid", {"invoice": f"I{rng.randrange(200)}"}),
                (
                    "invoice.issued",
                    {
                        "invoice": f"I{rng.randrange(200)}",
                        "amount": 100,
                        "currency": "USD",
                        "due_date": (at + timedelta(days=14)).date().isoformat(),
                    },
                ),
                ("event.voided", {"source": "/crashes", "id": f"{self.number}-{rng.randrange(1, self.sent + 1)}"}),
            ],
            [40, 20, 1, 8, 4, 12, 12, 2],
        )[0]
        event = {"specversion": "1.0", "id": name, "source": "/crashes", "type": kind, "subject": client}
        return {**event, "time": at.isoformat(), "data": data}

    async def _post(self, http: httpx.AsyncClient, body: str) -> bool:
        try:
            answer = await http.post("/v1/events", content=body)
        except httpx.TransportError as error:
            self.failures[type(error).__name__] += 1
            return False
        if answer.status_code != 200:
            self.failures[str(answer.status_code)] += 1
            assert answer.status_code == 503, answer.text
            return False
        for one in answer.json()["results"]:
            self.outcomes[one["status"]] += 1
            if one["status"] in ("accepted", "duplicate"):
                self.acknowledged.add(one["id"])
        return True


class Process:
    """A command that is started again whenever it was killed."""

    def __init__(self, name: str, home: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._home = home
        self._environment = environment
        self.start()

    def start(self) -> None:
        with (self._home / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", self.name], env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def kill_postgres(home: Path) -> None:
    """As a power cut would: the postmaster, which takes its children with it."""
    pid = int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    psutil.Process(pid).kill()


@contextmanager
def everything(home: Path) -> Iterator[tuple[EmbeddedPostgres, dict[str, Process], str, dict[str, str]]]:
    """Postgres, a server and a worker, each a process of its own; with the server's address and an environment."""
    port = free_port()
    with EmbeddedPostgres(home) as postgres, postgres.watched(lambda line: None):
        asyncio.run(migrate(postgres.url()))
        environment = {
            **os.environ,
            "DATABASE_URL": postgres.service_url().replace("+asyncpg", ""),
            "PARTWISE_HOME": str(home),
            "PORT": str(port),
            "PARTWISE_WORKER_LEASE": str(LEASE),
        }
        processes = {name: Process(name, home, environment) for name in ("serve", "worker")}
        try:
            yield postgres, processes, f"http://127.0.0.1:{port}", environment
        finally:
            for process in processes.values():
                process.end()


async def _load(
    url: str, key: str, processes: dict[str, Process], home: Path, rounds: int
) -> tuple[list[Sender], Counter[str]]:
    senders = [Sender(number, url, key) for number in range(SENDERS)]
    ended = asyncio.Event()
    running = [asyncio.create_task(sender.run(ended)) for sender in senders]
    victims: Counter[str] = Counter()
    for _ in range(rounds):
        await asyncio.sleep(random.uniform(1.0, 3.0))
        victim = random.choice([*processes, "postgres"])
        victims[victim] += 1
        if victim == "postgres":
            kill_postgres(home)
        else:
            await asyncio.to_thread(processes[victim].kill)
        for task in running:
            if task.done():
                task.result()
    await asyncio.sleep(2)
    ended.set()
    await asyncio.wait_for(asyncio.gather(*running), PATIENCE)
    return senders, victims


async def _caught_up(database_url: str) -> float:
    """Seconds until no client is due."""
    began = time.monotonic()
    connection = await asyncpg.connect(database_url)
    try:
        claimed = f"{2 * LEASE} seconds"
        due = f"SELECT count(*) FROM client WHERE due_at <= now() + interval '{claimed}'"
        while left := await connection.fetchval(due):
            assert time.monotonic() - began < PATIENCE, f"{left} clients are due and stay so"
            await asyncio.sleep(0.2)
    finally:
        await connection.close()
    return time.monotonic() - began


async def _stored(database_url: str) -> Counter[str]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT id, count(*) FROM event WHERE source = '/crashes' GROUP BY id")
        return Counter({row[0]: row[1] for row in rows})
    finally:
        await connection.close()


def crashes(rounds: int = ROUNDS) -> list[str]:
    """Crash so many times, and hold what is left to the promises.

    Raises:
        AssertionError: one of them is broken.
    """
    with tempfile.TemporaryDirectory(prefix="partwise-crashes-") as folder, everything(Path(folder)) as found:
        postgres, processes, url, environment = found
        home = Path(folder)
        key = _command(environment, "keys", "create", "--tenant", "crashes", "--scopes", "ingest,read")
        _wait_ready(url)
        database = administrator_url(postgres, home)
        try:
            senders, victims = asyncio.run(_load(url, key, processes, home, rounds))
            behind = asyncio.run(_caught_up(database))
        except AssertionError as error:
            for name in processes:
                error.add_note(f"{name}: " + (home / f"{name}.log").read_text()[-6000:])
            raise
        stored = asyncio.run(_stored(database))
        acknowledged = set().union(*(sender.acknowledged for sender in senders))
        sent = sum(sender.sent for sender in senders)
        assert set(stored.values()) == {1}, "an event is there twice"
        assert acknowledged <= set(stored), "an acknowledged event is not there"
        assert len(stored) == sent == len(acknowledged), "an event was not acknowledged in the end"
        told = _command(environment, "verify")
        failures: Counter[str] = sum((sender.failures for sender in senders), Counter())
        outcomes: Counter[str] = sum((sender.outcomes for sender in senders), Counter())
        return [
            f"{rounds} rounds: {dict(victims)} killed; {sent:,} events sent, {len(stored):,} stored, each once",
            f"answers {dict(outcomes)}; requests that failed and were sent again {dict(failures)}",
            f"the worker had caught up {behind:.1f} s after the last event; verify: {told or 'no difference'}",
        ]


def _command(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "app", *arguments], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def _wait_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server is not ready")


if __name__ == "__main__":
    for line in crashes(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(line)
