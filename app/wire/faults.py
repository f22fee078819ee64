"""What is wrong with an event, and where."""

from dataclasses import dataclass

__all__ = ["Fault", "Invalid", "InvalidBodyError", "MalformedBodyError", "pointer_to"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: the JSON pointer (RFC 6901) of the field, and what was expected there."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """An event that cannot be taken: its id and source as far as they could be read, and every fault found."""

    faults: tuple[Fault, ...]
    id: str | None = None
    source: str | None = None


class MalformedBodyError(Exception):
    """The body as a whole cannot be read; the message says why."""


class InvalidBodyError(Exception):
    """A body that is JSON but not what was expected; names the field by JSON pointer."""

    def __init__(self, pointer: str, detail: str) -> None:
        """Name the field."""
        super().__init__(detail)
        self.pointer = pointer


def pointer_to(*path: int | str) -> str:
    """The JSON pointer of a place (RFC 6901); names that are absurdly long are cut."""
    return "".join(f"/{_escaped(str(part))}" for part in path)


def _escaped(name: str) -> str:
    clean = name.encode("utf-8", "replace").decode()[:100]
    return clean.replace("~", "~0").replace("/", "~1")
