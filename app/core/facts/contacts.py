"""What the events say of contact: messages, calls, deadlines, meetings that slipped."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.core.events import Event
from app.core.events import contact as told
from app.core.facts.marks import Mark
from app.core.working_calendar import WorkingCalendar

__all__ = ["Contact", "Contacts", "ContactsBook", "Deadline", "Slip"]


@dataclass(frozen=True, slots=True)
class Contact:
    """The client wrote or called, in the tenant's working hours or outside them."""

    kind: Literal["message", "call"]
    urgent: bool
    out_of_hours: bool
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


class ContactsBook:
    """Keeps the contact."""

    kinds = (
        told.MessageReceived,
        told.CallReceived,
        told.DeadlineRequested,
        told.MeetingMissed,
        told.MeetingMoved,
    )

    def __init__(self, calendar: WorkingCalendar) -> None:
        """Nothing is known; the calendar says what is out of hours."""
        self._calendar = calendar
        self._contacts: list[Contact] = []
        self._deadlines: list[Deadline] = []
        self._slips: list[Slip] = []

    def enter(self, event: Event, mark: Mark) -> None:
        """Enter the next event."""
        match event.data:
            case told.MessageReceived(urgent=urgent):
                self._contacts.append(Contact("message", urgent, not self._calendar.is_open(mark.at), mark))
            case told.CallReceived(urgent=urgent):
                self._contacts.append(Contact("call", urgent, not self._calendar.is_open(mark.at), mark))
            case told.DeadlineRequested(due_at=due_at):
                self._deadlines.append(Deadline(due_at, mark))
            case told.MeetingMissed(by="client", scheduled_at=scheduled_at):
                self._slips.append(Slip(True, scheduled_at or event.time, mark))
            case told.MeetingMoved(by="client", scheduled_at=scheduled_at):
                self._slips.append(Slip(False, scheduled_at, mark))
            case _:
                pass

    def read(self) -> Contacts:
        """The contact as it stands."""
        return Contacts(tuple(self._contacts), tuple(self._deadlines), tuple(self._slips))
