"""`migrate`: bring the database's schema up to date."""

import asyncio

from app.cli.database import database, tell
from app.settings import read_settings


def migrate() -> None:
    """Bring the schema of DATABASE_URL (or of the embedded Postgres) up to date."""
    with database(read_settings()) as settings:
        migrate_database(settings.database_url or "")
    tell("The schema is up to date.")


def migrate_database(url: str) -> None:
    """Apply the migrations that are missing."""
    from app.store.migrate import migrate as apply_migrations

    asyncio.run(apply_migrations(url))
