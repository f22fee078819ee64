"""`stop`: stop an embedded Postgres that nobody stopped."""

from typing import Annotated

import typer

from app.cli.database import tell
from app.settings import read_settings


def stop(
    force: Annotated[bool, typer.Option("--force", help="Also when a server is using it.")] = False,
) -> None:
    """Stop the embedded Postgres that a killed `run` left behind."""
    from app.embedded import EmbeddedPostgres

    settings = read_settings()
    if EmbeddedPostgres(settings.home).stop_unowned(force=force):
        tell(f"Stopped the embedded Postgres in {settings.home}.")
    else:
        tell(f"No embedded Postgres runs in {settings.home}.")
