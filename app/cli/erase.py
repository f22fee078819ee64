"""`erase`: finish the erasure of clients."""

import asyncio
from typing import Annotated

import typer

from app.cli.database import database, tell
from app.cli.ending import ending_cleanly
from app.cli.errors import CommandError
from app.settings import Settings, read_settings

_LOOK_AGAIN = 1.0
"""Seconds until it looks again at what somebody else is removing."""


def erase(
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Remove what is left of clients that were erased over the API.")
    ] = False,
) -> None:
    """Finish erasures that were broken off, or had more to remove than a request has time for."""
    if not unfinished:
        raise CommandError("erase needs --unfinished; to erase a client, DELETE /v1/clients/{id}")
    with ending_cleanly(), database(read_settings()) as settings:
        asyncio.run(_finish(settings))
        tell("No erasure is unfinished.")


async def _finish(settings: Settings) -> None:
    from app.composition import services_for

    async with services_for(settings) as services:
        while left := await services.erase.finish():
            tell(f"Erasures that were unfinished: {left}.")
            await asyncio.sleep(_LOOK_AGAIN)
