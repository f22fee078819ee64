"""An event: one thing that happened with one client, at one instant, told by one source."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

__all__ = ["Event", "EventData", "EventRef", "Mark"]


class EventData:
    """What an event type carries; each type in the catalogue has one frozen dataclass derived from this."""

    __slots__ = ()


class EventRef(NamedTuple):
    """Names an event within its tenant: the pair is unique for ever."""

    source: str
    id: str


class Mark(NamedTuple):
    """That something happened at an instant, and which event says so; marks are in order of time, in UTC."""

    at: datetime
    ref: EventRef


@dataclass(frozen=True, slots=True)
class Event:
    """One immutable event.

    Attributes:
        source: the system that sent it (CloudEvents `source`).
        id: its id at that source (CloudEvents `id`).
        type: a name of the catalogue, such as `invoice.issued`.
        client_id: the tenant's own id of the client (CloudEvents `subject`).
        time: when it happened, an aware instant in UTC.
        data: what the type carries.
        recorded_at: when we were told, an aware instant in UTC.
        ref: the event's name within its tenant.
        mark: its place among a client's events.
    """

    source: str
    id: str
    type: str
    client_id: str
    time: datetime
    data: EventData
    recorded_at: datetime
    ref: EventRef = field(init=False, repr=False, compare=False)
    mark: Mark = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ref = EventRef(self.source, self.id)
        object.__setattr__(self, "ref", ref)
        object.__setattr__(self, "mark", Mark(self.time, ref))
