"""What it costs on the hottest route to count and to log: `make bench-overhead`.

python -m benchmarks.overhead [--rounds N] [--requests N] [--part metrics|log] [--ways singles|batches …]

Two servers over one Postgres: one as production has it, with metrics that are scraped and a line in the log for each
request, and one with neither. They take the same events in turn, new ones each time; what one costs is held against
what the other costs in the same round. Only the ratios say something: the median of many short rounds, with the range
in which it is by 95 %, as single rounds differ by more than what is looked for.
"""

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from app.embedded import EmbeddedPostgres
from app.store.migrate import migrate
from tests.service import UNBOUND, Service, free_port

ROUNDS = 60
REQUESTS = 1_000
SCRAPES_EVERY = 15.0
GOAL = 1.05
METRICS = ({"PARTWISE_METRICS": "true"}, {"PARTWISE_METRICS": "false"})
LOG = ({"PARTWISE_LOG_LEVEL": "info"}, {"PARTWISE_LOG_LEVEL": "warning"})
PARTS = {
    # With and without: what the other server lacks.
    "both": (METRICS[0] | LOG[0], METRICS[1] | LOG[1]),
    "metrics": (METRICS[0] | LOG[1], METRICS[1] | LOG[1]),
    "log": (METRICS[1] | LOG[0], METRICS[1] | LOG[1]),
}
WAYS = (
    # Name, way, connections, events of a request, requests of a round in shares of those that are asked for.
    ("single events", "singles", 8, 1, 1.0),
    ("batches of 100", "batches", 4, 100, 0.1),
)


@dataclass
class Measured:
    """One of the two servers."""

    service: Service
    key: str
    sent: int = 0

    def send(self, way: str, connections: int, size: int, requests: int) -> tuple[float, float]:
        """Requests in a second, and microseconds of the server's processor for each."""
        events = size * requests
        numbers = map(str, (connections, self.sent, events, size))
        self.sent += events
        before = self._processor()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sending", str(self.service.port), self.key, way, *numbers],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        found = json.loads(done.stdout)
        if found["accepted"] != events:
            raise RuntimeError(f"expected {events} accepted, got {found}")
        return requests / found["seconds"], (self._processor() - before) / requests * 1e6

    def _processor(self) -> float:
        assert self.service.process is not None
        return sum(psutil.Process(self.service.process.pid).cpu_times()[:2])


@contextmanager
def servers(home: Path, part: str) -> Iterator[tuple[Measured, Measured]]:
    """Both, over one Postgres; the second lacks a part."""

    with EmbeddedPostgres(home) as postgres, ExitStack() as stack:
        asyncio.run(migrate(postgres.url()))
        found = []
        for name, settings in zip(("with", "without"), PARTS[part], strict=True):
            folder = home / name
            folder.mkdir()
            service = Service(
                folder,
                free_port(),
                database_url=postgres.service_url(),
                kind="serve",
                settings=UNBOUND | {"PARTWISE_LOG_FORMAT": "json"} | settings,
            )
            service.start()
            stack.callback(service.end)
            found.append(Measured(service, service.key(name)))
        yield found[0], found[1]


@contextmanager
def scraped(url: str) -> Iterator[None]:
    """Scrape a server for as long as the block lasts, as often as Prometheus usually does."""
    ended = threading.Event()
    headers = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}

    def scrape() -> None:
        while not ended.wait(SCRAPES_EVERY):
            httpx.get(f"{url}/metrics", headers=headers).raise_for_status()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Measure both in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="single events of a round")
    parser.add_argument("--part", choices=PARTS, default="both", help="what the other server lacks")
    parser.add_argument("--ways", nargs="*", choices=[way for _, way, *_ in WAYS], help="all unless told otherwise")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="partwise-bench-") as folder,
        servers(Path(folder), asked.part) as (one, other),
        scraped(one.service.url) if asked.part != "log" else nullcontext(),
    ):
        for name, way, connections, size, share in WAYS:
            if asked.ways and way not in asked.ways:
                continue
            count = max(int(asked.requests * share), connections)
            for each in (one, other):
                each.send(way, connections, size, count)
            rounds = []
            for number in range(asked.rounds):
                # Who comes second finds a warmer machine and a larger database.
                order = (one, other) if number % 2 else (other, one)
                found = {id(each): each.send(way, connections, size, count) for each in order}
                rounds.append((found[id(one)], found[id(other)]))
            tell(name, rounds)


def tell(name: str, rounds: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    """Print what came out."""
    costs = [with_[1] / without[1] for with_, without in rounds]
    rates = [without[0] / with_[0] for with_, without in rounds]
    middle = [statistics.median(one[at] for one in (pair[side] for pair in rounds)) for side in (0, 1) for at in (0, 1)]
    verdict = "" if statistics.median(costs) <= GOAL else f"  MORE THAN {GOAL}"
    print(
        f"{name:16} processor {middle[1]:8,.0f} to {middle[3]:8,.0f} us a request: "
        f"{statistics.median(costs):5.3f} ({_range(costs)}){verdict}\n"
        f"{'':16} requests  {middle[0]:8,.0f} to {middle[2]:8,.0f} a second:    "
        f"{statistics.median(rates):5.3f} ({_range(rates)})",
        flush=True,
    )


def _range(values: list[float]) -> str:
    """Where the median is by 95 %: between two of the values, by how many of n are below it (binomial)."""
    ordered, count = sorted(values), len(values)
    off = 0.98 * math.sqrt(count)
    low, high = max(0, round(count / 2 - off) - 1), min(count - 1, round(count / 2 + off))
    return f"{ordered[low]:.3f} to {ordered[high]:.3f}"


if __name__ == "__main__":
    main()
