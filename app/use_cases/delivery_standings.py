"""How one webhook stands: what is settled of the feed, and how its receiver does."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

__all__ = ["BREAKS_AFTER", "Health", "Places"]

BREAKS_AFTER: Final = 5
"""Failed tries in a row after which a webhook is paused."""
_SLOW_MILLISECONDS: Final = 2_000
_SLOW_FOR: Final = 10
"""Quick answers after which a receiver that was slow is not any more."""


class Places:
    """Which places of the feed are settled: all up to one, and some behind it."""

    def __init__(self, place: int, beyond: Collection[int]) -> None:
        """Begin where another one has come to."""
        self.read = place
        """How far the feed was read."""
        self._open: dict[int, None] = {}
        """Not settled, in order."""
        self._beyond = set(beyond)
        self._before = frozenset(beyond)

    def was_settled(self, place: int) -> bool:
        """Whether it was from the beginning."""
        return place in self._before

    def open(self, place: int) -> None:
        """It is to be told."""
        self._open[place] = None

    def settle(self, place: int | None) -> None:
        """It was told, or is noted as pending, or is to be told no more."""
        if place is not None and place in self._open:
            del self._open[place]
            self._beyond.add(place)

    @property
    def are_all_settled(self) -> bool:
        """Whether everything is settled up to where the feed was read."""
        return not self._open

    @property
    def count_beyond(self) -> int:
        """How many are settled behind one that is not."""
        return len(self._beyond)

    def settled(self) -> tuple[int, frozenset[int]]:
        """All up to here, and these behind it."""
        first = next(iter(self._open), None)
        place = self.read if first is None else first - 1
        self._beyond = {one for one in self._beyond if one > place}
        return place, frozenset(self._beyond)


class Health:
    """How a receiver does."""

    def __init__(self, failures: int = 0, failing_since: datetime | None = None, paused_until: float | None = None):
        """Begin as another one has left it; times are by the loop's clock, instants in UTC."""
        self.failures = failures
        self.failing_since = failing_since
        self.paused_until = paused_until
        self._slow = 0

    @property
    def is_troubled(self) -> bool:
        """Whether it fails or is slow."""
        return self.failures > 0 or self._slow > 0

    def slowed(self) -> None:
        """It takes long."""
        self._slow = _SLOW_FOR

    def took(self, milliseconds: int) -> None:
        """It answered, or did not, after so long."""
        self._slow = _SLOW_FOR if milliseconds >= _SLOW_MILLISECONDS else max(self._slow - 1, 0)

    def failed(self, at: datetime) -> bool:
        """A try failed that was begun at an instant; whether it is to be paused."""
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = at
        return self.failures >= BREAKS_AFTER

    def recovered(self) -> bool:
        """A try did not fail; whether it was paused."""
        was_paused = self.paused_until is not None
        self.failures, self.failing_since, self.paused_until = 0, None, None
        return was_paused
