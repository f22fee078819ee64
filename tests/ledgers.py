"""A ledger for a test, over the database of an engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from app.composition import SystemClock
from app.store.ledger import PostgresLedger
from app.store.writes import Writes
from app.wire.cloudevents import EventDecoder

__all__ = ["DECODER", "ledger_over"]

DECODER = EventDecoder(SystemClock())


@asynccontextmanager
async def ledger_over(engine: AsyncEngine, pool_size: int = 8) -> AsyncIterator[PostgresLedger]:
    """A ledger that reads by the engine and writes by a pool of its own, for as long as the block lasts."""
    writes = Writes(engine.url.render_as_string(hide_password=False), pool_size, 10.0)
    try:
        yield PostgresLedger(engine, writes, DECODER.load)
    finally:
        await writes.close()
