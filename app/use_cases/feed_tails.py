"""The ends of feeds, read once in a process for all webhooks of a tenant, with the messages made of them."""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from app.ports.changes import AssessmentChange, ChangeFeed, ChangeHints, ForgottenPlaceError
from app.ports.ledger import StoreUnavailableError
from app.ports.sending import Message
from app.use_cases.messages import MessageFormat, id_of_change

__all__ = ["Noted", "Tails"]

_PAGE: Final = 500
_KEPT: Final = 2_000
"""Changes of a tenant that are kept at hand; who is further behind reads by himself."""
_LOOK_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 1.0

_log = logging.getLogger("partwise.webhooks")


@dataclass(frozen=True, slots=True)
class Noted:
    """A change, the message that tells of it, and when it was read, by the loop's clock."""

    change: AssessmentChange
    message: Message
    read_at: float


class _Tail:
    def __init__(self, place: int) -> None:
        self.place = place
        # Places of `changes`; what lies between `begins` and `place` and is not among them was not told.
        self.begins = place
        self.places: list[int] = []
        self.changes: list[Noted] = []
        self.listeners: set[Callable[[], None]] = set()
        self.task: asyncio.Task[None] | None = None


class Tails:
    """Follows the feeds of those tenants for whom there is somebody to tell."""

    def __init__(self, feed: ChangeFeed, hints: ChangeHints, form: MessageFormat) -> None:
        """Read a feed when it is hinted at, and make messages."""
        self._feed = feed
        self._hints = hints
        self._form = form
        self._tails: dict[str, _Tail] = {}

    def listen(self, tenant_id: str, place: int, wake: Callable[[], None]) -> None:
        """Wake somebody when something comes, until he leaves; what comes after a place is kept at hand."""
        tail = self._tails.get(tenant_id)
        if tail is None:
            tail = self._tails[tenant_id] = _Tail(place)
            tail.task = asyncio.create_task(self._follow(tenant_id, tail))
        tail.listeners.add(wake)

    def leave(self, tenant_id: str, wake: Callable[[], None]) -> None:
        """Wake somebody no more."""
        tail = self._tails.get(tenant_id)
        if tail is None:
            return
        tail.listeners.discard(wake)
        if not tail.listeners:
            del self._tails[tenant_id]
            if tail.task is not None:
                tail.task.cancel()

    async def close(self) -> None:
        """Follow none any more."""
        for tail in self._tails.values():
            if tail.task is not None:
                tail.task.cancel()
                with suppress(asyncio.CancelledError):
                    await tail.task
        self._tails.clear()

    async def after(self, tenant_id: str, place: int, limit: int) -> tuple[Sequence[Noted], int]:
        """The changes after a place, `limit` at most, and the place to go on at; for who listens."""
        tail = self._tails[tenant_id]
        if place >= tail.place:
            return (), place
        if place >= tail.begins:
            first = bisect_right(tail.places, place)
            found = tail.changes[first : first + limit]
            at_end = first + limit >= len(tail.changes)
            return found, tail.place if at_end else found[-1].change.place
        return await self._read(tenant_id, place, limit)

    async def _read(self, tenant_id: str, place: int, limit: int) -> tuple[Sequence[Noted], int]:
        now = asyncio.get_running_loop().time()
        try:
            page = await self._feed.page(tenant_id, place, limit)
        except ForgottenPlaceError:
            # What is kept no longer cannot be told any more.
            page = await self._feed.page(tenant_id, None, limit)
            if page.place <= place:
                return (), place
        noted = [
            Noted(one, Message(id_of_change(tenant_id, one.place), self._form.changed(one)), now)
            for one in page.changes
        ]
        return noted, page.place

    async def _follow(self, tenant_id: str, tail: _Tail) -> None:
        with self._hints.watch(tenant_id) as watch:
            while True:
                try:
                    found, place = await self._read(tenant_id, tail.place, _PAGE)
                except StoreUnavailableError:
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                except Exception:
                    _log.exception("a feed could not be read")
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                if place > tail.place:
                    _add(tail, found, place)
                    for wake in tuple(tail.listeners):
                        wake()
                if len(found) < _PAGE:
                    await watch.wait(_LOOK_SECONDS)


def _add(tail: _Tail, found: Sequence[Noted], place: int) -> None:
    tail.changes.extend(found)
    tail.places.extend(one.change.place for one in found)
    tail.place = place
    if len(tail.changes) > 2 * _KEPT:
        tail.begins = tail.places[-_KEPT - 1]
        del tail.changes[:-_KEPT], tail.places[:-_KEPT]
