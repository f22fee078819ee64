"""A real Postgres for tests: one server for all workers, one database for each, copied from a template.

The server is the embedded one, in .partwise-test of the checkout, kept between runs; or the one in
TEST_DATABASE_URL, whose role must be a superuser. Without either, the tests fail.

Databases are made by the role that owns them; tests work as the service does, under a role that owns nothing.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import pytest

from app.embedded import EmbeddedPostgres, EmbeddedPostgresError
from app.embedded.cluster import SUPERUSER, Credentials
from app.embedded.folder import Folder
from app.embedded.locks import alone

CHECKOUT = Path(__file__).parent.parent
HOME = CHECKOUT / ".partwise-test"
# Any number that nothing else in these databases locks.
TEMPLATE_LOCK = 7_121_215


@dataclass(frozen=True)
class Server:
    """A server: URLs of a database of its as the role that makes and owns databases, and as the service."""

    owner: str
    service: str
    administrator: str
    """A superuser, as whom roles are made and from whom the service has to shrink back."""

    def owner_url(self, database: str) -> str:
        return f"{self.owner.rpartition('/')[0]}/{database}"

    def service_url(self, database: str) -> str:
        return f"{self.service.rpartition('/')[0]}/{database}"

    def administrator_url(self, database: str) -> str:
        return f"{self.administrator.rpartition('/')[0]}/{database}"

    def owner_of(self, url: str) -> str:
        """The same database as a URL's, as its owner."""
        return self.owner_url(url.rpartition("/")[2])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a server on which databases may be made."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        url = "postgresql+asyncpg://" + given.partition("://")[2]
        # A connection of the service takes its role by itself.
        yield Server(url, url, url)
        return
    server = EmbeddedPostgres(HOME, durable=False)
    HOME.mkdir(exist_ok=True)
    with alone(HOME / "tests.lock"):
        try:
            server.start()
        except EmbeddedPostgresError:
            # Without fsync, a power cut may have damaged it; nothing in it is worth keeping.
            shutil.rmtree(HOME / "postgres", ignore_errors=True)
            server.start()
    try:
        password = Credentials.read(Folder(HOME)).superuser
        administrator = f"postgresql+asyncpg://{SUPERUSER}:{password}@127.0.0.1:{server.port}/postgres"
        asyncio.run(_drop_what_killed_runs_left(administrator))
        yield Server(server.url(), server.service_url(), administrator)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def template_database(postgres: Server) -> str:
    """Return the name of a database that the real migrations made, once for all workers and runs."""
    return asyncio.run(_ensure_template(postgres.owner))


@pytest.fixture(scope="session")
def database_url(postgres: Server, template_database: str) -> Iterator[str]:
    """Return the URL of this worker's database for the service; tests keep apart by using tenants of their own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with _copy(postgres, template_database, worker) as name:
        yield postgres.service_url(name)


@pytest.fixture
def fresh_database_url(postgres: Server, template_database: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL, for the service, of a database that this test has to itself; takes a tenth of a second."""
    with _copy(postgres, template_database, _name_of(request)) as name:
        yield postgres.service_url(name)


@pytest.fixture
def empty_database_url(postgres: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL, for its owner, of a database that no migration has seen."""
    with _copy(postgres, "template1", "empty_" + _name_of(request)) as name:
        yield postgres.owner_url(name)


def _name_of(request: pytest.FixtureRequest) -> str:
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]


@contextmanager
def _copy(server: Server, template: str, suffix: str) -> Iterator[str]:
    """Copy the template, return the copy's name, and drop it at the end."""
    # The process is in the name, so that a later run knows which databases nobody uses any more.
    name = f"test_{os.getpid()}_{suffix}"
    drop = f'drop database if exists "{name}" with (force)'
    asyncio.run(_execute(server.administrator, drop))
    asyncio.run(_execute(server.owner, f'create database "{name}" template "{template}"'))
    yield name
    # By one who may end whatever connection is still there.
    asyncio.run(_execute(server.administrator, drop))


async def _ensure_template(server: str) -> str:
    from app.store.migrate import migrate

    name = f"template_{_fingerprint()}"
    async with _connected(server) as connection:
        await connection.execute("select pg_advisory_lock($1)", TEMPLATE_LOCK)
        if await connection.fetchval("select 1 from pg_database where datname = $1", name):
            return name
        await connection.execute("drop database if exists template_unfinished with (force)")
        # A few older ones stay: other checkouts of the code may be under test at this moment.
        for old in await connection.fetch(
            "select datname from pg_database where datname like 'template\\_%' order by oid desc offset 5"
        ):
            await connection.execute(f'drop database if exists "{old["datname"]}" with (force)')
        await connection.execute("create database template_unfinished")
        await migrate(server.rpartition("/")[0] + "/template_unfinished")
        # The name comes last, so that an interrupted migration is never taken for a template.
        await connection.execute(f'alter database template_unfinished rename to "{name}"')
    return name


async def _drop_what_killed_runs_left(server: str) -> None:
    async with _connected(server) as connection:
        for row in await connection.fetch("select datname from pg_database where datname like 'test\\_%'"):
            pid = row["datname"].split("_")[1]
            if not (pid.isdigit() and psutil.pid_exists(int(pid))):
                await connection.execute(f'drop database if exists "{row["datname"]}" with (force)')


async def _execute(server: str, *statements: str) -> None:
    async with _connected(server) as connection:
        # One at a time: two copies of one template at once can fail.
        await connection.execute("select pg_advisory_lock($1)", TEMPLATE_LOCK)
        for statement in statements:
            await connection.execute(statement)


@asynccontextmanager
async def _connected(server: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


def _fingerprint() -> str:
    """Return a hash of everything that decides what the migrations make."""
    digest = hashlib.sha256()
    for path in sorted((CHECKOUT / "app" / "store").rglob("*")):
        if path.suffix in (".py", ".sql", ".ini") and "__pycache__" not in path.parts:
            digest.update(path.relative_to(CHECKOUT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
