"""What the store tells of how the database does, for whoever counts it.

Members are looked up by for each statement: they hash as the strings that they are, as an enum's own hash takes longer.
"""

from enum import StrEnum
from typing import Protocol

__all__ = ["DatabaseWatch", "Failure", "Pool", "Transaction"]


class Pool(StrEnum):
    """The pools of connections that one process has."""

    __hash__ = str.__hash__

    QUERIES = "queries"
    """For transactions of several statements that read or change."""
    READS = "reads"
    """For single statements that read."""
    WRITES = "writes"
    """For events that come in."""


class Transaction(StrEnum):
    """What a transaction is for: every one has one of these names."""

    __hash__ = str.__hash__

    APPEND = "append"
    """Events are stored."""
    EVENTS = "events"
    """Events are read."""
    READ = "read"
    """A single statement of the pool that reads."""
    CLAIM = "claim"
    """Clients that are due are claimed."""
    BACKLOG = "backlog"
    """It is counted what is due."""
    KEEP = "keep"
    """Assessments are stored."""
    CHANGES = "changes"
    """Changes of assessments that are kept no longer are removed."""
    WEBHOOK = "webhook"
    """Webhooks are read or changed."""
    DELIVERY = "delivery"
    """What was delivered is noted, and what is due is claimed and read."""
    PORTFOLIO = "portfolio"
    CHECKPOINT = "checkpoint"
    ERASURE = "erasure"
    REQUEST = "request"
    """Requests with an Idempotency-Key, and their answers."""
    POLICY = "policy"
    KEY = "key"
    """Keys and tenants."""
    RATE = "rate"
    AUDIT = "audit"
    SECRET = "secret"  # noqa: S105 - a name
    READY = "ready"
    """It is asked whether the database is there."""
    OTHER = "other"


class Failure(StrEnum):
    """What went wrong with the database."""

    UNAVAILABLE = "unavailable"
    """It could not be reached, or went away."""
    BUSY = "busy"
    """No connection or no lock could be had in time, or others were in the way."""
    OTHER = "other"
    """It refused a statement: a defect of ours."""


class DatabaseWatch(Protocol):
    """Is told how the database does."""

    def waited(self, pool: Pool, seconds: float) -> None:
        """Somebody waited so long for a connection."""
        ...

    def worked(self, transaction: Transaction, seconds: float) -> None:
        """A transaction took so long, from when it had a connection to its end, whatever that was."""
        ...

    def failed(self, failure: Failure) -> None:
        """Something went wrong."""
        ...

    def asked(self, is_up: bool) -> None:
        """It was asked whether the database is there."""
        ...
