"""Gives a command its database: the one in DATABASE_URL, or the embedded one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app.settings import Settings


def tell(message: str) -> None:
    """Say on stderr what is going on; stdout is for results."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - the command line's voice


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with a database that answers, for as long as the block lasts.

    The embedded one is started, or shared with whatever uses it already (a `run` in another terminal),
    watched, and stopped when its last user is gone.
    """
    if settings.database_url:
        yield settings
        return
    from app.embedded import EmbeddedPostgres

    with EmbeddedPostgres(settings.home) as postgres, postgres.watched(tell):
        yield settings.with_database(postgres.service_url(), postgres.url())
