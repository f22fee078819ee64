"""The change feed: what became other about clients, in one order for each tenant, once it is durable."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.core.reading import Aspect, Reading

__all__ = ["AssessmentChange", "ChangeFeed", "ChangeHints", "ForgottenPlaceError", "Page", "Watch"]


class ForgottenPlaceError(Exception):
    """What came after a place is not kept any more, or never was."""


@dataclass(frozen=True, slots=True)
class AssessmentChange:
    """That a client's stored assessment became another one.

    Attributes:
        place: in the tenant's feed, from 1 upwards; never given twice.
        at: when it was stored, an instant in UTC.
        client_id: whose.
        as_of: the instant that the new assessment was made for.
        aspects: what changed.
        before: the assessment before, in short; None for a client's first.
        after: the new one.
    """

    place: int
    at: datetime
    client_id: str
    as_of: datetime
    aspects: frozenset[Aspect]
    before: Reading | None
    after: Reading


@dataclass(frozen=True, slots=True)
class Page:
    """Changes in their order.

    Attributes:
        changes: the first ones after the place that was asked for.
        place: where to go on: nothing up to it will ever be added.
        has_more: whether there are more already.
    """

    changes: Sequence[AssessmentChange]
    place: int
    has_more: bool


class ChangeFeed(Protocol):
    """Reads feeds; changes come in with the assessments. Every method raises `StoreUnavailableError` when it cannot."""

    async def page(self, tenant_id: str, after: int | None, limit: int) -> Page:
        """A part of the feed.

        Args:
            tenant_id: whose.
            after: changes after this place; None for all that are kept.
            limit: at most so many.

        Raises:
            ForgottenPlaceError: some after this place are not kept any more, or there never was such a place.
        """
        ...

    async def newest(self, tenant_id: str) -> int:
        """The place of the newest change; 0 where there was none."""
        ...

    async def remove_old(self, days: int, most: int) -> int:
        """Remove some changes, of whatever tenants, that are older than so many days; how many there were."""
        ...


class Watch(Protocol):
    """Looks out for what comes into a feed."""

    async def wait(self, seconds: float) -> None:
        """Return when something may have come since this was last called, at the latest after so many seconds.

        It is a hint alone: now and then it returns though nothing has come, and what has come may be told late.
        """
        ...


class ChangeHints(Protocol):
    """Says when it is worth looking into a feed."""

    def watch(self, tenant_id: str) -> AbstractContextManager[Watch]:
        """Look out for as long as the block lasts."""
        ...
