"""Bring the schema up to date with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

__all__ = ["migrate"]

_LOCK = 0x7061727477697365
"""Names our advisory lock ("partwise" in ASCII): of two migrations at once the second waits for the first."""


async def migrate(url: str) -> None:
    """Apply every migration that the database has not seen.

    Args:
        url: `postgresql+asyncpg://…`, of a role that may change the schema.
    """
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            # A migration that has to wait for a lock makes everybody behind it wait too: give up soon.
            await connection.execute(text("SET LOCAL lock_timeout = '4s'"))
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
