"""`run`: everything that a newcomer needs, in one command."""

from typing import Annotated

import typer

from app.cli.database import database, tell
from app.cli.demo import prepare_demo
from app.cli.ending import ending_cleanly
from app.cli.listening import base_url, listen
from app.cli.migrate import migrate_database
from app.cli.serve import serve_until_told
from app.cli.welcome import welcome
from app.cli.worker import worker_beside
from app.settings import read_settings


def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: PORT, or 8000].")] = None,
) -> None:
    """Serve with an embedded Postgres (or DATABASE_URL), migrated, with a worker and a demo tenant."""
    settings = read_settings()
    with ending_cleanly():
        listener = listen(host or settings.host, settings.port if port is None else port)
        if not settings.database_url:
            tell(f"Starting the embedded Postgres in {settings.home}")
        with database(settings) as ready:
            migrate_database(ready)
            key = prepare_demo(ready)
            # What is amiss is worth a line here; a line for each request would hide what is said above.
            quiet = ready.model_copy(update={"log_level": ready.log_level or "warning"})
            url = base_url(listener)
            try:
                with worker_beside(ready):
                    serve_until_told(quiet, listener, lambda _: typer.echo(welcome(url, key)))
            finally:
                tell("Stopping")
