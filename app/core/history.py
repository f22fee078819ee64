"""A client's history: all of its events, or only those parts that the instants in question need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.events import Event
from app.core.facts import Base, Chronicle, Facts
from app.core.policy import Policy

__all__ = ["History", "NotLoadedError", "Reader", "Segment", "Told", "history_of"]


class NotLoadedError(Exception):
    """The history is asked for an instant that none of its parts reaches."""

    def __init__(self, as_of: datetime) -> None:
        """Name the instant."""
        super().__init__(f"{as_of} is not loaded")
        self.as_of = as_of


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a history.

    Attributes:
        base: what came before; None for nothing.
        events: all events after the base that happened by `until`, in any order.
        until: None for all that will ever be.
    """

    base: Base | None
    events: Sequence[Event]
    until: datetime | None = None

    @property
    def begins(self) -> datetime | None:
        """The instant from which on it can be read; None for any."""
        last = self.base.state.last if self.base else None
        return last.at if last else None


@dataclass(frozen=True, slots=True)
class History:
    """Parts of one client's events, in order of time; what two of them reach is the same in both."""

    segments: tuple[Segment, ...]


Told = History | Sequence[Event]
"""A history, or simply all events."""


def history_of(told: Told) -> History:
    """The history that was told."""
    return told if isinstance(told, History) else History((Segment(None, told),))


class Reader:
    """Reads a history forward: instants are asked for in order of time."""

    def __init__(self, told: Told, policy: Policy, known_at: datetime | None = None) -> None:
        """Read with a policy, which is that of every base; see `Chronicle` for `known_at`."""
        self._segments = history_of(told).segments
        self._policy = policy
        self._known_at = known_at
        self._open: tuple[Segment, Chronicle] | None = None

    def facts(self, as_of: datetime) -> Facts:
        """The facts at an instant that is not before the last one asked for.

        Raises:
            NotLoadedError: no part reaches it.
            OutOfReachError: its part would have to begin earlier.
        """
        return self.chronicle(as_of).facts(as_of)

    def chronicle(self, as_of: datetime) -> Chronicle:
        """The chronicle that reaches an instant; see `facts`."""
        for segment in reversed(self._segments):
            begins = segment.begins
            if begins is None or begins <= as_of:
                if segment.until is not None and segment.until < as_of:
                    break
                if self._open is None or self._open[0] is not segment:
                    chronicle = Chronicle(segment.events, self._policy, self._known_at, segment.base)
                    self._open = (segment, chronicle)
                return self._open[1]
        raise NotLoadedError(as_of)
