"""The worker as a process of its own: started by `run` or alone, killed at random, and never behind for long."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

LEASE = "1"


@pytest.fixture
def service(fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A server with a database of its own, so that nothing else is due there."""
    monkeypatch.setenv("PARTWISE_WORKER_LEASE", LEASE)
    found = Service(tmp_path / "home", free_port(), database_url=fresh_database_url)
    found.home.mkdir()
    found.start()
    try:
        yield found
    finally:
        found.stop()


def workers_of(service: Service) -> list[psutil.Process]:
    assert service.process is not None
    found = psutil.Process(service.process.pid).children()
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE and "worker" in one.cmdline()]


def eventually(what: Any, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_a_run_keeps_itself_fresh(service: Service):
    """A hundred clients more than readers look after themselves."""
    key = service.key("many")
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        told = [cloud_event(f"{n}", "contract.sent", f"c-{n:03}") for n in range(400)]
        http.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH}).raise_for_status()
        page = eventually(lambda: (found := http.get("/v1/clients").json())["stale"] == 0 and found)
        assert len(page["items"]) == 50
        declined = cloud_event("x", "contract.declined", "c-399", time="2026-02-01T00:00:00Z")
        http.post("/v1/events", content=as_json([declined]), headers={"Content-Type": BATCH}).raise_for_status()
        # Who reads sees what was just sent, unless a portfolio that has moved meanwhile makes all due again.
        page = eventually(lambda: (found := http.get("/v1/clients").json())["stale"] == 0 and found)
        assert page["items"][0]["client_id"] == "c-399"
    done = service.run("verify", "--tenant", "many")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_a_worker_ends_with_its_run_however_that_ends(service: Service):
    (worker,) = eventually(lambda: workers_of(service))
    service.kill()
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    service.start()
    (worker,) = eventually(lambda: workers_of(service))
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(30) == 0
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_workers_killed_at_random_lose_nothing(service: Service):
    """Theirs and one beside it: killed again and again while events come."""
    chance = random.Random(1)
    key = service.key("killed")
    environment = {**os.environ, "DATABASE_URL": service.database_url}
    kinds = ("contract.sent", "contract.declined", "call.received", "invoice.issued", "invoice.paid", "time.logged")
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        for turn in range(6):
            beside = subprocess.Popen([sys.executable, "-m", "app", "worker"], env=environment)
            try:
                for batch in range(4):
                    told = [
                        cloud_event(
                            f"{turn}-{batch}-{n}",
                            chance.choice(kinds),
                            f"c-{chance.randrange(400):03}",
                            time=f"2026-0{chance.randrange(1, 10)}-01T00:00:00Z",
                        )
                        for n in range(100)
                    ]
                    http.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH}).raise_for_status()
                    time.sleep(chance.uniform(0, 0.8))
                for worker in workers_of(service):
                    worker.kill()
            finally:
                beside.kill()
                beside.wait()
        eventually(lambda: workers_of(service), 30)

        def all_is_compared() -> bool:
            done = service.run("verify", "--tenant", "killed")
            assert done.returncode == 0, done.stdout
            return " 0 were not" in done.stderr

        eventually(all_is_compared, 90)
        assert http.get("/v1/clients?limit=1").json()["stale"] == 0


def test_a_worker_needs_a_database(tmp_path: Path):
    environment = {**os.environ, "DATABASE_URL": "", "PARTWISE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "app", "worker"], env=environment, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: DATABASE_URL is not set")
