"""Follow what becomes other about clients: page by page, and as it comes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from app.ports.changes import ChangeFeed, ChangeHints, ForgottenPlaceError, Page
from app.use_cases.errors import GoneError

__all__ = ["FollowChanges"]

_OLD: Final = 1_000
"""Old changes that are removed at once."""


class FollowChanges:
    """Reads the feeds of changes.

    What is told is durable; each follower has every change of a tenant in the same order, and those of a client in the
    order in which they came to be.
    """

    def __init__(
        self,
        feed: ChangeFeed,
        hints: ChangeHints,
        keep_days: int,
        longest_wait: float,
        is_ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read feeds.

        Args:
            feed: where changes are kept.
            hints: say when to look.
            keep_days: for how long they are kept.
            longest_wait: seconds that anybody is to wait for a page.
            is_ending: whether nobody is to wait any more, as the server is about to end.
        """
        self._feed = feed
        self._hints = hints
        self._keep_days = keep_days
        self.longest_wait = longest_wait
        self._is_ending = is_ending

    async def newest(self, tenant_id: str) -> int:
        """The place after which nothing has come yet."""
        return await self._feed.newest(tenant_id)

    async def page(self, tenant_id: str, after: int | None, limit: int, wait: float = 0.0) -> Page:
        """The changes after a place.

        Args:
            tenant_id: whose.
            after: the place; None for all that are kept.
            limit: at most so many.
            wait: seconds to wait for the first one, where there is none yet.

        Raises:
            GoneError: some after this place are not kept any more.
        """
        if wait <= 0:
            # Nobody need look out.
            return await self._page(tenant_id, after, limit)
        async with aclosing(self.pages(tenant_id, after, limit, wait)) as pages:
            return await anext(pages)

    async def pages(self, tenant_id: str, after: int | None, limit: int, pause: float) -> AsyncGenerator[Page, None]:
        """Page after page as they come, without an end; an empty one where nothing has come for a while.

        Args:
            tenant_id: whose.
            after: the place to begin after; None for all that are kept.
            limit: of a page.
            pause: seconds after which an empty page is told.

        Raises:
            GoneError: some after the place are not kept any more.
        """
        loop = asyncio.get_running_loop()
        with self._hints.watch(tenant_id) as watch:
            while True:
                deadline = loop.time() + pause
                page = await self._page(tenant_id, after, limit)
                while not page.changes and (left := deadline - loop.time()) > 0 and not self._is_ending():
                    await watch.wait(left)
                    page = await self._page(tenant_id, page.place, limit)
                yield page
                if self._is_ending():
                    return
                after = page.place

    async def remove_old(self) -> bool:
        """Remove some changes that are kept no longer, of all tenants; whether there were any. For the worker."""
        return await self._feed.remove_old(self._keep_days, _OLD) > 0

    async def _page(self, tenant_id: str, after: int | None, limit: int) -> Page:
        try:
            return await self._feed.page(tenant_id, after, limit)
        except ForgottenPlaceError:
            raise GoneError(
                f"changes are kept for {self._keep_days} days, and some after this place are not any more: "
                "read all clients anew, and follow from `after=latest`"
            ) from None
