"""What clients are assessed for, for whoever counts it."""

from enum import StrEnum
from typing import Protocol

__all__ = ["Evaluations", "Purpose"]


class Purpose(StrEnum):
    """What a client was assessed for."""

    READ = "read"
    """An answer about it: its score, explanation, history or timeline."""
    LIST = "list"
    """A list, a ranking or counts of many."""
    SIMULATE = "simulate"
    PREVIEW = "preview"
    RECOURSE = "recourse"
    WORKER = "worker"
    """To be stored, by a worker."""


class Evaluations(Protocol):
    """Is told how often policies are asked."""

    def evaluated(self, purpose: Purpose, clients: int) -> None:
        """So many clients were assessed, each at however many instants."""
        ...
