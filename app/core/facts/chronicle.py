"""The chronicle: one client's events, read forward once, with the facts at any instant on the way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final

from app.core.events import Event, EventData, EventRef, Mark
from app.core.events.change import ChangeApproved
from app.core.events.contract import ContractSigned
from app.core.events.invoice import InvoicePaid
from app.core.events.rate import RateAccepted
from app.core.events.relationship import EventVoided
from app.core.facts.contacts import Contacts, ContactsBook
from app.core.facts.contracts import Contract, ContractsBook
from app.core.facts.ending import Ending, EndingBook
from app.core.facts.invoices import Invoice, InvoicesBook
from app.core.facts.profile import Profile, ProfileBook
from app.core.facts.talks import Talks, TalksBook
from app.core.facts.work import Work, WorkBook
from app.core.policy import Policy

__all__ = ["Chronicle", "Facts", "gather"]

_MARK: Final = attrgetter("mark")


@dataclass(frozen=True, slots=True)
class Facts:
    """One client's facts.

    Attributes:
        as_of: the instant they are true for, in UTC.
        today: the tenant's local day at that instant.
        event_count: how many events they rest on.
        profile: who the client is, as far as it is known.
        contracts: by the first time they were spoken of.
        work: hours, agreements and changes.
        contacts: messages, calls, deadlines and meetings.
        talks: about the rate and about what has to change.
        invoices: by the time they were issued.
        ending: that the relationship ended, while nothing new was agreed.
        measures: what was measured of them already; see `measured_once.py`.
    """

    as_of: datetime
    today: date
    event_count: int
    profile: Profile
    contracts: tuple[Contract, ...]
    work: Work
    contacts: Contacts
    talks: Talks
    invoices: tuple[Invoice, ...]
    ending: Ending | None
    measures: dict[object, tuple[tuple[object, ...], Any]] = field(default_factory=dict, repr=False, compare=False)

    def age(self, mark: Mark) -> float:
        """Days since a mark."""
        return (self.as_of - mark.at).total_seconds() / 86_400.0

    def days_since(self, day: date) -> int:
        """Local days since a day; 0 for today and for days to come."""
        days = (self.today - day).days
        return days if days > 0 else 0


class Chronicle:
    """Reads forward: each event is entered once, however many instants are asked for.

    The facts are the same for any order and any repetition of the events (axiom 4).
    """

    def __init__(self, events: Iterable[Event], policy: Policy, known_at: datetime | None = None) -> None:
        """Put events in order.

        Args:
            events: one client's events, in any order.
            policy: whose local days count, and how soon what happened is forgotten.
            known_at: events that we were told after this instant are passed over; None for all.
        """
        told = {event.ref: event for event in events if known_at is None or event.recorded_at <= known_at}
        self._policy = policy
        self._calendar = policy.calendar
        self._events = sorted(told.values(), key=_MARK)
        self._takers = [event for event in self._events if isinstance(event.data, EventVoided)]
        self._voided: frozenset[EventRef] = frozenset()
        self._begin()

    @property
    def events(self) -> list[Event]:
        """All events in order, voided ones included."""
        return self._events

    def facts(self, as_of: datetime) -> Facts:
        """The facts at an instant that is not before the last one asked for: later events are passed over."""
        count = self._next
        while count < len(self._events) and self._events[count].time <= as_of:
            count += 1
        return self.facts_after(count, as_of)

    def facts_after(self, count: int, as_of: datetime) -> Facts:
        """The facts at an instant after the first `count` events, not fewer than the last time."""
        until = self._events[count - 1].mark if count else None
        takers = [event for event in self._takers if until is not None and event.mark <= until]
        voided = _voided(takers)
        fresh = voided - self._voided
        if fresh and any(event.ref in fresh for event in self._events[: self._next]):
            # What was entered is taken back: begin again without it.
            self._begin()
        self._voided = voided
        self._enter(count)
        return Facts(
            as_of=as_of,
            today=self._calendar.day_of(as_of),
            event_count=self._entered,
            profile=self._profile.read(),
            contracts=self._contracts.read(),
            work=self._work.read(),
            contacts=self._contacts.read(as_of),
            talks=self._talks.read(),
            invoices=self._invoices.read(),
            ending=self._ending.read(),
        )

    def supposing(self, facts: Facts, more: Iterable[Event]) -> Facts:
        """The same facts, had the client also signed, approved, paid or agreed at that instant.

        Args:
            facts: the last that were asked for.
            more: such events of contracts, changes and invoices that are known, and of the rate.
        """
        contracts: dict[str, list[Event]] = {}
        changes: dict[str, list[Event]] = {}
        invoices: dict[str, list[Event]] = {}
        agreed: list[Mark] = []
        count = facts.event_count
        for event in more:
            if event.ref in self._voided:
                continue
            count += 1
            match event.data:
                case ContractSigned(contract=subject):
                    contracts.setdefault(subject, []).append(event)
                case ChangeApproved(change=subject):
                    changes.setdefault(subject, []).append(event)
                case InvoicePaid(invoice=subject):
                    invoices.setdefault(subject, []).append(event)
                case RateAccepted():
                    agreed.append(event.mark)
                case other:
                    raise TypeError(f"{type(other).__name__} is nothing that a client does to settle a matter")
        return Facts(
            as_of=facts.as_of,
            today=facts.today,
            event_count=count,
            profile=facts.profile,
            contracts=self._contracts.read(contracts) if contracts else facts.contracts,
            work=self._work.read(changes) if changes else facts.work,
            contacts=facts.contacts,
            talks=self._talks.read(agreed) if agreed else facts.talks,
            invoices=self._invoices.read(invoices) if invoices else facts.invoices,
            ending=None if facts.ending and _any_after(facts.ending.mark, contracts) else facts.ending,
        )

    def _begin(self) -> None:
        self._next = 0
        self._entered = 0
        self._contracts = ContractsBook()
        self._work = WorkBook(self._calendar)
        self._contacts = ContactsBook(self._calendar, self._policy.half_life_days)
        self._talks = TalksBook()
        self._invoices = InvoicesBook(self._calendar)
        self._profile = ProfileBook()
        self._ending = EndingBook()
        self._books: dict[type[EventData], list[Callable[[Event], None]]] = {}
        for book in (
            self._contracts,
            self._work,
            self._contacts,
            self._talks,
            self._invoices,
            self._profile,
            self._ending,
        ):
            for kind in book.kinds:
                self._books.setdefault(kind, []).append(book.enter)

    def _enter(self, count: int) -> None:
        voided, books = self._voided, self._books
        for event in self._events[self._next : count]:
            if voided and event.ref in voided:
                continue
            self._entered += 1
            for enter in books.get(type(event.data), ()):
                enter(event)
        self._next = count


def gather(events: Iterable[Event], policy: Policy, as_of: datetime, known_at: datetime | None = None) -> Facts:
    """Put together the facts at one instant; see `Chronicle`."""
    return Chronicle(events, policy, known_at).facts(as_of)


def _any_after(mark: Mark, told: Mapping[str, Iterable[Event]]) -> bool:
    return any(event.mark > mark for events in told.values() for event in events)


def _voided(takers: Iterable[Event]) -> frozenset[EventRef]:
    """The events taken back, with those that took them back."""
    found: set[EventRef] = set()
    for taker in takers:
        assert isinstance(taker.data, EventVoided)
        found |= {taker.ref, EventRef(taker.data.source, taker.data.id)}
    return frozenset(found)
