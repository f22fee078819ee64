"""An event: one thing that happened with one client, at one instant, told by one source."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Event", "EventData", "EventRef"]


class EventData:
    """What an event type carries; each type in the catalogue has one frozen dataclass derived from this."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class EventRef:
    """Names an event within its tenant: the pair is unique for ever."""

    source: str
    id: str


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
    """

    source: str
    id: str
    type: str
    client_id: str
    time: datetime
    data: EventData
    recorded_at: datetime

    @property
    def ref(self) -> EventRef:
        """The event's name within its tenant."""
        return EventRef(self.source, self.id)
