"""When keys were last used: noted once a minute, beside the requests and not in them."""

import asyncio
import logging
from contextvars import Context
from datetime import datetime, timedelta
from typing import Final

from app.ports.ledger import StoreUnavailableError
from app.ports.tenants import ApiKey, Tenants
from app.use_cases.recent import Recent

__all__ = ["KeyUses"]

_EVERY: Final = timedelta(minutes=1)
_MOST: Final = 10_000
_log = logging.getLogger("partwise.keys")


class KeyUses:
    """Notes uses, one after the other, in a task of its own."""

    def __init__(self, tenants: Tenants) -> None:
        """Note them with the keys."""
        self._tenants = tenants
        self._noted: Recent[tuple[str, str], datetime] = Recent(_MOST)
        self._left: dict[tuple[str, str], datetime] = {}
        self._working: asyncio.Task[None] | None = None

    def note(self, key: ApiKey, now: datetime) -> None:
        """Note that a key was used; nobody waits for it."""
        name = (key.tenant_id, key.key_id)
        last = self._noted.get(name) or key.last_used_at
        if last is not None and now - last < _EVERY:
            return
        self._noted.put(name, now)
        if len(self._left) < _MOST:
            self._left[name] = now
        if self._working is None or self._working.done():
            # It is no part of the request at hand, nor of its trace.
            self._working = asyncio.create_task(self._work(), context=Context())

    async def close(self) -> None:
        """Wait until all is noted."""
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        while self._left:
            (tenant_id, key_id), at = self._left.popitem()
            try:
                await self._tenants.used(tenant_id, key_id, at)
            except StoreUnavailableError:
                # A later use is noted again.
                self._noted.drop((tenant_id, key_id))
            except Exception:
                _log.exception("a use of a key could not be noted")
