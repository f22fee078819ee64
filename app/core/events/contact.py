"""Events of contact: messages, calls, deadlines asked for, meetings missed or moved. Never their content."""

from dataclasses import dataclass

from app.core.events.event import EventData
from app.core.events.fields import By, Channel, Instant, MeetingId

__all__ = ["CallReceived", "DeadlineRequested", "MeetingMissed", "MeetingMoved", "MessageReceived"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(EventData):
    """The client wrote; `urgent` when it was called an emergency or wanted an answer at once."""

    channel: Channel = "email"
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReceived(EventData):
    """The client called; `urgent` when it was called an emergency."""

    channel: Channel = "phone"
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineRequested(EventData):
    """The client asked for something by `due_at`; the lead time is counted from the event's time."""

    due_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingMissed(EventData):
    """A meeting set for `scheduled_at` was missed."""

    meeting: MeetingId | None = None
    scheduled_at: Instant | None = None
    by: By = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingMoved(EventData):
    """A meeting set for `scheduled_at` was moved; the notice is counted from the event's time."""

    meeting: MeetingId | None = None
    scheduled_at: Instant
    moved_to: Instant | None = None
    by: By = "client"
