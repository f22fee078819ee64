"""Looking keys up: whatever is sent, one query at a time asks for all that wait.

Somebody who sends random keys by the thousand costs no query each, and nobody whose key counts is turned away for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Final

from app.ports.ledger import StoreBusyError
from app.ports.tenants import FoundKey

__all__ = ["KeyLookups"]

_AT_ONCE: Final = 500
"""Keys that one query asks for."""
_MOST_WAITING: Final = 20_000
_UNKNOWN_A_SECOND: Final = 20.0
_UNKNOWN_AT_ONCE: Final = 100.0
"""So many unknown keys are looked up without delay; beyond that, queries keep a distance."""
_DISTANCE: Final = 0.05

Find = Callable[[Sequence[bytes]], Awaitable[Sequence[FoundKey]]]


class KeyLookups:
    """Looks up digests, those that wait at the same time by one query."""

    def __init__(self, find: Find) -> None:
        """Ask a store."""
        self._find = find
        self._waiting: dict[bytes, asyncio.Future[FoundKey | None]] = {}
        self._working: asyncio.Task[None] | None = None
        self._allowed = _UNKNOWN_AT_ONCE
        self._allowed_at = 0.0

    async def __call__(self, digest: bytes) -> FoundKey | None:
        """The key with a digest, or None for an unknown one.

        Raises:
            StoreUnavailableError: it cannot be looked up.
        """
        asked = self._waiting.get(digest)
        if asked is None:
            if len(self._waiting) >= _MOST_WAITING:
                raise StoreBusyError("too many keys are being looked up; try again later")
            asked = self._waiting[digest] = asyncio.get_running_loop().create_future()
            if self._working is None or self._working.done():
                self._working = asyncio.create_task(self._work())
        # Others may wait for the same.
        return await asyncio.shield(asked)

    async def _work(self) -> None:
        while self._waiting:
            if self._allowance() < 1:
                await asyncio.sleep(_DISTANCE)
            batch = dict(islice(self._waiting.items(), _AT_ONCE))
            for digest in batch:
                del self._waiting[digest]
            try:
                found = {one.digest: one for one in await self._find(list(batch))}
            except BaseException as error:
                failure = error if isinstance(error, Exception) else StoreBusyError("the server is ending")
                for one in batch.values():
                    one.set_exception(failure)
                if failure is not error:
                    raise
                continue
            self._allowed -= len(batch) - len(found)
            for digest, one in batch.items():
                one.set_result(found.get(digest))

    def _allowance(self) -> float:
        now = asyncio.get_running_loop().time()
        more = (now - self._allowed_at) * _UNKNOWN_A_SECOND
        # However many were asked for, it is made up for soon.
        self._allowed = min(_UNKNOWN_AT_ONCE, max(self._allowed, -_UNKNOWN_A_SECOND) + more)
        self._allowed_at = now
        return self._allowed
