"""`demo`: a portfolio of ten clients to look at, the canonical stories."""

import asyncio
from contextlib import suppress
from datetime import UTC, date, datetime

import typer

from app.cli.database import database, tell
from app.cli.migrate import migrate_database
from app.ports.ledger import NewEvent
from app.ports.tenants import Scope
from app.services import Services
from app.settings import Settings, read_settings
from app.stories import STORIES, events_of, monday_of
from app.use_cases.errors import UnauthenticatedError

_SCOPES = frozenset(Scope)
_FILE = "demo-key"


def demo() -> None:
    """Load the demo portfolio of this week; print an API key of its tenant, and nothing else, on stdout."""
    with database(read_settings()) as ready:
        migrate_database(ready)
        key = prepare_demo(ready)
        tell(f"The demo portfolio holds {len(STORIES)} clients.")
        typer.echo(key)


def prepare_demo(settings: Settings) -> str:
    """Load the demo and return its key, the same as in the run before where that one is still good."""
    kept = kept_key(settings)
    key = asyncio.run(load_demo(settings, kept))
    file = settings.home / _FILE
    if key != kept:
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(key + "\n")
    return key


def kept_key(settings: Settings) -> str:
    """The key of the newest demo in this data folder; empty where there is none."""
    with suppress(OSError, UnicodeDecodeError):
        return (settings.home / _FILE).read_text().strip()
    return ""


async def load_demo(settings: Settings, kept: str = "", today: date | None = None) -> str:
    """Tell the demo tenant the canonical stories and return a key of it: the kept one, while it is one of its.

    Stories are told as of the week, so that they stay recent; each week has a tenant of its own, so that loading again
    changes nothing within a week and never mixes two tellings.
    """
    from app.composition import services_for

    monday = monday_of(today or datetime.now(UTC).date())
    async with services_for(settings) as services:
        key = await _key(services, f"demo-{monday:%G-W%V}", kept)
        principal = await services.keys.authenticate(key)
        for story in STORIES:
            found = [services.decoder.structured(raw) for raw in events_of(story, monday)]
            assert all(isinstance(one, NewEvent) for one in found), found
            await services.record(principal.tenant_id, [one for one in found if isinstance(one, NewEvent)])
        return key


async def _key(services: Services, tenant: str, kept: str) -> str:
    with suppress(UnauthenticatedError):
        principal = await services.keys.authenticate(kept)
        if any(one.key_id == principal.key_id for one in await services.keys.of(tenant)):
            return kept
    return await services.keys.create(tenant, _SCOPES, name="demo")
