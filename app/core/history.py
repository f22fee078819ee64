"""A client's history: all of its events, or only those parts that the instants in question need."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple, Protocol

from app.core.events import Event, Mark
from app.core.facts import Base, Chronicle, Facts
from app.core.policy import Policy

__all__ = ["History", "Memory", "NotLoadedError", "Reader", "Remembered", "Segment", "Told", "history_of"]


class NotLoadedError(Exception):
    """The history is asked for an instant that none of its parts reaches."""

    def __init__(self, as_of: datetime) -> None:
        """Name the instant."""
        super().__init__(f"{as_of} is not loaded")
        self.as_of = as_of


class Segment:
    """A part of a history."""

    __slots__ = ("_times", "base", "events", "until")

    def __init__(self, base: Base | None, events: Sequence[Event], until: datetime | None = None) -> None:
        """Make a part.

        Args:
            base: what came before; None for nothing.
            events: all events after the base that happened by `until`, in any order.
            until: None for all that will ever be.
        """
        self.base = base
        self.events = events
        self.until = until
        self._times: list[datetime] | None = None

    @property
    def begins(self) -> datetime | None:
        """The instant from which on it can be read; None for any."""
        last = self.base.state.last if self.base else None
        return last.at if last else None

    def reaches(self, as_of: datetime) -> bool:
        """Whether it can be read at an instant."""
        begins = self.begins
        return (begins is None or begins <= as_of) and (self.until is None or as_of <= self.until)

    def events_until(self, as_of: datetime) -> int:
        """How many of its events happened by an instant."""
        if self._times is None:
            self._times = sorted([event.time for event in self.events])
        return bisect_right(self._times, as_of)


class Remembered(NamedTuple):
    """Names facts of one history: the policy's version, the place before the part, its events so far, and the day."""

    policy_version: str
    begins: Mark | None
    events: int
    today: date


class Memory(Protocol):
    """Remembers facts of one history, or forgets them."""

    def get(self, name: Remembered) -> Facts | None:
        """Facts that were put."""
        ...

    def put(self, name: Remembered, facts: Facts) -> None:
        """Remember facts."""
        ...


@dataclass(frozen=True, slots=True)
class History:
    """Parts of one client's events, in order of time; what two of them reach is the same in both.

    Attributes:
        segments: the parts.
        memory: of facts that were read of it before; None for none.
    """

    segments: tuple[Segment, ...]
    memory: Memory | None = None

    def reaches(self, as_of: datetime) -> bool:
        """Whether it can be read at an instant."""
        return any(segment.reaches(as_of) for segment in self.segments)


Told = History | Sequence[Event]
"""A history, or simply all events."""


def history_of(told: Told) -> History:
    """The history that was told."""
    return told if isinstance(told, History) else History((Segment(None, told),))


class Reader:
    """Reads a history forward: instants are asked for in order of time."""

    def __init__(self, told: Told, policy: Policy, known_at: datetime | None = None) -> None:
        """Read with a policy, which is that of every base; see `Chronicle` for `known_at`."""
        self._history = history_of(told)
        self._policy = policy
        self._known_at = known_at
        self._open: tuple[Segment, Chronicle] | None = None

    def facts(self, as_of: datetime) -> Facts:
        """The facts at an instant that is not before the last one asked for.

        Raises:
            NotLoadedError: no part reaches it.
            OutOfReachError: its part would have to begin earlier.
        """
        memory = self._history.memory
        if memory is None or self._known_at is not None:
            return self.chronicle(as_of).facts(as_of)
        segment = self._segment(as_of)
        today = self._policy.calendar.day_of(as_of)
        base = segment.base.state.last if segment.base else None
        name = Remembered(self._policy.version, base, segment.events_until(as_of), today)
        found = memory.get(name)
        if found is None:
            found = self.chronicle(as_of).facts(as_of)
            memory.put(name, found)
        # What was measured of them is the same at any time of the day, too.
        return replace(found, as_of=as_of)

    def chronicle(self, as_of: datetime) -> Chronicle:
        """The chronicle that reaches an instant; see `facts`."""
        segment = self._segment(as_of)
        if self._open is None or self._open[0] is not segment:
            self._open = (segment, Chronicle(segment.events, self._policy, self._known_at, segment.base))
        return self._open[1]

    def _segment(self, as_of: datetime) -> Segment:
        for segment in reversed(self._history.segments):
            if segment.reaches(as_of):
                return segment
        raise NotLoadedError(as_of)
