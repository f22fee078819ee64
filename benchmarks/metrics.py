"""Portfolio metrics with few clients in the tenant and with many: python -m benchmarks.metrics [CLIENTS] [ROUNDS].

Two tenants in one database, with a hundred and a hundred thousand clients, whose assessments are stored as a worker
stores them, so that the sums come about as they do in life. Then both are asked in turn. At last all is counted anew,
as `verify` does, which is what an answer would cost without the sums.
"""

import asyncio
import http.client
import random
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from app.core.course import assessment_at
from app.core.money import Money
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import portfolio_of
from app.core.snapshot import Snapshot
from app.core.tally import tally_of
from app.core.verdict import Verdict
from app.embedded import EmbeddedPostgres
from app.ports.assessments import Made
from app.store.assessments import PostgresAssessments
from app.store.engine import make_engine
from app.store.reads import Reads
from app.store.tallies import PostgresTallies
from app.wire.assessments import PackedAssessments
from benchmarks.reads import connected, tenant_of, tidied
from tests.service import UNBOUND, Service, running

FEW, MANY, ROUNDS = 100, 100_000, 1_000
WARM = 50
BATCH = 100
LATER = datetime(2199, 1, 1, tzinfo=UTC)
# Nobody is due: the worker is to leave them as they are.
CLIENTS = """
    INSERT INTO client (tenant_id, client_id, created_at, revision, name, due_at)
    SELECT $1::text, client_id, $3::timestamptz, 1, client_id, $4::timestamptz FROM unnest($2::text[]) AS client_id
"""
T = TypeVar("T")
OPEN_METRICS = "application/openmetrics-text"
ASKED = (
    ("JSON", "/v1/metrics", "application/json", False),
    ("JSON, 100 clients one by one", "/v1/metrics?top=100", "application/json", False),
    ("OpenMetrics", "/v1/metrics", OPEN_METRICS, False),
    ("nothing new (304)", "/v1/metrics", "application/json", True),
)


def batched(found: Iterable[T], size: int) -> Iterator[list[T]]:
    """So many at a time."""
    rest = iter(found)
    while some := list(islice(rest, size)):
        yield some


def made(clients: int) -> Iterator[Made]:
    """Assessments of all kinds."""
    chance = random.Random(7)
    now = datetime.now(UTC)
    plain = assessment_at([], DEFAULT_POLICY, portfolio_of({}, DEFAULT_POLICY), now)
    verdicts = list(Verdict)
    for number in range(clients):
        score, verdict = chance.uniform(0, 100), verdicts[min(int(chance.expovariate(1)), 3)]
        signs = tuple(replace(one, decibans=chance.uniform(-5, 15)) for one in plain.signs)
        one = replace(plain, score=score, verdict=verdict, signs=signs)
        risk = {chance.choice(("EUR", "USD", "GBP")): Decimal(chance.randrange(100_000)) / 100} if number % 3 else {}
        found = Snapshot(one, chance.uniform(-9, 9), risk, Money(Decimal(chance.randrange(90_000)) / 100, "USD"))
        yield Made(f"client-{number:06}", 1, 0, LATER, found.change, one, tally_of(found))


async def fill(database_url: str, tenant: str, clients: int) -> float:
    """Store a tenant's clients and their assessments; seconds that the assessments took."""
    plain = database_url.replace("+asyncpg", "")
    connection = await connected(plain, tenant)
    now = datetime.now(UTC)
    engine, reads = make_engine(database_url, 8), Reads(database_url, 2)
    assessments = PostgresAssessments(engine, reads, PackedAssessments())
    try:
        for numbers in batched(range(clients), 10_000):
            await connection.execute(CLIENTS, tenant, [f"client-{number:06}" for number in numbers], now, LATER)
        begun = time.monotonic()
        for some in batched(made(clients), 8 * BATCH):
            await asyncio.gather(*(assessments.keep(tenant, part) for part in batched(some, BATCH)))
        took = time.monotonic() - begun
        await tidied(connection, "client", "assessment", "tally_sum", "tally_slot", "verdict_change")
        return took
    finally:
        await connection.close()
        await reads.close()
        await engine.dispose()


async def counted(database_url: str, tenant: str) -> float:
    """Milliseconds that it takes to count all anew, as it turns out to be the same."""
    engine, reads = make_engine(database_url, 1), Reads(database_url, 1)
    try:
        begun = time.perf_counter()
        assert await PostgresTallies(engine, reads).differences(tenant) == {}
        return (time.perf_counter() - begun) * 1000
    finally:
        await reads.close()
        await engine.dispose()


class Asker:
    """One connection, kept open, for one tenant."""

    def __init__(self, service: Service, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        self._key = key
        self._tags: dict[tuple[str, str], str] = {}

    def ask(self, path: str, media: str, *, again: bool) -> float:
        """Milliseconds of one question."""
        headers = {"Authorization": f"Bearer {self._key}", "Accept": media}
        if again and (path, media) in self._tags:
            headers["If-None-Match"] = self._tags[path, media]
        begun = time.perf_counter()
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        answer.read()
        took = (time.perf_counter() - begun) * 1000
        assert answer.status == (304 if "If-None-Match" in headers else 200), answer.status
        self._tags[path, media] = answer.headers["ETag"]
        return took


def metrics(service: Service, clients: int = MANY, rounds: int = ROUNDS) -> None:
    """Print how long each form takes with few clients and with many."""
    with EmbeddedPostgres(service.home) as postgres:
        url = postgres.url()
        askers, tenants = {}, {}
        for name, count in (("few", FEW), ("many", clients)):
            key = service.key(f"metrics-{name}", "metrics,read")
            tenants[name] = asyncio.run(tenant_of(url, key))
            took = asyncio.run(fill(url, tenants[name], count))
            print(f"{count} clients: their assessments were stored in {took:.1f} s, {count / took:.0f} a second")
            askers[name] = Asker(service, key)
        print(f"{'ms':30} {FEW:>7} clients {clients:>10} clients\n{'':30}     p50     p99      p50     p99   ratios")
        for name, path, media, again in ASKED:
            told: dict[str, list[float]] = {which: [] for which in askers}
            for number in range(rounds + WARM):
                for which, asker in askers.items():
                    took = asker.ask(path, media, again=again)
                    if number >= WARM:
                        told[which].append(took)
            p50 = {which: statistics.median(found) for which, found in told.items()}
            p99 = {which: statistics.quantiles(found, n=100)[98] for which, found in told.items()}
            print(
                f"{name:30} {p50['few']:7.2f} {p99['few']:7.2f} {p50['many']:8.2f} {p99['many']:7.2f}"
                f"   x{p50['many'] / p50['few']:.2f}  x{p99['many'] / p99['few']:.2f}"
            )
        anew = {which: asyncio.run(counted(url, tenant)) for which, tenant in tenants.items()}
        print(f"{'counted anew, as verify does':30} {anew['few']:7.2f} {'':7} {anew['many']:8.2f}")


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    with running(**UNBOUND) as started:
        metrics(started, *numbers)
