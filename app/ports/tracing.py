"""Tracing: what the parts of a piece of work are and how long they take, told to whoever traces; by default to nobody.

Facts are numbers and fixed words of ours: never what a client sent, and nothing about people.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Final, Protocol

__all__ = ["NOTHING", "NO_FACTS", "OFF", "Facts", "Tracing"]

Facts = Mapping[str, int | float | str]

NO_FACTS: Final[Facts] = MappingProxyType({})
NOTHING: Final = nullcontext()
"""For what nobody listens to."""


class Tracing(Protocol):
    """Is told of parts of the work; a part that begins within another one is a part of that."""

    @property
    def is_on(self) -> bool:
        """Whether anybody listens."""
        ...

    def span(self, name: str, facts: Facts = NO_FACTS) -> AbstractContextManager[None]:
        """A part of the work, for as long as the block lasts; where it fails, that is told by the type of the error."""
        ...

    def within(self, name: str, facts: Facts = NO_FACTS) -> AbstractContextManager[None]:
        """The same, of what is worth telling only as a part of something."""
        ...

    def statement(self, name: str, seconds: float, error: BaseException | None) -> None:
        """A statement that the database was asked, by what it does; it has just ended, and took so long."""
        ...

    def ids(self) -> tuple[str, str] | None:
        """The trace and the part of it at hand; None for none."""
        ...

    def sampled(self) -> str | None:
        """The trace at hand, if it is kept; None else."""
        ...

    def close(self) -> None:
        """Send what is left; nothing is traced from here on."""
        ...


class _Off:
    """Nobody listens."""

    is_on = False

    def span(self, name: str, facts: Facts = NO_FACTS) -> AbstractContextManager[None]:
        del name, facts
        return NOTHING

    def within(self, name: str, facts: Facts = NO_FACTS) -> AbstractContextManager[None]:
        del name, facts
        return NOTHING

    def statement(self, name: str, seconds: float, error: BaseException | None) -> None:
        pass

    def ids(self) -> tuple[str, str] | None:
        return None

    def sampled(self) -> str | None:
        return None

    def close(self) -> None:
        pass


OFF: Final[Tracing] = _Off()
