"""Once: a request is claimed before it is done and its answer kept after it, so that it may be sent again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from math import ceil
from typing import Final

from app.ports.ledger import StoreUnavailableError
from app.ports.requests import Answered, Claim, InFlight, Other, RequestKey, Requests
from app.use_cases.errors import PartwiseError

__all__ = ["Once", "OtherRequestError", "RequestInFlightError", "Work"]

_REMOVED: Final = 500
"""Old ones that one transaction removes at most."""
_log = logging.getLogger("partwise.once")


class OtherRequestError(PartwiseError):
    """Another request was sent under the same name."""


class RequestInFlightError(PartwiseError):
    """The same request is being done at this moment."""

    def __init__(self, seconds: int) -> None:
        """Ask to come again in some seconds."""
        super().__init__("the same request is being worked on; ask again for its answer")
        self.seconds = seconds


class Work:
    """A request that is to be done, by nobody else meanwhile."""

    def __init__(self, requests: Requests, key: RequestKey, claim: Claim) -> None:
        """Do it with a claim."""
        self._requests = requests
        self._key = key
        self._claim = claim
        self._is_kept = False

    @property
    def request_id(self) -> str:
        """The request's own id, the same if it is done again after a crash."""
        return self._claim.request_id

    async def keep(self, answer: bytes, client_id: str | None = None) -> None:
        """Keep the answer; it tells of a client, or of none.

        Where that is not possible the work is done all the same, and sending it again does it again.
        """
        try:
            await self._requests.answer(self._key, self._claim, answer, client_id)
            self._is_kept = True
        except StoreUnavailableError as error:
            _log.warning("an answer could not be kept", extra={"reason": str(error)})

    async def renew(self, lease: timedelta) -> None:
        """Let the claim hold for as long as the work takes."""
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            with contextlib.suppress(StoreUnavailableError):
                await self._requests.renew(self._key, self._claim, lease)

    async def release(self) -> None:
        """Let the next one do it, unless there is an answer."""
        if not self._is_kept:
            # If not now, the lease ends by itself.
            with contextlib.suppress(StoreUnavailableError):
                await self._requests.release(self._key, self._claim)


class Once:
    """Does requests once."""

    def __init__(self, requests: Requests, lease: timedelta, keep: timedelta) -> None:
        """Keep requests in a store.

        Args:
            requests: the store.
            lease: after this, what a server that has died was at is done again.
            keep: how long answers are kept.
        """
        self._requests = requests
        self._lease = lease
        self._keep = keep

    @asynccontextmanager
    async def claimed(self, key: RequestKey, fingerprint: bytes) -> AsyncIterator[Work | bytes]:
        """The work that a request is, or the answer that it had; without one at the end, it may be done again.

        Raises:
            OtherRequestError: another one has that name.
            RequestInFlightError: somebody is at it.
        """
        found = await self._requests.claim(key, fingerprint, self._lease, self._keep)
        if isinstance(found, Answered):
            yield found.answer
            return
        if isinstance(found, Other):
            raise OtherRequestError("this key was used for another request")
        if isinstance(found, InFlight):
            raise RequestInFlightError(_patience(found))
        work = Work(self._requests, key, found.claim)
        renewing = asyncio.create_task(work.renew(self._lease))
        try:
            yield work
        except asyncio.CancelledError:
            # Nobody knows how far it came: the lease decides.
            raise
        except BaseException:
            await work.release()
            raise
        else:
            await work.release()
        finally:
            renewing.cancel()

    async def remove_old(self) -> bool:
        """Remove some answers that are kept no longer; whether there may be more."""
        return await self._requests.remove_old(_REMOVED) == _REMOVED


def _patience(found: InFlight) -> int:
    """Seconds to wait: as long as it has taken by now, and no longer than the lease."""
    taken, left = (found.now - found.since).total_seconds(), (found.until - found.now).total_seconds()
    return max(1, ceil(min(taken, left)))
