"""Under which role the service works, whatever its URL says, and what it does where that is not safe."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.ports.ledger import StoreUnavailableError
from app.store import connection as connecting
from app.store.connection import Connector, UnsafeRoleError, refuse_unsafe_role
from app.store.engine import make_engine, transaction
from app.store.grants import grant
from app.store.migrate import migrate
from app.store.reads import Reads
from tests.postgres import Server

Login = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def database(fresh_database_url: str) -> str:
    return fresh_database_url.rpartition("/")[2]


@pytest.fixture
async def login(postgres: Server, database: str) -> AsyncIterator[Login]:
    """Make a login role with some attributes; return its URL of this test's database."""
    made = []

    async def make(attributes: str) -> str:
        name, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(8)
        made.append(name)
        async with connected(postgres.administrator_url(database)) as administrator:
            await administrator.execute(f"create role {name} login password '{password}' {attributes}")
        host = postgres.owner.rpartition("@")[2].partition("/")[0]
        return f"postgresql+asyncpg://{name}:{password}@{host}/{database}"

    yield make
    async with connected(postgres.administrator_url(database)) as administrator:
        for name in made:
            await administrator.execute(f"drop owned by {name}; drop role {name}")


@pytest.fixture
async def own_database(empty_database_url: str, postgres: Server) -> AsyncIterator[Login]:
    """Give a role an empty database of its own; return its URL of that."""
    database = empty_database_url.rpartition("/")[2]

    async def give(url: str) -> str:
        async with connected(postgres.administrator_url(database)) as administrator:
            await administrator.execute(f"alter database {database} owner to {name_in(url)}")
        return f"{url.rpartition('/')[0]}/{database}"

    yield give
    async with connected(postgres.administrator_url(database)) as administrator:
        owner = name_in(empty_database_url)
        await administrator.execute(f"alter database {database} owner to {owner}")
        for row in await administrator.fetch("select distinct relowner::regrole::text from pg_class where oid > 16384"):
            if row[0].startswith("test_"):
                await administrator.execute(f"reassign owned by {row[0]} to {owner}; drop owned by {row[0]}")


def name_in(url: str) -> str:
    """Of the role."""
    return url.partition("//")[2].partition(":")[0]


async def role_of(url: str) -> str:
    connection = await Connector(url)()
    try:
        return str(await connection.fetchval("select current_user"))
    finally:
        await connection.close()


async def test_a_superuser_serves_as_the_bare_role(postgres: Server, database: str):
    """What a newcomer's URL is; a reset leads back to the bare role, not to the superuser."""
    connection = await Connector(postgres.administrator_url(database))()
    for reset in ("reset role", "reset all", "discard all"):
        await connection.execute(reset)
        # Another text each time: with the rest, prepared statements are discarded.
        assert await connection.fetchval(f"select current_user -- {reset}") == "partwise_service", reset
    assert await connection.fetch("select * from event") == []
    await connection.close()


async def test_a_member_serves_as_the_bare_role(login: Login):
    assert await role_of(await login("in role partwise_service")) == "partwise_service"


async def test_a_role_of_ones_own_stays(login: Login):
    """It is isolated as well, and sees what it was granted: here, nothing."""
    url = await login("")
    assert await role_of(url) == name_in(url)
    await refuse_unsafe_role(url)


async def test_one_that_could_see_everything_is_refused(login: Login, postgres: Server, database: str):
    url = await login("bypassrls")
    name = name_in(url)
    with pytest.raises(UnsafeRoleError, match=f"GRANT partwise_service TO {name}"):
        await refuse_unsafe_role(url)
    engine, reads = make_engine(url, 1), Reads(url, 1)
    with pytest.raises(StoreUnavailableError, match="row-level security"):
        async with transaction(engine, "t"):
            pass
    with pytest.raises(StoreUnavailableError, match="row-level security"):
        await reads.rows("t", "SELECT $1::text")
    async with connected(postgres.administrator_url(database)) as administrator:
        await administrator.execute(f"grant partwise_service to {name}")
    assert await role_of(url) == "partwise_service"
    assert await reads.value("t", "SELECT $1::text") == "t"
    await reads.close()
    await engine.dispose()


async def test_a_superuser_without_the_bare_role_is_refused(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connecting, "SERVICE_ROLE", "no_such_role")
    with pytest.raises(UnsafeRoleError, match="app migrate"):
        await refuse_unsafe_role(postgres.administrator_url(database))


async def test_serve_says_so_in_one_line(login: Login):
    environment = {**os.environ, "DATABASE_URL": await login("bypassrls"), "PORT": "0"}
    command = [sys.executable, "-m", "app", "serve"]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the database role")


def test_the_owner_migrates_and_the_service_serves(empty_database_url: str, postgres: Server, tmp_path: Path):
    """Each with its own URL, by the commands that an operator runs."""
    plain = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "MIGRATION_DATABASE_URL")
    }
    plain["PARTWISE_HOME"] = str(tmp_path / "unused")

    def run(*arguments: str, **urls: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(command, env=plain | urls, capture_output=True, text=True, timeout=60, check=False)

    service_url = postgres.service_url(empty_database_url.rpartition("/")[2])
    early = run("keys", "create", "--tenant", "t", DATABASE_URL=service_url)
    assert (early.returncode, len(early.stderr.splitlines())) == (1, 1)
    assert "MIGRATION_DATABASE_URL" in early.stderr
    migrated = run("migrate", MIGRATION_DATABASE_URL=empty_database_url)
    assert (migrated.returncode, migrated.stderr) == (0, "The schema is up to date.\n")
    made = run("keys", "create", "--tenant", "t", DATABASE_URL=service_url)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("pw_")
    assert not (tmp_path / "unused").exists()


async def test_a_database_that_is_away_is_not_refused():
    await refuse_unsafe_role("postgresql+asyncpg://nobody:x@127.0.0.1:1/none")


async def test_the_rights_are_put_right_again(postgres: Server, database: str):
    """After a restore without roles, or by a hand that gave too much."""
    owner_url = postgres.owner_url(database)
    async with connected(owner_url) as owner:
        await owner.execute("grant all on event to partwise_service; revoke all on client from partwise_service")
    assert await migrate(owner_url) is None
    service = await Connector(postgres.service_url(database))()
    for table, right, has in (("event", "TRUNCATE", False), ("event", "UPDATE", False), ("client", "UPDATE", True)):
        assert await service.fetchval("select has_table_privilege($1, $2)", table, right) is has
    await service.close()


async def test_who_may_make_no_roles_is_told_what_to_do(login: Login, own_database: Login):
    """The service then works as the login role, which owns the tables and is isolated all the same."""
    url = await own_database(await login(""))
    name = name_in(url)
    await migrate(url)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        advice = await grant(connection, "no_such_role")
    await engine.dispose()
    assert advice is not None
    assert "CREATE ROLE no_such_role NOLOGIN" in advice

    async with connected(url) as owner:
        assert (
            await owner.fetchval("select relowner::regrole::text from pg_class where oid = 'event'::regclass") == name
        )
    assert await role_of(url) == name
    own = make_engine(url, 1)
    for tenant_id in ("a", "b"):
        async with transaction(own, tenant_id) as connection:
            row = "insert into tenant values (:tenant, :tenant, now())"
            await connection.execute(text(row), {"tenant": tenant_id})
    async with transaction(own, "a") as connection:
        assert (await connection.execute(text("select tenant_id from tenant"))).scalars().all() == ["a"]
    async with transaction(own, None) as connection:
        assert (await connection.execute(text("select tenant_id from tenant"))).all() == []
    await own.dispose()


async def test_who_may_make_roles_makes_it_and_takes_it(login: Login, own_database: Login, postgres: Server):
    """With one login that may make roles, as hosting providers give it, the service works as the bare role."""
    url = await own_database(await login("createrole"))
    role = f"test_service_{secrets.token_hex(4)}"
    await migrate(url)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        # Twice: the second time there is nothing to do.
        assert [await grant(connection, role) for _ in range(2)] == [None, None]
    await engine.dispose()
    async with connected(url) as owner:
        await owner.execute(f"set role {role}")
        assert await owner.fetch("select * from event") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute("truncate event")
    async with connected(postgres.administrator_url(url.rpartition("/")[2])) as administrator:
        await administrator.execute(f"drop owned by {role}; drop role {role}")
