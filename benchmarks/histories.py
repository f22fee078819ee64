"""Reads of clients with short and with long histories: python -m benchmarks.histories [EVENTS …].

One tenant for each length in one database: a client with so many events of every common type over two years, beside
sixty with a few. They are put straight into the store, and the worker of `run` assesses them. Then all are asked in
turn, so that whatever else the machine does meets each alike.
"""

import asyncio
import hashlib
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from app.embedded import EmbeddedPostgres
from benchmarks.reads import Asker, connected, put, tenant_of, tidied, until_fresh
from benchmarks.relationship import relationship
from tests.service import UNBOUND, Service, running

LENGTHS = (100, 10_000, 1_000_000)
OTHERS = 60
FEW = 20
ROUNDS = 300
_BATCH = 20_000
_encode = msgspec.json.Encoder(order="deterministic").encode

QUESTIONS = {
    "score": "/v1/clients/long/score",
    "explanation": "/v1/clients/long/explanation",
    "page of 50, by score": "/v1/clients?limit=50",
    "score half a year ago": "/v1/clients/long/score?as_of=",
    "timeline, newest 50": "/v1/clients/long/timeline",
}


async def fill(database_url: str, tenant: str, events: int) -> None:
    """Copy a client with so many events, and some with few."""
    connection = await connected(database_url, tenant)
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        for client, count in [("long", events), *((f"client-{number:02}", FEW) for number in range(OTHERS))]:
            rows: list[tuple[Any, ...]] = []
            # As many invoices are open at a time, however many there are in all: what is open is listed.
            for event in relationship(count, now, min(1.0, 1_000 / count)):
                data = _encode(event.data)
                name = f"{client}-{event.id}"
                digest = hashlib.sha256(data + name.encode()).digest()
                rows.append((tenant, "/bench", name, event.type, client, event.time, now, digest, data.decode()))
                if len(rows) == _BATCH:
                    await put(connection, rows, [])
                    rows = []
            await put(connection, rows, [(tenant, client, now, count, client)])
        await tidied(connection, "event", "client")
    finally:
        await connection.close()


def measure(askers: dict[int, Asker], rounds: int) -> list[str]:
    """Ask for all lengths in turn, and say how long each takes."""
    told = []
    before = datetime.now(UTC).date().replace(day=1).replace(month=(datetime.now(UTC).month + 5) % 12 + 1)
    before = before.replace(year=before.year - 1) if before > datetime.now(UTC).date() else before
    for name, path in QUESTIONS.items():
        asked = path + before.isoformat() if path.endswith("=") else path
        took: dict[int, list[float]] = {length: [] for length in askers}
        for number in range(rounds + 20):
            for length, asker in askers.items():
                seconds, _ = asker.ask(asked)
                if number >= 20:
                    took[length].append(seconds * 1000)
        shown = [(statistics.median(one), statistics.quantiles(one, n=100)[98]) for one in took.values()]
        figures = "".join(f"{p50:10.2f}{p99:8.2f}" for p50, p99 in shown)
        told.append(f"{name:24}{figures}   x{shown[-1][0] / shown[0][0]:.2f}  x{shown[-1][1] / shown[0][1]:.2f}")
    return told


def histories(service: Service, lengths: Sequence[int] = LENGTHS, rounds: int = ROUNDS) -> None:
    """The part of `make bench-store`: print how reads depend on the length of a client's history."""
    with EmbeddedPostgres(service.home) as postgres:
        url = postgres.url()
        plain = url.replace("+asyncpg", "")
        askers = {}
        for length in lengths:
            name = f"history-{length}"
            key = service.key(name)
            askers[length] = Asker(service, key)
            tenant = asyncio.run(tenant_of(url, key))
            begun = time.monotonic()
            asyncio.run(fill(plain, tenant, length))
            filled = time.monotonic() - begun
            _, fresh = asyncio.run(until_fresh(plain, tenant))
            print(f"{length:,} events: put in {filled:.0f} s, assessed by the worker within {fresh:.0f} s", flush=True)
        for line in asyncio.run(_sizes(plain)):
            print(line)
        print(f"{'ms':24}" + "".join(f"{length:>11,} events" for length in lengths))
        print(f"{'':24}" + "       p50     p99" * len(lengths) + "   last by first")
        for line in measure(askers, rounds):
            print(line, flush=True)


async def _sizes(database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT relname, pg_total_relation_size(oid) AS bytes, reltuples FROM pg_class "
            "WHERE relname IN ('event', 'checkpoint', 'put_away') ORDER BY relname"
        )
        return [f"{row['relname']}: {row['bytes'] / 2**20:,.0f} MiB, {row['reltuples']:,.0f} rows" for row in rows]
    finally:
        await connection.close()


if __name__ == "__main__":
    with running(**UNBOUND) as started:
        histories(started, tuple(map(int, sys.argv[1:])) or LENGTHS)
