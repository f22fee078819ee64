"""Notices that feeds have grown, by NOTIFY: after the commit, few of them, on one connection for a process.

A transaction with a NOTIFY commits under a lock of the whole database, which lasts until it is on disk: those who store
assessments would wait for each other, whosever they are. So whoever has stored something only says so here, and it is
told soon after, of all tenants together. What is lost on the way is found by whoever looks now and then.
"""

import asyncio
import logging
from contextlib import suppress
from contextvars import Context
from typing import Final

import asyncpg

from app.ports.ledger import StoreUnavailableError
from app.store.change_feed import CHANNEL
from app.store.connection import LOST, Connector

__all__ = ["PostgresChangeNotices"]

_PAUSE_SECONDS: Final = 0.05
"""Between two notices."""
# Nothing is written that would have to be on disk before it is told.
_TELL: Final = """
    SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, grown.tenant_id)
    FROM unnest($2::text[]) AS grown (tenant_id)
"""

_log: Final = logging.getLogger("partwise.changes")


class PostgresChangeNotices:
    """Tells whoever listens, in whatever process, whose feeds have grown."""

    def __init__(self, url: str, pause_seconds: float = _PAUSE_SECONDS) -> None:
        """Tell by a database, by its `postgresql+asyncpg://…` URL, from the first notice on.

        Args:
            url: of the database.
            pause_seconds: between two notices; what comes meanwhile is told together.
        """
        self._connect = Connector(url)
        self._pause_seconds = pause_seconds
        self._grown: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self._is_closed = False
        self._connection: asyncpg.Connection | None = None

    def tell(self, tenant_id: str) -> None:
        """Tell that a tenant's feed has grown, soon: nobody waits for it."""
        if self._is_closed:
            # Some work ends later than who needs it; nobody would hang up.
            return
        self._grown.add(tenant_id)
        if self._telling is None or self._telling.done():
            # It is nobody's request.
            self._telling = asyncio.get_running_loop().create_task(self._tell(), context=Context())

    async def close(self) -> None:
        """Tell no more."""
        self._is_closed = True
        if self._telling is not None:
            self._telling.cancel()
            with suppress(asyncio.CancelledError):
                await self._telling
        self._hang_up()

    async def _tell(self) -> None:
        while self._grown:
            grown, self._grown = self._grown, set()
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                await self._connection.execute(_TELL, CHANNEL, sorted(grown))
            except (*LOST, asyncpg.PostgresError, StoreUnavailableError) as error:
                _log.warning("nobody is told of changes at present: %s", type(error).__name__)
                self._hang_up()
            await asyncio.sleep(self._pause_seconds)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
