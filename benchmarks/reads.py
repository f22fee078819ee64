"""Reads with few clients in the tenant and with many: python -m benchmarks.reads [CLIENTS].

Two tenants in one database, the same kind of clients: a hundred and a hundred thousand. They are put straight into the
store, as nobody sends so much in a test, and the worker of `run` assesses them. Then both are asked in turn.
"""

import asyncio
import hashlib
import http.client
import json
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from app.composition import services_for
from app.embedded import EmbeddedPostgres
from app.settings import Settings
from tests.service import UNBOUND, Service, running

FEW, MANY = 100, 100_000
ROUNDS = 400
BATCH = 20_000

EVENTS = """
    INSERT INTO event (tenant_id, source, id, type, client_id, time, recorded_at, digest, data)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
        $7::timestamptz[], $8::bytea[], $9::text[])
"""
CLIENTS = """
    INSERT INTO client (tenant_id, client_id, created_at, revision, name)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[])
"""

Told = tuple[str, int, dict[str, Any]]
"""A type, days ago, and the data."""


def story(number: int) -> list[Told]:
    """Some months with one client: most pay, some late, a few not at all, and some ask for more."""
    late = (number * 7919) % 40
    invoice = {"amount": 900 + number % 700, "currency": "USD"}
    told: list[Told] = [
        ("client.created", 200, {"name": f"Client {number:06}", "country": "US", "currency": "USD"}),
        ("contract.sent", 199, {}),
        ("time.logged", 150, {"hours": 10 + number % 9}),
        ("invoice.issued", 140, {**invoice, "invoice": "1", "due_date": day(110)}),
        ("time.logged", 90, {"hours": 8 + number % 5}),
        ("invoice.issued", 80, {**invoice, "invoice": "2", "due_date": day(50)}),
    ]
    if number % 5:
        told.append(("contract.signed", 195, {}))
    if number % 11:
        told += [
            ("invoice.paid", 110 - late, {"invoice": "1"}),
            ("invoice.paid", 50 - late, {"invoice": "2"}),
        ]
    if number % 3 == 0:
        told += [("change.requested", 85, {"change": "A", "hours": 3}), ("change.delivered", 82, {"change": "A"})]
    return told


def day(ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).date().isoformat()


def rows(tenant: str, clients: int) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Clients with their events, as rows."""
    now = datetime.now(UTC)
    for number in range(clients):
        client = f"client-{number:06}"
        found = []
        for place, (kind, ago, data) in enumerate(story(number)):
            name, text = f"{number}-{place}", json.dumps(data)
            digest = hashlib.sha256(f"{kind}{client}{text}".encode()).digest()
            found.append((tenant, "/bench", name, kind, client, now - timedelta(days=ago), now, digest, text))
        yield client, found


async def fill(database_url: str, tenant: str, clients: int) -> int:
    """Put a tenant's clients and events into the store; how many events."""
    connection = await connected(database_url, tenant)
    events, people, total = [], [], 0
    try:
        for client, told in rows(tenant, clients):
            events += told
            people.append((tenant, client, told[-1][6], len(told), json.loads(told[0][8])["name"]))
            if len(events) >= BATCH:
                total += await put(connection, events, people)
                events, people = [], []
        total += await put(connection, events, people)
        await tidied(connection, "event", "client")
    finally:
        await connection.close()
    return total


async def put(connection: Any, events: list[tuple[Any, ...]], people: list[tuple[Any, ...]]) -> int:
    async with connection.transaction():
        for statement, found in ((EVENTS, events), (CLIENTS, people)):
            if found:
                await connection.execute(statement, *(list(column) for column in zip(*found, strict=True)), timeout=600)
    return len(events)


async def connected(database_url: str, tenant: str) -> Any:
    """A connection that acts for a tenant."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("SELECT set_config('app.tenant_id', $1, false)", tenant)
    return connection


async def tidied(connection: Any, *tables: str) -> None:
    """As autovacuum would do a while later; where only the owner may, it is passed over with a warning."""
    for table in tables:
        await connection.execute(f"VACUUM ANALYZE {table}", timeout=600)


async def until_fresh(database_url: str, tenant: str) -> tuple[float, float]:
    """Seconds until each client has an assessment, and until all are held against the last portfolio."""
    connection = await connected(database_url, tenant)
    begun, first = time.monotonic(), 0.0
    try:
        while True:
            waiting, missing, portfolios = await connection.fetchrow(
                """
                SELECT (SELECT count(*) FROM client WHERE tenant_id = $1 AND due_at <= now() + interval '2 minutes'),
                    (SELECT count(*) FROM client WHERE tenant_id = $1)
                    - (SELECT count(*) FROM assessment WHERE tenant_id = $1),
                    (SELECT count(*) FROM portfolio
                        WHERE tenant_id = $1 AND number > 0 AND due_at > now() + interval '1 hour')
                """,
                tenant,
            )
            if not first and not missing:
                first = time.monotonic() - begun
            if not waiting and not missing and portfolios:
                return first, time.monotonic() - begun
            await asyncio.sleep(0.5)
    finally:
        await tidied(connection, "client", "assessment")
        await connection.close()


class Asker:
    """One connection, kept open, for one tenant."""

    def __init__(self, service: Service, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def send(self, body: bytes) -> tuple[int, bytes]:
        """Send a batch of events; the status and the answer."""
        headers = {**self._headers, "Content-Type": "application/cloudevents-batch+json"}
        self._connection.request("POST", "/v1/events", body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def ask(self, path: str, body: str | None = None) -> tuple[float, dict[str, Any]]:
        """Seconds, and the answer."""
        begun = time.perf_counter()
        self._connection.request("GET" if body is None else "POST", path, body, self._headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        took = time.perf_counter() - begun
        assert answer.status == 200, raw
        return took, json.loads(raw)


def graphql(query: str) -> tuple[str, str]:
    return "/graphql", json.dumps({"query": query})


def questions() -> dict[str, Any]:
    """What is asked, by a number that goes round."""
    page = "edges { cursor node { clientId name score { score verdict leadingSign } } } stale"
    return {
        "score of one client": lambda n: (f"/v1/clients/client-{n % FEW:06}/score", None),
        "page of 50, by score": lambda n: ("/v1/clients?limit=50", None),
        "page of 50 who are to part": lambda n: ("/v1/clients?limit=50&verdict=part", None),
        "page of 50, GraphQL": lambda n: graphql(f"{{ clients(first: 50) {{ {page} }} }}"),
        "the same, by change": lambda n: graphql(f"{{ clients(first: 50, orderBy: {{by: CHANGE}}) {{ {page} }} }}"),
        "the same, with totalCount": lambda n: graphql(f"{{ clients(first: 50) {{ {page} totalCount }} }}"),
    }


def measure(few: Asker, many: Asker) -> list[str]:
    """Ask both in turn, and say how long each takes."""
    told = []
    for name, asked in questions().items():
        took: dict[str, list[float]] = {"few": [], "many": []}
        for number in range(ROUNDS + 20):
            for which, asker in (("few", few), ("many", many)):
                seconds, answer = asker.ask(*asked(number))
                if number >= 20:
                    took[which].append(seconds * 1000)
                assert '"stale": 0' in json.dumps(answer) or "score" in answer, answer
        p50 = {which: statistics.median(found) for which, found in took.items()}
        p99 = {which: statistics.quantiles(found, n=100)[98] for which, found in took.items()}
        told.append(
            f"{name:28} {p50['few']:7.2f} {p99['few']:7.2f} {p50['many']:8.2f} {p99['many']:7.2f}"
            f"   x{p50['many'] / p50['few']:.2f}  x{p99['many'] / p99['few']:.2f}"
        )
    return told


def reads(service: Service, clients: int = MANY) -> None:
    """The part of `make bench-store`: print how reads depend on the number of clients in the tenant."""
    with EmbeddedPostgres(service.home) as postgres:
        url = postgres.url()
        plain = url.replace("+asyncpg", "")
        keys = {name: service.key(f"reads-{name}") for name in ("few", "many")}
        for name, count in (("few", FEW), ("many", clients)):
            tenant = asyncio.run(tenant_of(url, keys[name]))
            begun = time.monotonic()
            events = asyncio.run(fill(plain, tenant, count))
            filled = time.monotonic() - begun
            first, fresh = asyncio.run(until_fresh(plain, tenant))
            print(
                f"{count} clients, {events} events: put in {filled:.0f} s; the worker had assessed each after "
                f"{first:.0f} s, and all against the last portfolio after {fresh:.0f} s"
            )
        print(f"{'ms':28} {FEW:>7} clients {clients:>10} clients\n{'':28}     p50     p99      p50     p99   ratios")
        for line in measure(*(Asker(service, keys[name]) for name in ("few", "many"))):
            print(line)


async def tenant_of(database_url: str, key: str) -> str:
    async with services_for(Settings().with_database(database_url)) as services:
        return (await services.keys.authenticate(key)).tenant_id


if __name__ == "__main__":
    with running(**UNBOUND) as started:
        reads(started, int(sys.argv[1]) if len(sys.argv) > 1 else MANY)
