"""Puts together what delivers webhooks."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

import app as partwise
from app.outgoing.sender import HttpSender
from app.outgoing.signing import key_of
from app.ports.changes import ChangeHints
from app.ports.clock import Clock
from app.settings import Settings
from app.store.change_feed import PostgresChangeFeed
from app.store.outbox import PostgresOutbox
from app.store.reads import Reads
from app.use_cases.deliver import Deliver, Deliveries
from app.wire.messages import JsonMessages

__all__ = ["delivering_for", "keys_of", "sender_for"]


def sender_for(settings: Settings) -> HttpSender:
    """What sends webhooks; to be closed."""
    return HttpSender(f"Partwise/{partwise.__version__}", settings.webhook_networks, settings.webhook_timeout)


def keys_of(secrets: Sequence[str]) -> list[bytes]:
    """What signs, of secrets as they are told."""
    return [key_of(one) for one in secrets]


@asynccontextmanager
async def delivering_for(
    settings: Settings, engine: AsyncEngine, reads: Reads, hints: ChangeHints, *, clock: Clock, told: Deliveries
) -> AsyncIterator[Deliver]:
    """What delivers webhooks in a worker, for as long as the block lasts."""
    sender = sender_for(settings)
    deliver = Deliver(
        PostgresOutbox(engine, reads),
        PostgresChangeFeed(engine, reads),
        hints,
        sender,
        JsonMessages(),
        keys_of,
        clock,
        told,
        retries=settings.webhook_retries,
        connections=settings.webhook_connections,
        keep_days=settings.deliveries_keep,
    )
    try:
        yield deliver
    finally:
        await deliver.close()
        await sender.close()
