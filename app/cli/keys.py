"""`keys`: make, list, rotate and revoke API keys."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from app.cli.database import database, tell
from app.cli.errors import CommandError
from app.cli.migrate import migrate_database
from app.ports.tenants import Scope
from app.settings import read_settings
from app.use_cases.keys import Keys
from app.wire.durations import read_duration
from app.wire.moments import read_instant

T = TypeVar("T")

group = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)

_Tenant = Annotated[str, typer.Option(help="Name of the tenant.")]
_KeyId = Annotated[str, typer.Option("--key", help="Id of the key, as `keys list` shows it.")]


@group.callback()
def keys() -> None:
    """Make, list, rotate and revoke API keys."""


@group.command()
def create(
    tenant: Annotated[str, typer.Option(help="Name of the tenant; made where there is none.")],
    scopes: Annotated[str, typer.Option(help="Comma-separated: ingest, read, manage, metrics.")] = "ingest,read",
    name: Annotated[str, typer.Option(help="What it is called, for people.")] = "key",
    expires: Annotated[str | None, typer.Option(help="When it ends, such as 2026-12-31T00:00:00Z.")] = None,
) -> None:
    """Print a new key, and nothing else, on stdout."""
    try:
        wanted = frozenset(Scope(scope.strip()) for scope in scopes.split(","))
    except ValueError:
        raise CommandError(f"--scopes: expected some of {', '.join(Scope)}; got {scopes!r}") from None
    try:
        expires_at = None if expires is None else read_instant(expires)
    except ValueError as error:
        raise CommandError(f"--expires: {error}") from None
    typer.echo(_with_keys(lambda found: found.create(tenant, wanted, name, expires_at)))


@group.command("list")
def list_(tenant: _Tenant) -> None:
    """Print the keys of a tenant, a line each: id, hint, scopes, how it stands, when it was last used, name."""

    async def lines(found: Keys) -> list[str]:
        await found.tenant(tenant)
        return [
            "\t".join(
                (
                    one.key_id,
                    one.hint,
                    ",".join(sorted(one.scopes)),
                    "ended" if found.has_ended(one) else "active",
                    one.last_used_at.isoformat(timespec="seconds") if one.last_used_at else "never used",
                    one.name,
                )
            )
            for one in await found.of(tenant)
        ]

    for line in _with_keys(lines):
        typer.echo(line)


@group.command()
def rotate(
    tenant: _Tenant,
    key_id: _KeyId,
    overlap: Annotated[
        str, typer.Option(help="How long the secret before still works: seconds, or P7D, PT1H.")
    ] = "P1D",
) -> None:
    """Print another secret for a key, and nothing else, on stdout."""
    try:
        wanted = read_duration(int(overlap) if overlap.isascii() and overlap.isdigit() else overlap)
    except ValueError as error:
        raise CommandError(f"--overlap: {error}") from None

    async def rotated(found: Keys) -> str:
        return (await found.rotate(await found.tenant(tenant), key_id, wanted)).secret

    typer.echo(_with_keys(rotated))


@group.command()
def revoke(
    tenant: _Tenant,
    key_id: _KeyId,
    force: Annotated[bool, typer.Option("--force", help="Also if it is the last one that can manage keys.")] = False,
) -> None:
    """End a key."""

    async def revoked(found: Keys) -> None:
        await found.revoke(await found.tenant(tenant), key_id, force=force)

    _with_keys(revoked)
    tell("The key has ended; servers that run take it for a few seconds more.")


def _with_keys(work: Callable[[Keys], Awaitable[T]]) -> T:
    """Do something with the keys in the database of the surroundings, migrated."""

    async def run() -> T:
        from app.composition import services_for

        async with services_for(ready) as services:
            return await work(services.keys)

    with database(read_settings()) as ready:
        migrate_database(ready)
        return asyncio.run(run())
