"""Files: the events of each contract, change or invoice, and what it comes to."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from app.core.events import Event

__all__ = ["Files"]

T = TypeVar("T")


class Files(Generic[T]):
    """Keeps events by subject, and reads a subject again only when something new was told of it."""

    def __init__(self, read: Callable[[str, list[Event]], T | None]) -> None:
        """Read a subject's events, oldest first, with a function that may find that they come to nothing."""
        self._read = read
        self._events: dict[str, list[Event]] = {}
        self._found: dict[str, T | None] = {}

    def enter(self, subject: str, event: Event) -> None:
        """Enter the next event of a subject."""
        self._events.setdefault(subject, []).append(event)
        self._found.pop(subject, None)

    def read(self) -> Iterator[T]:
        """What each subject comes to."""
        for subject, events in self._events.items():
            if subject not in self._found:
                self._found[subject] = self._read(subject, events)
            found = self._found[subject]
            if found is not None:
                yield found
