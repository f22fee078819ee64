"""Bring the schema up to date with Alembic, while the service goes on."""

import asyncio
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.store.connection import LOST
from app.store.grants import grant

__all__ = ["HEAD", "MigrationError", "is_current", "migrate"]

HEAD: Final = "head"

_LOCK: Final = 0x7061727477697365
"""Names our advisory lock ("partwise" in ASCII): of two migrations at once the second waits for the first."""
_TURN_SECONDS: Final = 600.0
_STATEMENT_SECONDS: Final = 5.0
"""No statement is to hold its locks for longer; one that may, as it locks nobody out, says so itself."""

_UNDEFINED_TABLE: Final = "42P01"
_FORBIDDEN: Final = "42501"
# Waited in vain for a lock; chosen to resolve a deadlock.
_IN_THE_WAY: Final = ("55P03", "40P01")


class MigrationError(Exception):
    """The schema could not be brought up to date; what was done before is done, and it may be tried again."""


async def migrate(url: str, revision: str = HEAD, *, lock_seconds: float = 4.0, attempts: int = 5) -> str | None:
    """Apply every migration that the database has not seen, each in a transaction of its own.

    Nothing happens where none is missing, whoever asks, or where the database is ahead of this code.

    Args:
        url: `postgresql+asyncpg://…`, of the role that owns the tables, or will.
        revision: how far to go.
        lock_seconds: how long a statement waits for a lock; meanwhile everybody waits who comes after it.
        attempts: how often a migration is tried that waited in vain; from one to the next the pause doubles.

    Returns:
        What an operator still has to do, in words; None if nothing.

    Raises:
        MigrationError: a lock could not be had, another migration does not end, or the role may not change the schema.
    """
    settings = {
        "application_name": "partwise-migrate",
        "lock_timeout": f"{lock_seconds * 1000:.0f}",
        "statement_timeout": f"{max(_STATEMENT_SECONDS, lock_seconds + 1) * 1000:.0f}",
    }
    engine = create_async_engine(
        url, poolclass=NullPool, connect_args={"server_settings": settings, "timeout": 5, "command_timeout": None}
    )
    try:
        async with engine.connect() as connection:
            if await _is_behind(connection, revision):
                await _take_turn(connection)
                await _try(connection, revision, attempts)
            return await grant(connection)
    finally:
        await engine.dispose()


async def is_current(url: str) -> bool:
    """Whether the schema has all that this code needs; not while the database cannot be asked.

    Any role of the service may ask, at `postgresql+asyncpg://…`.
    """
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 5, "command_timeout": 5})
    try:
        async with engine.connect() as connection:
            return not await _is_behind(connection, HEAD)
    except (DBAPIError, asyncpg.PostgresError, *LOST):
        return False
    finally:
        await engine.dispose()


async def _is_behind(connection: AsyncConnection, revision: str) -> bool:
    scripts = ScriptDirectory.from_config(_config())
    try:
        found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in (_UNDEFINED_TABLE, _FORBIDDEN):
            raise
        found = None
    await connection.rollback()
    if found is None:
        return True
    try:
        scripts.get_revision(found)
    except CommandError:
        return False  # it is ahead: a newer version of this code was here
    return any(True for _ in scripts.iterate_revisions(revision, found))


async def _take_turn(connection: AsyncConnection) -> None:
    """Wait for a migration that runs already.

    It asks again and again: who waits inside a statement holds a snapshot, for whose end an index that the other one
    builds CONCURRENTLY would wait.
    """
    take = text("SELECT pg_try_advisory_lock(:lock)")
    for _ in range(int(_TURN_SECONDS / 0.1)):
        taken = (await connection.execute(take, {"lock": _LOCK})).scalar_one()
        # The lock is the session's, and ends with it.
        await connection.commit()
        if taken:
            return
        await asyncio.sleep(0.1)
    raise MigrationError(f"another migration has been running for {_TURN_SECONDS:.0f} s; see pg_stat_activity")


async def _try(connection: AsyncConnection, revision: str, attempts: int) -> None:
    for attempt in range(1, attempts + 1):
        try:
            await connection.run_sync(_upgrade, revision)
            await connection.commit()
        except DBAPIError as error:
            code = getattr(error.orig, "sqlstate", None)
            await connection.rollback()
            if code == _FORBIDDEN:
                raise MigrationError(
                    "the schema is not up to date, and the role of this URL may not change it: "
                    "run `python -m app migrate` with MIGRATION_DATABASE_URL, of the role that owns the tables"
                ) from error
            if code not in _IN_THE_WAY:
                raise
            if attempt == attempts:
                raise MigrationError(
                    f"a migration could not get its lock in {attempts} attempts, and gave up so that nobody waits "
                    "behind it: see pg_stat_activity for a long transaction, then run it again; "
                    f"it stopped at {' '.join((error.statement or '').split())[:100]!r}"
                ) from error
            await asyncio.sleep(0.5 * 2**attempt)
        else:
            return


def _upgrade(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
