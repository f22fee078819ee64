"""The ledger: where events are written once and kept for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.core.events import Event, EventRef
from app.ports.audit import AuditEntry

__all__ = [
    "EventFilter",
    "EventKey",
    "Ledger",
    "MovedOnError",
    "NewEvent",
    "Outcome",
    "StoreBusyError",
    "StoreUnavailableError",
    "StoredEvent",
]


class StoreUnavailableError(Exception):
    """The store cannot be reached at present; nothing of what was asked has been done, or it is not known to be."""


class StoreBusyError(StoreUnavailableError):
    """More was asked of the store than it can do at present; nothing of what was asked has been done."""


class NewEvent(NamedTuple):
    """A validated event on its way in; a tuple, as it is made and taken apart for each event that comes.

    Attributes:
        source, id, type, client_id: as in `app.core.events.Event`.
        time: when it happened, an instant in UTC.
        data: its data as canonical JSON.
        digest: SHA-256 over all of its content, by which a repetition is told from a conflict.
    """

    source: str
    id: str
    type: str
    client_id: str
    time: datetime
    data: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was stored; `data` is JSON, `recorded_at` is when we were told."""

    source: str
    id: str
    type: str
    client_id: str
    time: datetime
    recorded_at: datetime
    data: str


class Outcome(StrEnum):
    """What became of an event that was sent."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    INVALID = "invalid"
    ABORTED = "aborted"
    """Fit to be stored, but others of its atomic batch were not."""

    # Counted by for each event; an enum's own hash takes longer.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted: all that match every given field.

    Attributes:
        client_id, type, source: exactly these.
        since, until: `since <= time < until`.
        as_of: what happened later is left out.
        known_at: what was told later is left out.
    """

    client_id: str | None = None
    type: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventKey:
    """A place in the list of events, which is ordered by time, source and id."""

    time: datetime
    source: str
    id: str


class MovedOnError(Exception):
    """More was told of a client meanwhile."""


class Ledger(Protocol):
    """Stores events durably; every method raises `StoreUnavailableError` when it cannot."""

    async def append(
        self,
        tenant_id: str,
        events: Sequence[NewEvent],
        *,
        atomic: bool = False,
        entry: AuditEntry | None = None,
        after: int | None = None,
    ) -> list[Outcome]:
        """Store events in one transaction, and return what became of each once that is durable.

        With an entry, that is noted too where any of them is new.

        An event of an erased client is `invalid`. With `atomic`, nothing is stored when any is that or a conflict: the
        others are `aborted`. With `after`, the one event is stored at that revision of its client alone.

        Raises:
            MovedOnError: the client has another revision.
        """
        ...

    async def named(self, tenant_id: str, event_id: str, source: str | None) -> list[StoredEvent]:
        """The events with an id, from one source or from all."""
        ...

    async def several(self, tenant_id: str, refs: Sequence[EventRef]) -> dict[EventRef, StoredEvent]:
        """Some events by source and id; what is not there is left out."""
        ...

    async def page(self, tenant_id: str, wanted: EventFilter, after: EventKey | None, limit: int) -> list[StoredEvent]:
        """Events by time, source and id, beginning behind `after`."""
        ...

    async def revisions(self, tenant_id: str, client_ids: Sequence[str] | None = None) -> dict[str, int]:
        """For each client, or for some, a number that grows with every event stored."""
        ...

    async def histories(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, list[Event]]:
        """All events of some clients, ready to be weighed."""
        ...
