"""Hints that a feed has grown, by LISTEN and NOTIFY: on one connection for all who wait in this process.

They only make it quicker. While there is no such connection, or a pooler is between that knows no LISTEN, who waits
looks now and then.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import asyncpg

from app.ports.ledger import StoreUnavailableError
from app.store.change_feed import CHANNEL
from app.store.change_notices import PostgresChangeNotices
from app.store.connection import LOST, Connector

__all__ = ["PostgresChangeHints"]

_LOOK_SECONDS: Final = 5.0
"""Between two looks that nobody hinted at."""
_AGAIN_SECONDS: Final = 1.0
_ALIVE_SECONDS: Final = 10.0
"""Between two questions whether the connection still is one."""

_log: Final = logging.getLogger("partwise.changes")


class _Watch:
    """Keeps the promise of `app.ports.changes.Watch`."""

    def __init__(self, look_seconds: float) -> None:
        self.came = asyncio.Event()
        self._look_seconds = look_seconds

    async def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self._look_seconds)):
                await self.came.wait()
        self.came.clear()


class PostgresChangeHints:
    """Keeps the promise of `app.ports.changes.ChangeHints`."""

    def __init__(self, url: str, look_seconds: float = _LOOK_SECONDS) -> None:
        """Listen to a database, by its `postgresql+asyncpg://…` URL, from the first one on who waits.

        Args:
            url: of the database.
            look_seconds: between two looks that nobody hinted at.
        """
        self._connect = Connector(url)
        self._notices = PostgresChangeNotices(url)
        self._look_seconds = look_seconds
        self._watches: dict[str, set[_Watch]] = {}
        self._listening: asyncio.Task[None] | None = None

    @contextmanager
    def watch(self, tenant_id: str) -> Iterator[_Watch]:
        """Look out; see the port."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        watch = _Watch(self._look_seconds)
        self._watches.setdefault(tenant_id, set()).add(watch)
        try:
            yield watch
        finally:
            left = self._watches[tenant_id]
            left.remove(watch)
            if not left:
                del self._watches[tenant_id]

    def tell(self, tenant_id: str) -> None:
        """Tell those who look out, in whatever process, that a tenant's feed has grown."""
        self._notices.tell(tenant_id)

    async def close(self) -> None:
        """Listen and tell no more."""
        await self._notices.close()
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (*LOST, asyncpg.PostgresError, StoreUnavailableError) as error:
                _log.warning("nobody hints at changes at present: %s", type(error).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen_once(self) -> None:
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, self._came)
            # What came before is known to nobody.
            self._wake(*self._watches)
            while True:
                await asyncio.sleep(_ALIVE_SECONDS)
                await connection.fetchval("SELECT 1")
        finally:
            connection.terminate()

    def _came(self, connection: Any, pid: int, channel: str, tenant_id: str) -> None:
        del connection, pid, channel
        self._wake(tenant_id)

    def _wake(self, *tenant_ids: str) -> None:
        for tenant_id in tenant_ids:
            for watch in self._watches.get(tenant_id, ()):
                watch.came.set()
