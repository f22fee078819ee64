"""`rates`: what a tenant or one of its keys may ask for, where it is not what holds for all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from app.cli.database import database, tell
from app.cli.errors import CommandError
from app.cli.migrate import migrate_database
from app.ports.rates import EVERY_KEY, UNITS, Override, parse_rates
from app.services import Services
from app.settings import read_settings

T = TypeVar("T")

group = typer.Typer(help="List, set and unset what a tenant or a key may ask for.", no_args_is_help=True)

_Tenant = Annotated[str, typer.Option(help="Name of the tenant.")]
_Who = Annotated[str | None, typer.Option("--key", help="Id of a key; without it, for all keys of the tenant.")]
_SECONDS = 60


@group.callback()
def rates() -> None:
    """List, set and unset what a tenant or a key may ask for."""


@group.command("list")
def list_(tenant: _Tenant) -> None:
    """Print what holds instead of the defaults, a line each: key or `all`, and the rate."""

    async def lines(services: Services) -> list[str]:
        found = await services.rates.overrides(await services.keys.tenant(tenant))
        return [f"{one.who.removeprefix('key:') or 'all'}\t{_told(one)}" for one in found]

    for line in _with_services(lines):
        typer.echo(line)


@group.command("set")
def set_(
    tenant: _Tenant, rates: Annotated[str, typer.Argument(help="Such as burst=100/10 events=off.")], key: _Who = None
) -> None:
    """Let other rates hold; `name=off` for no limit of that name."""
    wanted = []
    for part in rates.replace(",", " ").split():
        name, _, rate = part.partition("=")
        if rate == "off" and name in UNITS:
            wanted.append(Override(_who(key), name, None, _SECONDS))
            continue
        try:
            wanted += [Override(_who(key), one.name, one.quota, one.seconds) for one in parse_rates(part)]
        except ValueError as error:
            raise CommandError(str(error)) from None

    async def stored(services: Services) -> None:
        tenant_id = await services.keys.tenant(tenant)
        if key is not None:
            await services.keys.one(tenant_id, key)
        for one in wanted:
            await services.rates.override(tenant_id, one)

    _with_services(stored)
    tell("Servers that run take it within a minute.")


@group.command()
def unset(tenant: _Tenant, name: Annotated[str, typer.Argument(help=", ".join(UNITS))], key: _Who = None) -> None:
    """Let the default hold again."""

    async def dropped(services: Services) -> None:
        await services.rates.drop_override(await services.keys.tenant(tenant), _who(key), name)

    _with_services(dropped)
    tell("Servers that run take it within a minute.")


def _who(key: str | None) -> str:
    return EVERY_KEY if key is None else f"key:{key}"


def _told(one: Override) -> str:
    return f"{one.name}=off" if one.quota is None else f"{one.name}={one.quota}/{one.seconds}"


def _with_services(work: Callable[[Services], Awaitable[T]]) -> T:
    async def run() -> T:
        from app.composition import services_for

        async with services_for(ready) as services:
            return await work(services)

    with database(read_settings()) as ready:
        migrate_database(ready)
        return asyncio.run(run())
