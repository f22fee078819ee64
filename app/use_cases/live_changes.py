"""Follow changes live, many at once: one reading of a tenant's feed for all of its followers in this process.

What it reads is kept at hand for a while, and each follower has a place in it, so that a follower more costs no read
and holds no queue of its own. Who falls so far behind that it is kept no more is told, and comes again from its place.
"""

import asyncio
import contextvars
import logging
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from operator import attrgetter
from typing import Final

from app.ports.changes import AssessmentChange, Page
from app.ports.ledger import StoreUnavailableError
from app.use_cases.errors import PartwiseError
from app.use_cases.fairness import ACTING_FOR
from app.use_cases.follow_changes import FollowChanges

__all__ = ["FellBehindError", "LiveChanges"]

_PAGE: Final = 50
_KEPT: Final = 1_000
"""Changes of a tenant at hand: how far a follower may be behind."""
_PAUSE: Final = 60.0
"""Seconds after which an empty page is told."""
_AT_ONCE: Final = 20
"""Followers that are woken in one turn of the loop."""
_AGAIN: Final = 1.0
"""Seconds until the feed is read again when that went wrong."""

_log: Final = logging.getLogger("partwise.changes")


class FellBehindError(PartwiseError):
    """A follower is too far behind: it goes on by itself, from where it was."""


class LiveChanges:
    """Tells followers what comes."""

    def __init__(self, changes: FollowChanges, kept: int = _KEPT, pause: float = _PAUSE) -> None:
        """Read feeds by a use case.

        Args:
            changes: reads them.
            kept: changes of a tenant that are kept at hand.
            pause: seconds after which an empty page is told.
        """
        self._changes = changes
        self._kept = kept
        self._pause = pause
        self._readings: dict[str, _Reading] = {}

    async def newest(self, tenant_id: str) -> int:
        """The place after which nothing has come yet."""
        return await self._changes.newest(tenant_id)

    async def pages(self, tenant_id: str, after: int) -> AsyncGenerator[Page, None]:
        """Page after page, without an end; an empty one where nothing has come for a while.

        What there is already is read for this follower alone, as fast as it takes it; the first page comes at once.

        Raises:
            GoneError: some changes after the place are not kept any more.
            FellBehindError: it took what came too slowly.
            StoreUnavailableError: the database is away; only until it has caught up.
        """
        page = await self._changes.page(tenant_id, after, _PAGE)
        yield page
        while page.has_more:
            page = await self._changes.page(tenant_id, page.place, _PAGE)
            yield page
        with self._joined(tenant_id, page.place) as reading:
            # Others may have read on since.
            while not reading.reaches(page.place):
                page = await self._changes.page(tenant_id, page.place, _PAGE)
                yield page
            while True:
                page = await reading.after(page.place, self._pause)
                yield page

    async def close(self) -> None:
        """Read no more."""
        for reading in list(self._readings.values()):
            await reading.close()

    @contextmanager
    def _joined(self, tenant_id: str, place: int) -> Iterator["_Reading"]:
        reading = self._readings.get(tenant_id)
        if reading is None or reading.is_over:
            reading = self._readings[tenant_id] = _Reading(self._changes, tenant_id, place, self._kept)
        reading.followers += 1
        try:
            yield reading
        finally:
            reading.followers -= 1
            if not reading.followers and self._readings.get(tenant_id) is reading:
                del self._readings[tenant_id]
                reading.stop()


class _Reading:
    """What is read of one feed: the newest changes, for as long as somebody follows."""

    def __init__(self, changes: FollowChanges, tenant_id: str, place: int, kept: int) -> None:
        self.followers = 0
        self.is_over = False
        self._changes = changes
        self._tenant_id = tenant_id
        self._begins = self._place = place
        """What is at hand is all that came after the one, up to the other."""
        self._at_hand: list[AssessmentChange] = []
        self._kept = kept
        self._waiting: dict[asyncio.Future[None], None] = {}
        """Who is to be woken when something has come."""
        self._wanted = asyncio.Event()
        # For all who follow: it is no part of the request of the first one.
        self._task = asyncio.create_task(self._read(), context=contextvars.Context())

    def reaches(self, place: int) -> bool:
        """Whether what came after a place is at hand."""
        return place >= self._begins

    async def after(self, place: int, pause: float) -> Page:
        if self._place <= place and self.reaches(place):
            # It is read on only when somebody is at the end: nobody falls behind whom all wait for.
            self._wanted.set()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[waiter] = None
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await waiter
            finally:
                self._waiting.pop(waiter, None)
        # Also after the wait: more may have come than is kept.
        if not self.reaches(place):
            raise FellBehindError("what came was taken too slowly; go on from the last cursor")
        first = bisect_right(self._at_hand, place, key=attrgetter("place"))
        found = self._at_hand[first : first + _PAGE]
        has_more = first + _PAGE < len(self._at_hand)
        return Page(found, found[-1].place if has_more else max(place, self._place), has_more)

    def stop(self) -> None:
        self._task.cancel()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        ACTING_FOR.set(self._tenant_id)
        while True:
            try:
                limit = min(2 * _PAGE, self._kept)
                pages = self._changes.pages(self._tenant_id, self._place, limit, _PAUSE)
                async with aclosing(pages):
                    async for page in pages:
                        self._take(page)
                        if page.changes:
                            await self._tell()
                            await self._wanted.wait()
                            self._wanted.clear()
                # The process is about to end: whoever follows is told by others.
                return
            except StoreUnavailableError:
                await asyncio.sleep(_AGAIN)
            except PartwiseError:
                # Nobody was at the end for as long as changes are kept.
                self._begins, self.is_over = self._place + 1, True
                await self._tell()
                return
            except Exception:
                _log.exception("a feed could not be read")
                await asyncio.sleep(_AGAIN)

    def _take(self, page: Page) -> None:
        self._at_hand += page.changes
        self._place = max(self._place, page.place)
        if len(self._at_hand) > self._kept:
            beyond = len(self._at_hand) - self._kept
            self._begins = self._at_hand[beyond - 1].place
            del self._at_hand[:beyond]

    async def _tell(self) -> None:
        """Wake whoever waits, some at a time: others who ask this process for something are not to wait for all."""
        waiting, self._waiting = list(self._waiting), {}
        for number, waiter in enumerate(waiting, start=1):
            if not waiter.done():
                waiter.set_result(None)
            if not number % _AT_ONCE:
                await asyncio.sleep(0)
