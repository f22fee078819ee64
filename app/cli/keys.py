"""`keys`: make API keys."""

import asyncio
from typing import Annotated

import typer

from app.cli.database import database
from app.cli.errors import CommandError
from app.cli.migrate import migrate_database
from app.ports.tenants import Scope
from app.settings import Settings, read_settings

group = typer.Typer(help="Make API keys.", no_args_is_help=True)


@group.callback()
def keys() -> None:
    """Make API keys."""


@group.command()
def create(
    tenant: Annotated[str, typer.Option(help="Name of the tenant; made where there is none.")],
    scopes: Annotated[str, typer.Option(help="Comma-separated: ingest, read, manage, metrics.")] = "ingest,read",
) -> None:
    """Print a new key, and nothing else, on stdout."""
    try:
        wanted = frozenset(Scope(scope.strip()) for scope in scopes.split(","))
    except ValueError:
        raise CommandError(f"--scopes: expected some of {', '.join(Scope)}; got {scopes!r}") from None
    with database(read_settings()) as ready:
        migrate_database(ready)
        typer.echo(asyncio.run(_create(ready, tenant, wanted)))


async def _create(settings: Settings, tenant: str, scopes: frozenset[Scope]) -> str:
    from app.composition import services_for

    async with services_for(settings) as services:
        return await services.keys.create(tenant, scopes)
