"""What became of operations, for whoever counts them."""

from enum import StrEnum
from typing import Protocol

from graphql import OperationType

__all__ = ["OPERATION_KINDS", "Ending", "Operations"]

UNKNOWN = "none"
OPERATION_KINDS = (*(one.value for one in OperationType), UNKNOWN)
"""Of operations; `none` where a request was refused before that was known."""


class Ending(StrEnum):
    """How an operation ended."""

    OK = "ok"
    PARTIAL = "partial"
    """With data, and with errors beside it."""
    ERROR = "error"
    """With errors alone."""
    REFUSED = "refused"
    """Before it was run."""


class Operations(Protocol):
    """Is told how each operation ended, and of subscriptions that are open."""

    def answered(self, kind: str, ending: Ending, seconds: float) -> None:
        """One of a kind, after so many seconds; a subscription with its first payload."""
        ...

    def subscribed(self, transport: str) -> None:
        """A subscription is open, over one of `live.ends.Transport`."""
        ...

    def unsubscribed(self, transport: str, end: str) -> None:
        """It is so no more, for one of `live.ends.End`."""
        ...
