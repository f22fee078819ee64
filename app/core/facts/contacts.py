"""What the events say of contact: messages, calls, deadlines, meetings that slipped."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.core.events import Event
from app.core.events import contact as told
from app.core.facts.marks import Mark

__all__ = ["Contact", "Contacts", "Deadline", "Slip", "contacts_of"]


@dataclass(frozen=True, slots=True)
class Contact:
    """The client wrote or called."""

    kind: Literal["message", "call"]
    urgent: bool
    mark: Mark


@dataclass(frozen=True, slots=True)
class Deadline:
    """The client asked for something by an instant."""

    due_at: datetime
    mark: Mark


@dataclass(frozen=True, slots=True)
class Slip:
    """A meeting that the client missed, or moved; `scheduled_at` is when it should have been."""

    missed: bool
    scheduled_at: datetime
    mark: Mark


@dataclass(frozen=True, slots=True)
class Contacts:
    """All contact with one client, each part by time."""

    contacts: tuple[Contact, ...]
    deadlines: tuple[Deadline, ...]
    slips: tuple[Slip, ...]


def contacts_of(events: Iterable[Event]) -> Contacts:
    """Put together the contact.

    Args:
        events: one client's events, oldest first; those of other subjects are passed over.
    """
    contacts: list[Contact] = []
    deadlines: list[Deadline] = []
    slips: list[Slip] = []
    for event in events:
        mark = Mark(event.time, event.ref)
        match event.data:
            case told.MessageReceived(urgent=urgent):
                contacts.append(Contact("message", urgent, mark))
            case told.CallReceived(urgent=urgent):
                contacts.append(Contact("call", urgent, mark))
            case told.DeadlineRequested(due_at=due_at):
                deadlines.append(Deadline(due_at, mark))
            case told.MeetingMissed(by="client", scheduled_at=scheduled_at):
                slips.append(Slip(True, scheduled_at or event.time, mark))
            case told.MeetingMoved(by="client", scheduled_at=scheduled_at):
                slips.append(Slip(False, scheduled_at, mark))
            case _:
                pass
    return Contacts(tuple(contacts), tuple(deadlines), tuple(slips))
