"""`migrate`: bring the database's schema up to date."""

import asyncio
import logging

from app.cli.database import database, tell
from app.logs.lines import set_up
from app.settings import Settings, read_settings

_log = logging.getLogger("partwise.migrate")


def migrate() -> None:
    """Bring the schema up to date: of MIGRATION_DATABASE_URL, DATABASE_URL or the embedded Postgres."""
    settings = read_settings()
    lines = set_up(settings.log_level or "info", settings.log_format)
    if settings.migration_database_url:
        advice = migrate_database(settings)
    else:
        with database(settings) as ready:
            advice = migrate_database(ready)
    if lines.form == "json":
        _log.info("the schema is up to date", extra={"advice": advice})
        return
    tell("The schema is up to date.")
    if advice:
        tell(advice)


def migrate_database(settings: Settings) -> str | None:
    """Apply the migrations that are missing; return what an operator still has to do, in words."""
    from app.store.migrate import migrate as apply_migrations

    return asyncio.run(apply_migrations(settings.owner_url))
