"""Two server processes over one database: what both let in together stays within the limits of the key."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cloud_events import BATCH, NDJSON, as_json, cloud_event
from tests.postgres import Server
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

DAY = 86_400
"""A window that does not end while a test runs, but for one a day."""
SENDERS = 8


@contextmanager
def serving(url: str, home: Path, rates: str) -> Iterator[str]:
    home.mkdir()
    settings = {"PARTWISE_RATE_LIMITS": rates, "PARTWISE_RATE_PATIENCE": "0"}
    service = Service(home, free_port(), database_url=url, kind="serve", settings=settings)
    service.start()
    try:
        yield service.url
    finally:
        service.end()


Two = Callable[[str], list[httpx.Client]]


@pytest.fixture
def two(fresh_database_url: str, postgres: Server, tmp_path: Path) -> Iterator[Two]:
    """Clients of two servers with the same rates, by the same key."""
    environment = {
        **os.environ,
        "DATABASE_URL": fresh_database_url,
        "MIGRATION_DATABASE_URL": postgres.owner_of(fresh_database_url),
        "PARTWISE_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "app", "keys", "create", "--tenant", "t", "--scopes", "ingest,read"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    headers = {"Authorization": f"Bearer {done.stdout.strip()}"}
    with ExitStack() as stack:

        def start(rates: str) -> list[httpx.Client]:
            urls = [stack.enter_context(serving(fresh_database_url, tmp_path / name, rates)) for name in "ab"]
            return [stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=60)) for url in urls]

        yield start


def statuses(ask: Callable[[int], httpx.Response], times: int) -> list[int]:
    with ThreadPoolExecutor(SENDERS) as senders:
        return [answer.status_code for answer in senders.map(ask, range(times))]


def test_requests_to_both_stay_within_the_limit(two: Two):
    quota = 500
    clients = two(f"sustained={quota}/{DAY}")
    found = statuses(lambda number: clients[number % 2].get("/v1/clients"), 2 * quota)
    assert set(found) == {200, 429}
    # A hundredth for each server may be spent before they know of each other.
    assert 0.95 * quota <= found.count(200) <= quota + 2 * (quota // 100)
    for client in clients:
        # Over GraphQL it is the same limit, at the very end the same on both.
        answer = client.post("/graphql", json={"query": "{ __typename }"})
        assert answer.status_code in (200, 429)
    refused = [client.get("/v1/clients") for client in clients for _ in range(quota // 10)]
    assert {answer.status_code for answer in refused[-5:]} == {429}
    assert refused[-1].json()["violated-policies"] == ["sustained"]
    assert "r=0" in refused[-1].headers["ratelimit"]


def test_events_to_both_stay_within_the_limit(two: Two):
    quota = 5000
    clients = two(f"events={quota}/{DAY}")

    def send(number: int) -> httpx.Response:
        body = as_json([cloud_event(f"{number}-{one}") for one in range(50)])
        return clients[number % 2].post("/v1/events", content=body, headers={"Content-Type": BATCH})

    found = statuses(send, 2 * quota // 50)
    assert set(found) == {200, 429}
    assert 0.9 * quota <= found.count(200) * 50 <= quota + 2 * (quota // 100)
    # Of streams what is left goes in, and no more.
    stored = found.count(200) * 50
    for number, client in enumerate(clients):
        lines = b"\n".join(as_json(cloud_event(f"s{number}-{one}")) for one in range(1000))
        answer = client.post("/v1/events", content=lines, headers={"Content-Type": NDJSON})
        told = [json.loads(line) for line in answer.text.splitlines()]
        # Where not one line was let in, the status says so.
        problem = told[-1]["problem"] if answer.status_code == 200 else told[-1]
        assert problem["violated-policies"] == ["events"]
        assert problem.get("line", 1) == len(told)
        stored += len(told) - 1
    assert stored <= quota + 2 * (quota // 100)
