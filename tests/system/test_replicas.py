"""Two servers over one database: what one of them ends, the other takes for a few seconds at most."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.postgres import Server
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

WITHIN_SECONDS = 10
"""Five, and room for a machine that does other things too."""


@contextmanager
def serving(url: str, home: Path, settings: dict[str, str]) -> Iterator[str]:
    service = Service(home, free_port(), database_url=url, kind="serve", settings=settings)
    service.start()
    try:
        yield service.url
    finally:
        service.end()


@pytest.fixture
def server_settings() -> dict[str, str]:
    """Environment variables for both servers."""
    return {}


@pytest.fixture
def replicas(fresh_database_url: str, tmp_path: Path, server_settings: dict[str, str]) -> Iterator[tuple[str, str]]:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with (
        serving(fresh_database_url, one, server_settings) as first,
        serving(fresh_database_url, other, server_settings) as second,
    ):
        yield first, second


@pytest.fixture
def manager(fresh_database_url: str, postgres: Server, tmp_path: Path) -> dict[str, str]:
    """Headers with a key that may do everything, made at the command line."""
    environment = {
        **os.environ,
        "DATABASE_URL": fresh_database_url,
        "MIGRATION_DATABASE_URL": postgres.owner_of(fresh_database_url),
        "PARTWISE_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "app", "keys", "create", "--tenant", "t", "--scopes", "ingest,read,manage"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return bearer(done.stdout.strip())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def made(url: str, manager: dict[str, str], **more: Any) -> dict[str, Any]:
    body = {"name": "x", "scopes": ["read"], **more}
    answer = httpx.post(f"{url}/v1/api-keys", headers=manager, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def status(url: str, secret: str) -> int:
    return httpx.get(f"{url}/v1/clients", headers=bearer(secret)).status_code


def wait_until_refused(url: str, secret: str) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while status(url, secret) == 200:
        assert time.monotonic() < deadline, "the key still works"
        time.sleep(0.1)


def test_a_revoked_key_ends_on_both(replicas: tuple[str, str], manager: dict[str, str]):
    one, other = replicas
    key = made(one, manager)
    # Both know it, and would go on trusting it.
    assert [status(url, key["secret"]) for url in replicas] == [200, 200]
    assert httpx.delete(f"{one}/v1/api-keys/{key['key_id']}", headers=manager).status_code == 204
    assert status(one, key["secret"]) == 401
    wait_until_refused(other, key["secret"])


def test_a_key_expires_on_both(replicas: tuple[str, str], manager: dict[str, str]):
    ends = datetime.now(UTC) + timedelta(seconds=2)
    key = made(replicas[0], manager, expires_at=ends.isoformat())
    assert [status(url, key["secret"]) for url in replicas] == [200, 200]
    for url in replicas:
        wait_until_refused(url, key["secret"])
    assert datetime.now(UTC) >= ends


def test_a_rotated_key_works_on_both_and_its_former_secret_until_the_overlap_ends(
    replicas: tuple[str, str], manager: dict[str, str]
):
    one, other = replicas
    key = made(one, manager)
    assert [status(url, key["secret"]) for url in replicas] == [200, 200]
    path = f"/v1/api-keys/{key['key_id']}/rotate"
    fresh = httpx.post(one + path, headers=manager, json={"overlap": 8}).json()
    assert [status(url, secret) for url in replicas for secret in (fresh["secret"], key["secret"])] == [200] * 4
    for url in (other, one):
        wait_until_refused(url, key["secret"])
    assert datetime.now(UTC) >= datetime.fromisoformat(fresh["overlap_ends_at"])
    assert [status(url, fresh["secret"]) for url in replicas] == [200, 200]
