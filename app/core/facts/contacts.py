"""What the events say of contact: messages, calls, deadlines, meetings that slipped."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple

from app.core.decibans import FadingSum
from app.core.events import Event, Mark
from app.core.events import contact as told
from app.core.working_calendar import WorkingCalendar

__all__ = ["Contacts", "ContactsBook", "Deadline", "Disturbance", "Slip"]

_NEWEST: Final = 5
"""As many as a sign names as its reasons."""
_MOST_LEAD_HOURS: Final = 1000.0
"""No policy can ask for more."""


class Disturbance(NamedTuple):
    """The client wrote or called with something urgent, or outside the tenant's working hours, or both."""

    kind: Literal["message", "call"]
    urgent: bool
    out_of_hours: bool
    mark: Mark


class Deadline(NamedTuple):
    """The client asked for something; `lead_hours` are the working hours that it left, counted up to a thousand."""

    lead_hours: float
    mark: Mark


class Slip(NamedTuple):
    """A meeting that the client missed, or moved; `scheduled_at` is when it should have been."""

    missed: bool
    scheduled_at: datetime
    mark: Mark


@dataclass(frozen=True, slots=True)
class Calm:
    """Messages and calls in working hours that were not urgent, which say the same whatever they are about.

    Attributes:
        count: how many.
        fresh: the same, each faded by its age.
        first: the first of them, if there is any.
        newest: the last few, the newest first.
    """

    count: int
    fresh: float
    first: Mark | None
    newest: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Contacts:
    """All contact with one client, each part by time.

    Attributes:
        calm: messages and calls in working hours, and not urgent.
        disturbances: all other messages and calls.
        deadlines: what was asked for by an instant.
        slips: meetings that were missed or moved.
    """

    calm: Calm
    disturbances: tuple[Disturbance, ...]
    deadlines: tuple[Deadline, ...]
    slips: tuple[Slip, ...]

    @property
    def count(self) -> int:
        """How many of all kinds."""
        return self.calm.count + len(self.disturbances) + len(self.deadlines) + len(self.slips)


class ContactsBook:
    """Keeps the contact."""

    kinds = (
        told.MessageReceived,
        told.CallReceived,
        told.DeadlineRequested,
        told.MeetingMissed,
        told.MeetingMoved,
    )

    def __init__(self, calendar: WorkingCalendar, half_life_days: float) -> None:
        """Nothing is known; the calendar says what is out of hours, and calm fades by its half-life."""
        self._calendar = calendar
        self._openings = calendar.openings
        self._fresh = FadingSum(half_life_days)
        self._calm = 0
        self._first: Mark | None = None
        self._newest: deque[Mark] = deque(maxlen=_NEWEST)
        self._disturbances: list[Disturbance] = []
        self._deadlines: list[Deadline] = []
        self._slips: list[Slip] = []

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        match event.data:
            case told.MessageReceived(urgent=urgent):
                self._contact("message", urgent, event.mark)
            case told.CallReceived(urgent=urgent):
                self._contact("call", urgent, event.mark)
            case told.DeadlineRequested(due_at=due_at):
                left = self._calendar.working_hours_between(event.time, due_at, _MOST_LEAD_HOURS)
                self._deadlines.append(Deadline(left, event.mark))
            case told.MeetingMissed(by="client", scheduled_at=scheduled_at):
                self._slips.append(Slip(True, scheduled_at or event.time, event.mark))
            case told.MeetingMoved(by="client", scheduled_at=scheduled_at):
                self._slips.append(Slip(False, scheduled_at, event.mark))
            case _:
                pass

    def _contact(self, kind: Literal["message", "call"], urgent: bool, mark: Mark) -> None:
        out_of_hours = not self._openings.has(mark.at)
        if urgent or out_of_hours:
            self._disturbances.append(Disturbance(kind, urgent, out_of_hours, mark))
        else:
            self._calm += 1
            self._fresh.add(mark.at)
            self._first = self._first or mark
            self._newest.appendleft(mark)

    def read(self, as_of: datetime) -> Contacts:
        """The contact as it stands at an instant."""
        calm = Calm(self._calm, self._fresh.at(as_of), self._first, tuple(self._newest))
        return Contacts(calm, tuple(self._disturbances), tuple(self._deadlines), tuple(self._slips))
