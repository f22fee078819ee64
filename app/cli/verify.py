"""`verify`: hold what is stored against what the events come to."""

import asyncio
from typing import Annotated

import typer

from app.cli.database import database, tell
from app.settings import Settings, read_settings

MOST_TOLD = 100
"""Differences that are told one by one."""


def verify(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant, by name [default: all].")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many clients of each [default: all].")] = None,
) -> None:
    """Work out anew what is stored beside the events, and say what differs; 1 when anything does."""
    with database(read_settings()) as ready:
        differences = asyncio.run(verify_tenants(ready, tenant, sample))
    if differences:
        raise typer.Exit(1)


async def verify_tenants(settings: Settings, name: str | None, sample: int | None) -> int:
    """Verify one tenant or all, and tell; how many differences there are."""
    from app.cli.errors import CommandError
    from app.composition import verification_for

    compared = outdated = differences = 0
    async with verification_for(settings) as (tenants, verification):
        found = [one for one in await tenants.all() if name is None or one.name == name]
        if name is not None and not found:
            raise CommandError(f"there is no tenant {name!r}")
        for one in found:
            async for checked in verification(one.tenant_id, sample):
                compared += checked.compared
                outdated += checked.outdated
                for difference in checked.differences:
                    differences += 1
                    if differences <= MOST_TOLD:
                        whose = "" if difference.client_id is None else f", client {difference.client_id!r}"
                        typer.echo(f"tenant {one.name!r}{whose}: {difference.what}: {difference.detail}")
    tell(f"{compared} compared, {differences} differ; {outdated} were not, as they are to be made anew anyway.")
    return differences
