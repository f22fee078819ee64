"""What the events of one client amount to, as of an instant: the facts that the signs weigh."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from app.core.events import Event, EventRef
from app.core.events.relationship import EventVoided
from app.core.facts.contacts import Contacts, contacts_of
from app.core.facts.contracts import Contract, contracts_of
from app.core.facts.invoices import Invoice, invoices_of
from app.core.facts.marks import Mark
from app.core.facts.talks import Talks, talks_of
from app.core.facts.work import Work, work_of
from app.core.working_calendar import WorkingCalendar

__all__ = ["Contacts", "Contract", "Facts", "Invoice", "Mark", "Talks", "Work", "gather"]


@dataclass(frozen=True, slots=True)
class Facts:
    """One client's facts.

    Attributes:
        as_of: the instant they are true for, in UTC.
        today: the tenant's local day at that instant.
        event_count: how many events they rest on.
        contracts: by the first time they were spoken of.
        work: hours, agreements and changes.
        contacts: messages, calls, deadlines and meetings.
        talks: about the rate and about what has to change.
        invoices: by the time they were issued.
    """

    as_of: datetime
    today: date
    event_count: int
    contracts: tuple[Contract, ...]
    work: Work
    contacts: Contacts
    talks: Talks
    invoices: tuple[Invoice, ...]

    def age(self, mark: Mark) -> float:
        """Days since a mark."""
        return (self.as_of - mark.at).total_seconds() / 86_400.0

    def days_since(self, day: date) -> int:
        """Local days since a day; 0 for today and for days to come."""
        return max((self.today - day).days, 0)


def gather(
    events: Iterable[Event], calendar: WorkingCalendar, as_of: datetime, known_at: datetime | None = None
) -> Facts:
    """Put together the facts, the same for any order and any repetition of the events (axiom 4).

    Args:
        events: one client's events, in any order.
        calendar: whose local days count.
        as_of: events that happened after this instant are passed over.
        known_at: events that we were told after this instant are passed over; None for all.
    """
    told = {event.ref: event for event in events if known_at is None or event.recorded_at <= known_at}
    voided = _voided(told.values(), as_of)
    history = sorted(
        (event for event in told.values() if event.time <= as_of and event.ref not in voided),
        key=lambda event: (event.time, event.source, event.id),
    )
    return Facts(
        as_of=as_of,
        today=calendar.day_of(as_of),
        event_count=len(history),
        contracts=contracts_of(history),
        work=work_of(history, calendar),
        contacts=contacts_of(history),
        talks=talks_of(history),
        invoices=invoices_of(history, calendar),
    )


def _voided(events: Iterable[Event], as_of: datetime) -> frozenset[EventRef]:
    """The events taken back by then, with those that took them back."""
    takers = [event for event in events if isinstance(event.data, EventVoided) and event.time <= as_of]
    named = {EventRef(event.data.source, event.data.id) for event in takers if isinstance(event.data, EventVoided)}
    return frozenset(named.union(event.ref for event in takers))
