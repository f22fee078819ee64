"""Net changes: what became of a tenant's clients in a part of the feed of changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.core.net_change import NetChange, NetKind

__all__ = ["FeedPart", "Net", "NetChanges"]


@dataclass(frozen=True, slots=True)
class FeedPart:
    """A part of a feed: the changes after one place, up to another."""

    after: int
    until: int


@dataclass(frozen=True, slots=True)
class Net:
    """What became of the clients of whom a part of a feed tells.

    Attributes:
        counts: how many clients, by what became of them; those that are nobody's too.
        first: the clients that matter most, in that order; see `NetChanges.net`.
        cut: where there were too many changes, when the oldest one that was looked at was stored; None where all were.
    """

    counts: Mapping[NetKind, int]
    first: Sequence[NetChange]
    cut: datetime | None


class NetChanges(Protocol):
    """Reads feeds from one end of a period to the other. Every method raises `StoreUnavailableError` when it cannot."""

    async def part(self, tenant_id: str, since: datetime | int, until: datetime | None) -> FeedPart:
        """The part of the feed of some period.

        Args:
            tenant_id: whose.
            since: its changes were stored at this instant or later; or they come after a place.
            until: and before this instant; None for all that there are.

        Raises:
            ForgottenPlaceError: some after the place are not kept any more, or there never was such a place.
        """
        ...

    async def reached(self, tenant_id: str, place: int) -> datetime | None:
        """When the change at a place was stored, or the last one before it that is kept; None where there is none."""
        ...

    async def net(self, tenant_id: str, part: FeedPart, most: int, limit: int) -> Net:
        """What became of clients in a part of the feed.

        What matters most comes first: who became worse, new ones with a verdict worse than `keep`, who became better,
        other new ones, who returned; of each the worst verdict first, then who moved most, then by id. Who moved
        slightly is counted alone.

        Args:
            tenant_id: whose.
            part: which part.
            most: so many changes at most are looked at, the newest ones.
            limit: so many clients at most.
        """
        ...
