"""Our GraphQL beside PostGraphile (npm) over the same database, our own REST and a bare FastAPI: `make bench-graphql`.

python -m benchmarks.graphql [SECONDS]

All of them run at once and are asked in turn, so that a busy machine is busy for all; numbers are medians of rounds.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from app.embedded import EmbeddedPostgres
from benchmarks.load import CONNECTIONS, Request, rate, tool
from tests.node import installed, node_environment
from tests.service import UNBOUND, Service, free_port, running

ROUNDS = 3
SECONDS = 5.0
CLIENTS = 1_000
TENANT = "bench"
BESIDE = Path(__file__).with_name("postgraphile")

FIELDS = "id clientId name country currency timeZone createdAt"
ONE = "one client × 8 fields"
PAGE = "50 clients × 8 fields"


def events() -> list[dict[str, Any]]:
    """A thousand clients of whom everything is known, with some work and an invoice each."""
    places = [("DE", "EUR", "Europe/Berlin"), ("US", "USD", "America/New_York"), ("JP", "JPY", "Asia/Tokyo")]
    found = []
    for number in range(CLIENTS):
        country, currency, zone = places[number % len(places)]
        profile = {"name": f"Client {number:04}", "country": country, "currency": currency, "time_zone": zone}
        invoice = {"invoice": f"I-{number}", "amount": 1000 + number, "currency": currency, "due_date": "2026-02-01"}
        for kind, data in (
            ("client.created", profile),
            ("contract.signed", {}),
            ("time.logged", {"hours": 8}),
            ("invoice.issued", invoice),
        ):
            event = {"specversion": "1.0", "id": f"{number}-{kind}", "source": "/bench", "type": kind, "data": data}
            found.append({**event, "subject": f"client-{number:04}", "time": "2026-01-01T09:00:00Z"})
    return found


def load(service: Service, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
    made = events()
    for start in range(0, len(made), 500):
        body = json.dumps(made[start : start + 500]).encode()
        httpx.post(f"{service.url}/v1/events", content=body, headers=headers, timeout=60).raise_for_status()


async def tenant_id(database_url: str) -> str:
    """The tenant's id in the database, whose statistics are brought up to date for whoever plans a query."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("analyze")
        return str(await connection.fetchval("select tenant_by_name($1)", TENANT))
    finally:
        await connection.close()


@contextmanager
def process(command: list[str], url: str, **environment: str) -> Iterator[str]:
    """A server beside ours, once it answers."""
    with subprocess.Popen(command, env={**node_environment(), **environment}) as running_now:
        try:
            for _ in range(300):
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield url
        finally:
            running_now.terminate()


def graphql(url: str, key: str, query: str, **variables: str) -> Request:
    return Request(url, key, json.dumps({"query": query, "variables": variables}))


def once(request: Request) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {request.key}", "Content-Type": "application/json"}
    method = "GET" if request.body is None else "POST"
    answer = httpx.request(method, request.url, content=request.body, headers=headers, timeout=60)
    assert answer.is_success, answer.text
    found = dict(answer.json())
    assert not found.get("errors"), found
    return found


def rows(answer: dict[str, Any]) -> list[tuple[object, ...]]:
    """What an answer says of clients, without what each server names in its own way (the global id)."""
    (found,) = answer["data"].values()
    nodes = [edge["node"] for edge in found["edges"]] if "edges" in found else [found]
    return [
        (
            *(node[name] for name in ("clientId", "name", "country", "currency", "timeZone")),
            datetime.fromisoformat(node["createdAt"]),
            int(node["events"]),
        )
        for node in nodes
    ]


def contenders(stack: ExitStack) -> dict[str, dict[str, Request]]:
    """What is asked of whom, read by read."""
    service = stack.enter_context(running(**UNBOUND))
    key = service.key(TENANT)
    load(service, key)
    postgres = stack.enter_context(EmbeddedPostgres(service.home))
    database_url = postgres.url().replace("+asyncpg", "")
    tenant = asyncio.run(tenant_id(database_url))
    port = str(free_port())
    beside = f"http://127.0.0.1:{port}/graphql"
    # As the service works: under the same role and row-level security.
    service_url = postgres.service_url().replace("+asyncpg", "")
    command = installed(BESIDE).command("serve.mjs", service_url, port, tenant)
    stack.enter_context(process(command, beside, NODE_ENV="production", GRAPHILE_ENV="production"))
    port = str(free_port())
    hello = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "uvicorn", "benchmarks.hello:app", "--no-access-log", "--port", port]
    stack.enter_context(process([*command, "--log-level", "warning"], hello))

    ours = f"{service.url}/graphql"
    edges = f"edges {{ node {{ {FIELDS} events: %s }} }}"
    return {
        ONE: {
            "ours": graphql(
                ours,
                key,
                f"query One($id: String!) {{ client(clientId: $id) {{ {FIELDS} events: eventCount }} }}",
                id="client-0500",
            ),
            "PostGraphile": graphql(
                beside,
                key,
                "query One($tenant: String!, $id: String!) { clientByTenantIdAndClientId(tenantId: $tenant, "
                f"clientId: $id) {{ {FIELDS} events: revision }} }}",
                tenant=tenant,
                id="client-0500",
            ),
            "our REST": Request(f"{service.url}/v1/clients/client-0500", key),
            "FastAPI hello": Request(hello, key),
        },
        PAGE: {
            "ours": graphql(
                ours,
                key,
                f"query Page {{ clients(first: 50, orderBy: {{by: NAME}}) {{ {edges % 'eventCount'} }} }}",
            ),
            "PostGraphile": graphql(
                beside,
                key,
                "query Page($tenant: String!) { allClients(first: 50, orderBy: NAME_ASC, "
                f"condition: {{tenantId: $tenant}}) {{ {edges % 'revision'} }} }}",
                tenant=tenant,
            ),
            # Its only order is by score, as of a given day it is asked again from memory.
            "our REST": Request(f"{service.url}/v1/clients?limit=50&as_of=2026-02-01", key),
        },
    }


def main(seconds: float) -> None:
    with ExitStack() as stack:
        asked = contenders(stack)
        for read, requests in asked.items():
            mine, theirs = rows(once(requests["ours"])), rows(once(requests["PostGraphile"]))
            assert mine == theirs, f"{read}: the answers differ: {mine[:2]} {theirs[:2]}"
        print(
            f"{CONNECTIONS} connections by {tool()}, {ROUNDS} rounds of {seconds:.0f} s; answers in a second",
            flush=True,
        )
        names = list(asked[ONE])
        heads = [*names, "ours/PostGraphile", "ours/REST"]
        print(f"{'':24}" + "".join(f"{head:>19}" for head in heads), flush=True)
        for read, requests in asked.items():
            for request in requests.values():
                once(request)
                # Just-in-time compilers take seconds to find what is worth their while.
                rate(request, seconds)
            rates: dict[str, list[float]] = {name: [] for name in requests}
            for _ in range(ROUNDS):
                for name, request in requests.items():
                    rates[name].append(rate(request, seconds))
            medians = {name: statistics.median(found) for name, found in rates.items()}
            ratios = [medians["ours"] / medians[name] for name in ("PostGraphile", "our REST")]
            cells = [f"{medians[name]:,.0f}" if name in medians else "" for name in names]
            cells += [f"{ratio:.2f}" for ratio in ratios]
            print(f"{read:24}" + "".join(f"{cell:>19}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else SECONDS)
