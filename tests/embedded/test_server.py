"""The embedded Postgres when all goes well: one for all users of a folder, durable, stopped by the last."""

import asyncio
import threading
from pathlib import Path

import asyncpg
import pytest

from app.embedded import EmbeddedPostgres, EmbeddedPostgresError, StillInUse
from app.embedded.cluster import SUPERUSER, Credentials
from app.embedded.folder import Folder
from tests.embedded.owners import ask, postmaster


def query(url: str, statement: str):
    async def run():
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_it_answers_and_keeps_data_over_a_restart(home: Path):
    with EmbeddedPostgres(home) as postgres:
        query(postgres.url(), "create table kept as select 42 as answer")
    assert postmaster(home) is None
    with EmbeddedPostgres(home) as postgres:
        assert query(postgres.url(), "select answer from kept") == 42


def test_what_is_acknowledged_is_on_disk(home: Path):
    with EmbeddedPostgres(home) as postgres:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert query(postgres.url(), f"show {setting}") == "on"


def test_the_service_is_no_superuser_but_may_make_its_roles(home: Path):
    with EmbeddedPostgres(home) as postgres:
        url = postgres.url()
        assert query(url, "select rolsuper or rolbypassrls from pg_roles where rolname = current_user") is False
        statements = "create role reader nologin; grant reader to partwise; set role reader; select current_user"
        assert asyncio.run(_last(url, statements)) == "reader"


def test_the_service_works_as_a_role_that_owns_nothing(home: Path):
    """Also in a cluster that was made before there was one."""
    with EmbeddedPostgres(home) as postgres:
        query(postgres.url(), "create table kept as select 42 as answer")
        assert query(postgres.service_url(), "select pg_has_role(current_user, 'partwise_service', 'SET')") is True
        assert query(postgres.service_url(), "select pg_has_role(current_user, 'partwise', 'MEMBER')") is False
        for statement in ("create table mine (id int)", "select * from kept"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                query(postgres.service_url(), statement)
        secret = Credentials.read(Folder(home)).superuser
        query(f"postgresql://{SUPERUSER}:{secret}@127.0.0.1:{postgres.port}/postgres", "drop role partwise_login")
    with EmbeddedPostgres(home) as postgres:
        assert query(postgres.service_url(), "select 1") == 1


async def _last(url: str, statements: str) -> str:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        *before, last = statements.split("; ")
        for statement in before:
            await connection.execute(statement)
        return await connection.fetchval(last)
    finally:
        await connection.close()


def test_passwords_are_private_and_needed(home: Path):
    with EmbeddedPostgres(home) as postgres:
        assert (home / "postgres" / "credentials.json").stat().st_mode & 0o077 == 0
        assert (home / "postgres" / "data").stat().st_mode & 0o077 == 0
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(f"postgresql://postgres:guess@127.0.0.1:{postgres.port}/postgres", "select 1")


def test_two_users_share_one_server_and_the_last_stops_it(home: Path):
    first, second = EmbeddedPostgres(home), EmbeddedPostgres(home)
    assert first.start() == second.start()
    assert first.stop() is False
    assert query(second.url(), "select 1") == 1
    assert second.stop() is True
    assert postmaster(home) is None
    assert second.stop() is False


def test_two_that_start_at_once_on_a_new_folder_get_one_server(home: Path):
    users = [EmbeddedPostgres(home) for _ in range(4)]
    urls: list[str] = []
    threads = [threading.Thread(target=lambda user=user: urls.append(user.start())) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 4
    assert len(set(urls)) == 1
    for user in users:
        user.stop()
    assert postmaster(home) is None


def test_databases_are_made_once_and_dropped(home: Path):
    with EmbeddedPostgres(home) as postgres:
        url = postgres.create_database("other")
        assert postgres.create_database("other") == url
        assert query(url, "select current_database()") == "other"
        postgres.drop_database("other")
        assert ask(home, "select count(*) from pg_database where datname = 'other'") == "0"
        with pytest.raises(EmbeddedPostgresError, match="no name for a database"):
            postgres.create_database("x; drop")


def test_one_in_use_is_stopped_by_force_alone(home: Path):
    with EmbeddedPostgres(home) as postgres:
        with pytest.raises(StillInUse, match="in use"):
            EmbeddedPostgres(home).stop_unowned()
        assert query(postgres.url(), "select 1") == 1
        assert EmbeddedPostgres(home).stop_unowned(force=True) is True
        assert postmaster(home) is None
        assert EmbeddedPostgres(home).stop_unowned() is False


def test_nothing_to_stop_in_a_folder_that_does_not_exist(home: Path):
    assert EmbeddedPostgres(home).stop_unowned() is False
    assert not home.exists()


@pytest.mark.parametrize("name", ["with spaces and 'quotes'", "x" * 200, "ümläut"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str):
    with EmbeddedPostgres(tmp_path / name) as postgres:
        assert query(postgres.url(), "select 1") == 1


def test_a_folder_that_moved_is_the_same_cluster(home: Path):
    with EmbeddedPostgres(home) as postgres:
        query(postgres.url(), "create table kept as select 42 as answer")
    moved = home.rename(home.with_name("moved"))
    with EmbeddedPostgres(moved) as postgres:
        assert query(postgres.url(), "select answer from kept") == 42


def test_a_private_folder_above_is_no_obstacle(tmp_path: Path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "home") as postgres:
        assert query(postgres.url(), "select 1") == 1
    assert private.stat().st_mode & 0o066 == 0, "nobody may list or write it who could not before"
