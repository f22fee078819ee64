"""What the events say of contact: messages, calls, deadlines, meetings that slipped, all summed up as they come."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from typing import Final

from app.core.events import Event
from app.core.events import contact as told
from app.core.events.relationship import ExpectationStated
from app.core.occasions import HabitSums, HabitTally, Occasion
from app.core.policy import Policy, TimePolicy

__all__ = ["Contacts", "ContactsBook", "ContactsState"]

_MOST_LEAD_HOURS: Final = 1000.0
"""No policy can ask for more."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """All contact with one client, as it stands on a day.

    Attributes:
        count: messages, calls, deadlines and meetings that slipped.
        out_of_hours, urgent: of the messages and calls, how many were.
        rushed: deadlines that left less time than the policy asks for.
        missed, moved: meetings that the client missed or moved.
        first_day: the local day of the first message or call, as an ordinal; None where there was none.
        habit: each contact as an occasion that respected our time or did not.
    """

    count: int
    out_of_hours: int
    urgent: int
    rushed: int
    missed: int
    moved: int
    first_day: int | None
    habit: HabitSums


@dataclass(slots=True)
class ContactsState:
    """What is kept of contact; see `Contacts`. `told_at` is when the client was told about our time first."""

    count: int = 0
    out_of_hours: int = 0
    urgent: int = 0
    rushed: int = 0
    missed: int = 0
    moved: int = 0
    first_day: int | None = None
    told_at: datetime | None = None
    habit: HabitTally = field(default_factory=HabitTally)

    def copy(self) -> "ContactsState":
        """The same, to go on with apart."""
        return ContactsState(
            self.count,
            self.out_of_hours,
            self.urgent,
            self.rushed,
            self.missed,
            self.moved,
            self.first_day,
            self.told_at,
            self.habit.copy(),
        )


class ContactsBook:
    """Keeps the contact."""

    kinds = (
        told.MessageReceived,
        told.CallReceived,
        told.DeadlineRequested,
        told.MeetingMissed,
        told.MeetingMoved,
        ExpectationStated,
    )

    def __init__(self, policy: Policy, state: ContactsState) -> None:
        """Go on from a state; the policy says what is out of hours and how much anything counts."""
        self._policy = policy
        self._calendar = policy.calendar
        self._openings = policy.calendar.openings
        self._disregards = _disregard_by_contact(policy.time)
        self.state = state

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        match event.data:
            case told.MessageReceived(urgent=urgent):
                self._contact("message", urgent, event)
            case told.CallReceived(urgent=urgent):
                self._contact("call", urgent, event)
            case told.DeadlineRequested(due_at=due_at):
                self._deadline(event, due_at)
            case told.MeetingMissed(by="client"):
                self.state.missed += 1
                self._occasion(event, self._policy.time.missed)
            case told.MeetingMoved(by="client", scheduled_at=scheduled_at):
                self.state.moved += 1
                notice = timedelta(hours=self._policy.time.short_notice_hours)
                self._occasion(event, self._policy.time.moved if scheduled_at - event.time < notice else 0.0)
            case ExpectationStated(sign="time"):
                self.state.told_at = self.state.told_at or event.time
            case _:
                pass

    def _contact(self, kind: str, urgent: bool, event: Event) -> None:
        state, late = self.state, not self._openings.has(event.time)
        state.urgent += urgent
        state.out_of_hours += late
        day = self._occasion(event, self._disregards[kind, urgent, late])
        if state.first_day is None:
            state.first_day = day

    def _deadline(self, event: Event, due_at: datetime) -> None:
        """A request counts by how much of the minimum lead time it does not leave."""
        settings = self._policy.time
        least = settings.minimum_lead_hours
        left = self._calendar.working_hours_between(event.time, due_at, _MOST_LEAD_HOURS)
        shortness = max(1.0 - left / least, 0.0) if least > 0 else 0.0
        self.state.rushed += shortness > 0
        self._occasion(event, settings.rush * shortness)

    def _occasion(self, event: Event, disregard: float) -> int:
        """What disregards our time says nothing good, however little it disregards it."""
        state, policy = self.state, self._policy
        state.count += 1
        day = self._calendar.day_of(event.time).toordinal()
        after = disregard > 0 and state.told_at is not None and state.told_at < event.time
        weight = policy.told_weight if after else 1.0
        occasion = Occasion(disregard, 0.0 if disregard > 0 else 1.0, event.ref, weight, after)
        state.habit.add(day, occasion, policy.half_life_days)
        return day

    def read(self, today: int) -> Contacts:
        """The contact as it stands on a day."""
        state = self.state
        return Contacts(
            state.count,
            state.out_of_hours,
            state.urgent,
            state.rushed,
            state.missed,
            state.moved,
            state.first_day,
            state.habit.on(today, self._policy.half_life_days),
        )


def _disregard_by_contact(settings: TimePolicy) -> dict[tuple[str, bool, bool], float]:
    """How much a contact disregards our time: by its kind, whether it was urgent, and whether it was out of hours."""
    out_of_hours = {"call": settings.call_out_of_hours, "message": settings.message_out_of_hours}
    return {
        (kind, urgent, late): max(out_of_hours[kind] if late else 0.0, settings.urgent if urgent else 0.0)
        for kind, urgent, late in product(out_of_hours, (False, True), (False, True))
    }
