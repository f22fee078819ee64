"""Ingest and reads together: python -m benchmarks.together [SECONDS].

A server and a worker; two tenants are asked for scores, explanations and pages, first in quiet, then while events of
one of them come in all the time.
"""

import asyncio
import json
import statistics
import sys
import threading
import time
from collections import defaultdict

from app.embedded import EmbeddedPostgres
from benchmarks.mix import array
from benchmarks.reads import Asker, fill, tenant_of, until_fresh
from tests.service import UNBOUND, Service, running

SECONDS = 60.0
QUIET = 15.0
CLIENTS = 200
SIZE = 500


class Writer(threading.Thread):
    """Sends batches of new events, one after the other, until it is told to end."""

    def __init__(self, asker: Asker, number: int) -> None:
        super().__init__(daemon=True)
        self._asker = asker
        self._first = number * 10_000_000
        self.events = 0
        self.ended = threading.Event()
        self.failure = ""

    def run(self) -> None:
        while not self.ended.is_set():
            first = self._first + self.events
            status, answer = self._asker.send(array(first, SIZE))
            if status != 200 or json.loads(answer)["accepted"] != SIZE:
                self.failure = answer.decode()[:500]
                return
            self.events += SIZE


def asked(askers: dict[str, Asker], seconds: float) -> dict[str, list[float]]:
    """Ask in turn for so long; milliseconds by question."""
    paths = ("/v1/clients/client-{}/score", "/v1/clients/client-{}/explanation", "/v1/clients?limit=50")
    names = ("score", "explanation", "page of 50, by score")
    took: dict[str, list[float]] = defaultdict(list)
    deadline, number = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        for name, path in zip(names, paths, strict=True):
            number += 1
            for whose, asker in askers.items():
                spent, _ = asker.ask(path.format(f"{number % CLIENTS:06}"))
                took[f"{name}, {whose}"].append(spent * 1000)
    return took


def together(service: Service, seconds: float = SECONDS) -> list[str]:
    """The part of `make bench-store`: what was seen, in lines."""
    told = []
    with EmbeddedPostgres(service.home) as postgres:
        url = postgres.url()
        keys = {name: service.key(f"together-{name}") for name in ("beside", "written to")}
        for key in keys.values():
            tenant = asyncio.run(tenant_of(url, key))
            asyncio.run(fill(url.replace("+asyncpg", ""), tenant, CLIENTS))
            asyncio.run(until_fresh(url.replace("+asyncpg", ""), tenant))
        askers = {name: Asker(service, key) for name, key in keys.items()}
        quiet = asked(askers, QUIET)
        writers = [Writer(Asker(service, keys["written to"]), number) for number in range(2)]
        for writer in writers:
            writer.start()
        busy = asked(askers, seconds)
        for writer in writers:
            writer.ended.set()
        for writer in writers:
            writer.join(60)
            assert not writer.failure, writer.failure
        events = sum(writer.events for writer in writers)
        told.append(f"{events / seconds:,.0f} events a second came in beside {sum(map(len, busy.values())):,} reads")
        told.append(f"{'ms':36}   quiet p50     p99    busy p50     p99")
        for name, times in busy.items():
            calm = quiet[name]
            told.append(
                f"{name:36}{statistics.median(calm):12.2f}{_p99(calm):8.2f}"
                f"{statistics.median(times):12.2f}{_p99(times):8.2f}"
            )
    return told


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


if __name__ == "__main__":
    with running(**UNBOUND) as started:
        for line in together(started, float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS):
            print(line, flush=True)
