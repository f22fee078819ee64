"""Erase clients: at once for everybody who looks, row by row for the disk."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from app.ports.audit import CLI, Actor
from app.ports.clients import ClientRecord
from app.ports.clock import Clock
from app.ports.conditions import UnfitError
from app.ports.erasures import Erasure, Erasures, Step
from app.ports.tracing import OFF, Tracing
from app.use_cases.errors import NotFoundError, PreconditionFailedError
from app.use_cases.fairness import acting_for

__all__ = ["EraseClients"]

_AT_ONCE: Final = 5.0
"""Seconds that a request removes rows for, before it leaves the rest to others."""
_LOOK_AGAIN: Final = 0.05
"""Seconds until one looks again at what somebody else is removing."""
_COUNTED: Final = 1_000
_ROUND: Final = 100
"""Erasures of one round at most."""


class EraseClients:
    """Erases clients, and finishes what was broken off."""

    def __init__(self, erasures: Erasures, clock: Clock, at_once: float = _AT_ONCE, tracing: Tracing = OFF) -> None:
        """Remove rows at the time of a clock, for so many seconds within a request."""
        self._tracing = tracing
        self._erasures = erasures
        self._clock = clock
        self._at_once = at_once

    async def __call__(
        self,
        tenant_id: str,
        client_id: str,
        by: Actor = CLI,
        fits: Callable[[ClientRecord], bool] | None = None,
    ) -> Erasure:
        """Erase a client; once more is harmless, and goes on where it was broken off.

        Args:
            tenant_id: whose client.
            client_id: which.
            by: who does it.
            fits: whether it is to be, of the client as it is then; one that was erased already is no matter.

        Returns:
            The tombstone; without `finished_at` where there was more to remove than a request has time for.

        Raises:
            NotFoundError: there neither is nor was such a client.
            PreconditionFailedError: it does not fit.
            StoreUnavailableError: not all is done, or it is not known; asking again is safe.
        """
        try:
            erasure = await self._erasures.begin(tenant_id, client_id, self._clock.now(), by, fits)
        except UnfitError:
            raise PreconditionFailedError("the client is not as you know it: it was changed since") from None
        if erasure is None:
            raise NotFoundError(f"there is no client {client_id!r}")
        if erasure.finished_at is None:
            await self._remove(tenant_id, erasure.digest)
            erasure = await self._erasures.get(tenant_id, erasure.digest) or erasure
        return erasure

    async def finish(self) -> int:
        """Remove what is left of erased clients, of all tenants; for the worker, and safe to break off.

        Any number may do it at once: each leaves alone what another is at. A large client takes a while; other work is
        not to wait for it.

        Returns:
            How many erasures were not finished when it looked; 0 when there is nothing to do.
        """
        found = await self._erasures.unfinished(_ROUND)
        for tenant_id, digest in found:
            with acting_for(tenant_id), self._tracing.span("finish erasure"):
                while await self._erasures.step(tenant_id, digest, self._clock.now()) is Step.MORE:
                    pass
        return len(found)

    async def unfinished(self) -> int:
        """How many erasures are not finished, counted up to a thousand."""
        return len(await self._erasures.unfinished(_COUNTED))

    async def one(self, tenant_id: str, digest: bytes) -> Erasure:
        """One tombstone.

        Raises:
            NotFoundError: no client with such an id was erased.
        """
        found = await self._erasures.get(tenant_id, digest)
        if found is None:
            raise NotFoundError("no client whose id has this digest was erased")
        return found

    async def page(
        self, tenant_id: str, after: tuple[datetime, bytes] | None, limit: int
    ) -> tuple[list[Erasure], tuple[datetime, bytes] | None]:
        """List tombstones by time; the second part is where the next page begins, or None at the end."""
        found = await self._erasures.page(tenant_id, after, limit + 1)
        page = found[:limit]
        return page, (page[-1].erased_at, page[-1].digest) if len(found) > limit else None

    async def _remove(self, tenant_id: str, digest: bytes) -> None:
        now = asyncio.get_running_loop().time
        until = now() + self._at_once
        while now() < until:
            step = await self._erasures.step(tenant_id, digest, self._clock.now())
            if step is Step.DONE:
                return
            if step is Step.TAKEN:
                await asyncio.sleep(_LOOK_AGAIN)
