"""Files: the events of each contract, change or invoice, and what it comes to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Generic, TypeVar

from app.core.events import Event, EventRef

__all__ = ["NOTHING", "Files"]

T = TypeVar("T")

NOTHING: Mapping[str, Sequence[Event]] = MappingProxyType({})


class Files(Generic[T]):
    """Keeps events by subject, and reads a subject again only when something new was told of it."""

    def __init__(self, read: Callable[[str, list[Event]], T | None]) -> None:
        """Read a subject's events, oldest first, with a function that may find that they come to nothing."""
        self._read = read
        self._events: dict[str, list[Event]] = {}
        self._found: dict[str, T | None] = {}
        self._supposed: dict[tuple[EventRef, ...], T | None] = {}

    def enter(self, subject: str, event: Event) -> None:
        """Enter the next event of a subject."""
        self._events.setdefault(subject, []).append(event)
        self._found.pop(subject, None)
        self._supposed.clear()

    def read(self, supposed: Mapping[str, Sequence[Event]] = NOTHING) -> Iterator[T]:
        """What each subject comes to, had some more events happened to subjects that are known."""
        for subject, events in self._events.items():
            if supposed and subject in supposed:
                found = self._supposing(subject, supposed[subject])
            else:
                if subject not in self._found:
                    self._found[subject] = self._read(subject, events)
                found = self._found[subject]
            if found is not None:
                yield found

    def _supposing(self, subject: str, more: Sequence[Event]) -> T | None:
        key = tuple([event.ref for event in more])
        if key not in self._supposed:
            history = sorted([*self._events[subject], *more], key=lambda event: event.mark)
            self._supposed[key] = self._read(subject, history)
        return self._supposed[key]
