"""`erase --unfinished` as a process: it finishes what others left, and may be killed at any moment."""

import os
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from app.ports.ledger import NewEvent
from app.store.engine import make_engine, transaction
from app.store.erasures import PostgresErasures, digest_of
from tests.ledgers import ledger_over

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMAND = [sys.executable, "-m", "app", "erase"]


def command(url: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "DATABASE_URL": url.replace("+asyncpg", "")}
    return subprocess.Popen([*COMMAND, *arguments], env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
async def test_what_is_left_is_removed_though_killed_in_the_middle(fresh_database_url: str):
    engine = make_engine(fresh_database_url, 2)
    tenant = str(uuid.uuid4())
    async with ledger_over(engine) as ledger:
        for client in ("a", "b"):
            for start in range(0, 30_000, 5_000):
                names = [f"{client}{number}" for number in range(start, start + 5_000)]
                await ledger.append(
                    tenant, [NewEvent("s", name, "call.received", client, NOW, "{}", bytes(32)) for name in names]
                )
            await PostgresErasures(engine).begin(tenant, client, NOW)

    async def left() -> int:
        async with transaction(engine, tenant) as connection:
            return int((await connection.execute(text("SELECT count(*) FROM event"))).scalar_one())

    killed = command(fresh_database_url, "--unfinished")
    deadline = time.monotonic() + 60
    while await left() == 60_000 and time.monotonic() < deadline:
        time.sleep(0.001)  # noqa: ASYNC251 - nothing else runs here
    killed.kill()
    killed.communicate()
    assert 0 < await left() < 60_000, "it was in the middle"

    both = [command(fresh_database_url, "--unfinished") for _ in range(2)]
    told = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert all("No erasure is unfinished." in text for text in told)
    assert await left() == 0
    for client in ("a", "b"):
        found = await PostgresErasures(engine).get(tenant, digest_of(client))
        assert found is not None
        assert found.finished_at is not None
    await engine.dispose()


def test_without_the_option_it_says_what_to_do(database_url: str):
    process = command(database_url)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--unfinished" in told
    assert "DELETE /v1/clients/{id}" in told
