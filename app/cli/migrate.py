"""`migrate`: bring the database's schema up to date."""

import asyncio
import time
from typing import Annotated

import typer

from app.cli.database import database, tell
from app.cli.errors import CommandError
from app.settings import Settings, read_settings

PAUSE = 1.0
"""Seconds between two looks at what somebody else migrates."""


def migrate(
    wait: Annotated[
        int | None, typer.Option(min=0, help="Change nothing: wait so many seconds until another one has done it.")
    ] = None,
) -> None:
    """Bring the schema up to date: of MIGRATION_DATABASE_URL, DATABASE_URL or the embedded Postgres."""
    settings = read_settings()
    if wait is not None:
        wait_until_migrated(settings, wait)
        return
    if settings.migration_database_url:
        advice = migrate_database(settings)
    else:
        with database(settings) as ready:
            advice = migrate_database(ready)
    tell("The schema is up to date.")
    if advice:
        tell(advice)


def migrate_database(settings: Settings) -> str | None:
    """Apply the migrations that are missing; return what an operator still has to do, in words."""
    from app.store.migrate import migrate as apply_migrations

    return asyncio.run(apply_migrations(settings.owner_url))


def wait_until_migrated(settings: Settings, seconds: float) -> None:
    """Return once the schema has all that this code needs.

    Raises:
        CommandError: it still has not after so many seconds.
    """
    from app.store.migrate import is_current

    if not settings.owner_url:
        raise CommandError("DATABASE_URL is not set; there is nobody to wait for")
    deadline = time.monotonic() + seconds
    while not asyncio.run(is_current(settings.owner_url)):
        if time.monotonic() >= deadline:
            raise CommandError(
                f"the schema is not up to date after {seconds:g} s, or the database is away: "
                "see what became of `migrate`"
            )
        time.sleep(PAUSE)
    tell("The schema is up to date.")
