"""The store, measured beside what Postgres itself can do: `make bench-store`.

python -m benchmarks.store [PART …] [--events N]

One function a part; without a name all parts run, one after the other. Compare numbers of one run only, by their ratio.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import httpx
import psutil

from app.composition import SystemClock
from app.embedded import EmbeddedPostgres
from app.ports.ledger import NewEvent
from app.store.migrate import migrate
from app.wire.cloudevents import EventDecoder
from benchmarks.administrator import administrator_url
from benchmarks.mix import lines
from tests.service import UNBOUND, Service, free_port

ROUNDS = 3
EVENTS = 200_000
TENANT = "00000000-0000-4000-8000-000000000000"
_LIKE = "CREATE TABLE copied (LIKE event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
_PRIMARY_KEY = "ALTER TABLE copied ADD PRIMARY KEY (tenant_id, source, id)"
_PARTS_OF_WORK = ("server", "postgres")


@dataclass
class Bench:
    """A running server with its database, and what is measured of it."""

    service: Service
    database: str
    key: str
    events: int
    sent: int = 0

    def send(self, way: str, connections: int, *, again: bool = False) -> dict[str, float]:
        """Send events that are new, or those of the last sending again."""
        first = self.sent - self.events if again else self.sent
        self.sent = first + self.events
        command = [sys.executable, "-m", "benchmarks.sending", str(self.service.port), self.key, way]
        server, postgres = self._processor()
        done = subprocess.run(
            [*command, *map(str, (connections, first, self.events))], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        found: dict[str, float] = json.loads(done.stdout)
        kind = "duplicate" if again else "accepted"
        if found[kind] != self.events:
            raise RuntimeError(f"expected {self.events} {kind}, got {found}")
        for name, before, after in zip(_PARTS_OF_WORK, (server, postgres), self._processor(), strict=True):
            found[name] = (after - before) / self.events * 1e6
        return found

    def _processor(self) -> tuple[float, float]:
        """Seconds of the processor that the server and all of Postgres have used."""
        assert self.service.process is not None
        server = psutil.Process(self.service.process.pid)
        pid_file = self.service.home / "postgres" / "data" / "postmaster.pid"
        postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
        # Of children that have ended, the parent knows.
        used = sum(postmaster.cpu_times()[:4])
        for one in postmaster.children():
            with suppress(psutil.NoSuchProcess):
                used += sum(one.cpu_times()[:2])
        return sum(server.cpu_times()[:2]), used

    async def do(self, *statements: str) -> None:
        """Run statements as the administrator."""
        connection = await asyncpg.connect(self.database)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


def told(name: str, rates: list[float], against: list[float] | None = None, note: str = "") -> None:
    """Print the median of some rates, and of their ratios to others measured beside them."""
    middle = f"{statistics.median(rates):10,.0f} /s ({min(rates):,.0f} to {max(rates):,.0f})"
    ratio = ""
    if against:
        ratios = [rate / other for rate, other in zip(rates, against, strict=True)]
        ratio = f"  {statistics.median(ratios):5.2f} of COPY ({statistics.median(against):,.0f})"
    print(f"{name:48}{middle:40}{ratio:26}{note}", flush=True)


class Yardstick:
    """COPY by one backend into an empty table like `event`, with its indexes or with the primary key alone."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._rows = _rows(bench.events)

    async def measure(self, *, key_alone: bool = False) -> float:
        """Rows in a second."""
        indexes = [_PRIMARY_KEY] if key_alone else await _indexes(self._bench)
        await self._bench.do("DROP TABLE IF EXISTS copied", _LIKE, *indexes)
        connection = await asyncpg.connect(self._bench.database)
        began = perf_counter()
        await connection.copy_to_table("copied", source=_Chunks(self._rows), format="text")
        took = perf_counter() - began
        await connection.close()
        await self._bench.do("DROP TABLE copied")
        return self._bench.events / took


async def copies(bench: Bench) -> None:
    """The yardstick by itself."""
    yardstick = Yardstick(bench)
    for name, key_alone in (("COPY, all indexes of event (the yardstick)", False), ("COPY, primary key alone", True)):
        told(name, [await yardstick.measure(key_alone=key_alone) for _ in range(ROUNDS)])


async def ingest(bench: Bench) -> None:
    """New events through HTTP, then the same again, each round beside one of COPY."""
    yardstick = Yardstick(bench)
    for name, way, connections in (
        ("batches of 500, 1 connection", "batches", 1),
        ("batches of 500, 4 connections", "batches", 4),
        ("batches of 500, 8 connections", "batches", 8),
        ("batches of 500, 16 connections", "batches", 16),
        ("one NDJSON stream", "stream", 1),
        ("4 NDJSON streams", "stream", 4),
        ("8 NDJSON streams", "stream", 8),
    ):
        copied, found = [], []
        for _ in range(ROUNDS):
            copied.append(await yardstick.measure())
            # As empty as the table that COPY writes to.
            await bench.do("TRUNCATE event, client, checkpoint, put_away, assessment, portfolio_share, portfolio")
            found.append(bench.send(way, connections))
        used = ", ".join(f"{part} {statistics.median(one[part] for one in found):.1f}" for part in _PARTS_OF_WORK)
        told(name, [bench.events / one["seconds"] for one in found], copied, f"us of processor an event: {used}")
    found = [bench.send("batches", 4, again=True) for _ in range(ROUNDS)]
    told("batches of 500, 4 connections, all duplicates", [bench.events / one["seconds"] for one in found])


async def latency(bench: Bench) -> None:
    """One event a request, one after the other."""
    headers = {"Authorization": f"Bearer {bench.key}", "Content-Type": "application/cloudevents+json"}
    async with httpx.AsyncClient(base_url=bench.service.url, headers=headers) as http:
        times = []
        for body in lines(bench.sent, 1_000):
            began = perf_counter()
            answer = await http.post("/v1/events", content=body)
            times.append((perf_counter() - began) * 1000)
            answer.raise_for_status()
    bench.sent += 1_000
    times.sort()
    print(f"{'one event a request':48}{times[500]:10.2f} ms p50 {times[990]:10.2f} ms p99", flush=True)


async def disk(bench: Bench) -> None:
    """What the events sent so far take on disk, and what ten million would."""
    await bench.do("VACUUM ANALYZE event")
    connection = await asyncpg.connect(bench.database)
    count, table = await connection.fetchrow("SELECT count(*), pg_table_size('event') FROM event")
    if not count:
        bench.send("batches", 4)
        count, table = await connection.fetchrow("SELECT count(*), pg_table_size('event') FROM event")
    sizes = {"the table": table}
    for row in await connection.fetch(
        "SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index "
        "WHERE indrelid = 'event'::regclass"
    ):
        sizes[row[0]] = row[1]
    await connection.close()
    print(f"on disk, measured at {count:,} events:")
    for name, size in (*sizes.items(), ("in all", sum(sizes.values()))):
        print(f"  {name:30}{size / count:8.0f} bytes an event{size / count / 100:10.2f} GB for 10 M events", flush=True)


PARTS: dict[str, Callable[[Bench], Coroutine[Any, Any, None]]] = {
    "copies": copies,
    "ingest": ingest,
    "latency": latency,
    "disk": disk,
}


async def _indexes(bench: Bench) -> list[str]:
    connection = await asyncpg.connect(bench.database)
    found = await connection.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = 'event' AND indexdef !~ 'UNIQUE'")
    await connection.close()
    secondary = [f"CREATE INDEX ON copied {row[0].partition(' USING btree ')[2]}" for row in found]
    return [_PRIMARY_KEY, *secondary]


def _rows(count: int) -> list[bytes]:
    """Rows in the text format of COPY, of the events that the server is sent."""
    decoder, now = EventDecoder(SystemClock()), datetime.now(UTC).isoformat()
    rows = []
    for line in lines(0, count):
        one = decoder.structured(line)
        assert isinstance(one, NewEvent)
        data, digest = one.data.replace("\\", "\\\\"), "\\\\x" + one.digest.hex()
        fields = (TENANT, one.source, one.id, one.type, one.client_id, one.time.isoformat(), now, digest, data)
        rows.append("\t".join(fields).encode() + b"\n")
    return rows


class _Chunks:
    def __init__(self, rows: list[bytes]) -> None:
        self._parts: Iterator[bytes] = iter(b"".join(rows[n : n + 500]) for n in range(0, len(rows), 500))

    def __aiter__(self) -> "_Chunks":
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            return part
        raise StopAsyncIteration


@contextmanager
def _bench(events: int) -> Iterator[Bench]:
    """A server alone: a worker would take its part of the processor, and may run elsewhere."""
    with tempfile.TemporaryDirectory(prefix="partwise-bench-") as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres:
            asyncio.run(migrate(postgres.url()))
            url = postgres.service_url().replace("+asyncpg", "")
            service = Service(home, free_port(), database_url=url, kind="serve", settings=UNBOUND)
            service.start()
            try:
                yield Bench(service, administrator_url(postgres, home), service.key("bench"), events)
            finally:
                service.process.terminate() if service.process else None
                service.process.wait(60) if service.process else None


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--events", type=int, default=EVENTS, help="of one sending")
    asked = parser.parse_args()
    with _bench(asked.events) as bench:
        for name in asked.parts or PARTS:
            asyncio.run(PARTS[name](bench))


if __name__ == "__main__":
    main()
