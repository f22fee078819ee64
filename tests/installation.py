"""Partwise as an operator has it: a Postgres of its own, of which he is the superuser, and servers over it."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from app.embedded import EmbeddedPostgres
from app.embedded.binaries import Binaries
from benchmarks.administrator import administrator_url
from tests.service import Service, free_port

__all__ = ["ROOT", "Installation", "as_new", "installation", "serving", "shell"]

ROOT = Path(__file__).parents[1]


@dataclass
class Installation:
    """A Postgres in a folder, as an operator has one: he is its superuser."""

    home: Path
    postgres: EmbeddedPostgres

    @property
    def administrator(self) -> str:
        return administrator_url(self.postgres, self.home)

    def environment(self, folder: Path) -> dict[str, str]:
        """What the page says that one has: the programs of Postgres, and addresses."""
        return {
            **os.environ,
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), str(Binaries.find().folder), os.environ["PATH"]]
            ),
            "PARTWISE_HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": self.postgres.service_url().replace("+asyncpg", ""),
            "MIGRATION_DATABASE_URL": self.postgres.url().replace("+asyncpg", ""),
        }

    async def ask(self, statement: str, database: str = "partwise") -> Any:
        connection = await asyncpg.connect(self.administrator.rpartition("/")[0] + f"/{database}")
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@contextmanager
def installation(prepare: Callable[[Path], None] = lambda home: None) -> Iterator[Installation]:
    """A Postgres in a new folder, which may be prepared before it starts.

    The folder is none of pytest's: those are closed, again and again, to the account that Postgres runs as.
    """
    with tempfile.TemporaryDirectory(prefix="partwise-installation-") as folder:
        prepare(Path(folder))
        with EmbeddedPostgres(Path(folder)) as postgres:
            yield Installation(Path(folder), postgres)


@contextmanager
def serving(installed: Installation) -> Iterator[Service]:
    url = installed.postgres.service_url().replace("+asyncpg", "")
    service = Service(installed.home, free_port(), database_url=url, kind="serve")
    service.start()
    try:
        yield service
    finally:
        service.end()


def shell(script: str, environment: dict[str, str], cwd: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def as_new(installed: Installation) -> None:
    """Make a cluster what it is before anything was done: nobody is there but its superuser."""

    async def work() -> None:
        connection = await asyncpg.connect(installed.administrator.rpartition("/")[0] + "/postgres")
        try:
            for statement in (
                "DROP DATABASE partwise",
                "DROP ROLE partwise_login",
                "DROP ROLE partwise_service",
                "DROP ROLE partwise",
            ):
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())
