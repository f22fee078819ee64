"""What a server, a worker and Postgres need for a load: python -m benchmarks.size [SECONDS].

Seconds of processor for each thing that is asked for, memory and connections; so it tells how large a machine is to be,
and may be measured on one that does other things too. The table is what docs/operations.md shows.
"""

import asyncio
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from app.embedded import EmbeddedPostgres
from app.store.migrate import migrate
from benchmarks.administrator import administrator_url
from benchmarks.crashes import Process
from tests.service import UNBOUND, Service, free_port

SECONDS = 10.0
AT_ONCE = 16
BATCH = 500
CLIENTS = 1000
MIB = 2**20
STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"

Ask = Callable[[httpx.AsyncClient], Awaitable[int]]


@dataclass
class Usage:
    """Seconds of processor that each has used so far."""

    server: float
    worker: float
    postgres: float

    def since(self, before: "Usage", count: int) -> str:
        """Microseconds for each of so many, as a row of the table has them."""
        pairs = ((self.server, before.server), (self.worker, before.worker), (self.postgres, before.postgres))
        return " | ".join(f"{(after - earlier) / count * 1e6:,.0f}" for after, earlier in pairs)


class Everything:
    """The processes that are measured."""

    def __init__(self, home: Path, server: int, worker: int) -> None:
        self.server, self.worker = psutil.Process(server), psutil.Process(worker)
        self._postmaster = psutil.Process(int((home / "postgres/data/postmaster.pid").read_text().split()[0]))

    def usage(self) -> Usage:
        everybody = [self._postmaster, *self._postmaster.children(recursive=True)]
        return Usage(_seconds(self.server), _seconds(self.worker), sum(map(_seconds, everybody)))

    def memory(self) -> str:
        return f"{self.server.memory_info().rss / MIB:.0f} | {self.worker.memory_info().rss / MIB:.0f}"


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # Of connections that ended, the postmaster has the sum.
    return float(times.user + times.system + times.children_user + times.children_system)


class Load:
    """What is asked for."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def _event(self) -> dict[str, Any]:
        number = next(self._numbers)
        event = {"specversion": "1.0", "id": str(number), "source": "/size", "type": "message.received", "data": {}}
        return {**event, "subject": f"client-{number % CLIENTS}", "time": datetime.now(UTC).isoformat()}

    async def batch(self, http: httpx.AsyncClient) -> int:
        body = json.dumps([self._event() for _ in range(BATCH)])
        (await http.post("/v1/events", content=body, headers={"Content-Type": BATCHED})).raise_for_status()
        return BATCH

    async def single(self, http: httpx.AsyncClient) -> int:
        body = json.dumps(self._event())
        (await http.post("/v1/events", content=body, headers={"Content-Type": STRUCTURED})).raise_for_status()
        return 1

    async def score(self, http: httpx.AsyncClient) -> int:
        (await http.get(f"/v1/clients/client-{next(self._numbers) % CLIENTS}/score")).raise_for_status()
        return 1

    async def page(self, http: httpx.AsyncClient) -> int:
        (await http.get("/v1/clients?limit=50")).raise_for_status()
        return 1


async def _during(seconds: float, http: httpx.AsyncClient, ask: Ask) -> int:
    """Ask for something for so long, many at once; how many there were."""
    ends = asyncio.get_running_loop().time() + seconds

    async def again_and_again() -> int:
        count = 0
        while asyncio.get_running_loop().time() < ends:
            count += await ask(http)
        return count

    return sum(await asyncio.gather(*(again_and_again() for _ in range(AT_ONCE))))


async def _measure(url: str, key: str, found: Everything, database: str, seconds: float) -> list[str]:
    load = Load()
    rows = ["| | server, µs | worker, µs | Postgres, µs |", "|---|---|---|---|"]
    memory = [f"| at rest | {found.memory()} |"]
    headers = {"Authorization": f"Bearer {key}"}
    # What the worker does meanwhile is also what it had not done yet.
    kinds: dict[str, Ask] = {
        f"an event, in batches of {BATCH}": load.batch,
        "an event by itself": load.single,
        "a score": load.score,
        "a page of 50 clients": load.page,
    }
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        for name, ask in kinds.items():
            before = found.usage()
            count = await _during(seconds, http, ask)
            rows.append(f"| {name} | {found.usage().since(before, count)} |")
            memory.append(f"| after {name} | {found.memory()} |")
    connection = await asyncpg.connect(database)
    try:
        used = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'partwise'")
    finally:
        await connection.close()
    return [*rows, "", "| MiB | server | worker |", "|---|---|---|", *memory, "", f"connections of both: {used}"]


def size(seconds: float = SECONDS) -> list[str]:
    """Measure, and tell in lines of Markdown."""
    with tempfile.TemporaryDirectory(prefix="partwise-size-") as folder, EmbeddedPostgres(Path(folder)) as postgres:
        home = Path(folder)
        asyncio.run(migrate(postgres.url()))
        url = postgres.service_url().replace("+asyncpg", "")
        service = Service(home, free_port(), database_url=url, kind="serve", settings=UNBOUND)
        key = service.key("size")
        service.start()
        environment = {**os.environ, "DATABASE_URL": url, "PARTWISE_HOME": folder}
        worker = Process("worker", home, environment)
        try:
            assert service.process is not None
            found = Everything(home, service.process.pid, worker.process.pid)
            return asyncio.run(_measure(service.url, key, found, administrator_url(postgres, home), seconds))
        finally:
            worker.end()
            service.end()


if __name__ == "__main__":
    for line in size(*map(float, sys.argv[1:2])):
        print(line)
