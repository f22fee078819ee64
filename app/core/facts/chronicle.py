"""The chronicle: one client's events, read forward once, with the facts at any instant on the way."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final

from app.core.events import Event, EventData, EventRef, Mark
from app.core.events.relationship import EventVoided
from app.core.facts.change import Change
from app.core.facts.contacts import Contacts, ContactsBook
from app.core.facts.contracts import Contract, ContractsBook
from app.core.facts.ending import Ending, EndingBook
from app.core.facts.invoice import Invoice
from app.core.facts.invoices import Billed, InvoicesBook
from app.core.facts.profile import Profile, ProfileBook
from app.core.facts.settled import Settled
from app.core.facts.state import State
from app.core.facts.talks import Talks, TalksBook
from app.core.facts.terms import Terms
from app.core.facts.work import AGREEMENTS, Work, WorkBook, terms_of
from app.core.policy import Policy
from app.core.working_calendar import WorkingCalendar

__all__ = ["Base", "Chronicle", "Facts", "OutOfReachError", "gather"]

_MARK: Final = attrgetter("mark")


class OutOfReachError(Exception):
    """What was told now changes what lies before the base: the chronicle has to begin earlier."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One client's facts.

    Attributes:
        as_of: the instant they are true for, in UTC.
        today: the tenant's local day at that instant; nothing else in them depends on the time of day.
        event_count: how many events they rest on.
        profile: who the client is, as far as it is known.
        contracts: by the first time they were spoken of.
        work: hours, agreements and changes.
        contacts: messages, calls, deadlines and meetings.
        talks: about the rate and about what has to change.
        invoices: those that are not settled, by the time they were issued; what was given up as lost is among them.
        settled: those that are.
        billed: all of them.
        ending: that the relationship ended, while nothing new was agreed.
        calendar: the tenant's.
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
    settled: Settled
    billed: Billed
    ending: Ending | None
    calendar: WorkingCalendar = field(repr=False, compare=False)
    measures: dict[object, tuple[tuple[object, ...], Any]] = field(default_factory=dict, repr=False, compare=False)

    def age(self, mark: Mark) -> int:
        """Local days since a mark."""
        return self.days_since(self.calendar.day_of(mark.at))

    def days_since(self, day: date) -> int:
        """Local days since a day; 0 for today and for days to come."""
        days = (self.today - day).days
        return days if days > 0 else 0


@dataclass(frozen=True, slots=True)
class Base:
    """What a chronicle may begin with instead of the first event.

    Attributes:
        state: what the events before came to.
        invoices, changes: those that the state keeps only in sums, and that anything new is told of.
        elsewhere: events that are taken back later and are known not to be among those before.
    """

    state: State
    invoices: Mapping[str, Invoice] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    elsewhere: frozenset[EventRef] = frozenset()


class _Books:
    """All books over one state."""

    def __init__(
        self,
        policy: Policy,
        state: State,
        invoices: MutableMapping[str, Invoice],
        changes: MutableMapping[str, Change],
    ) -> None:
        self.state = state
        self.closed_invoices, self.closed_changes = invoices, changes
        self._policy = policy
        self._contracts = ContractsBook(policy, state.contracts)
        self.work = WorkBook(policy, state.work, changes, self._contracts.work)
        self._contacts = ContactsBook(policy, state.contacts)
        self._talks = TalksBook(policy, state.talks)
        self._invoices = InvoicesBook(policy, state.invoices, invoices, self.work.bill)
        self._profile = ProfileBook(state.profile)
        self._ending = EndingBook(state.ending)
        self._takers: dict[type[EventData], list[Callable[[Event], None]]] = {}
        for book in (
            self._contracts,
            self.work,
            self._contacts,
            self._talks,
            self._invoices,
            self._profile,
            self._ending,
        ):
            for kind in book.kinds:
                self._takers.setdefault(kind, []).append(book.enter)

    def enter(self, event: Event) -> None:
        self.state.events += 1
        for enter in self._takers.get(type(event.data), ()):
            enter(event)

    def fork(self) -> "_Books":
        """The same, to suppose something apart."""
        self.sync()
        changes, invoices = ChainMap({}, self.closed_changes), ChainMap({}, self.closed_invoices)
        return _Books(self._policy, self.state.copy(), invoices, changes)

    def sync(self) -> State:
        """The state with all that the books know."""
        self.state.profile, self.state.ending = self._profile.state, self._ending.state
        return self.state

    def read(self, as_of: datetime, today: date) -> Facts:
        day = today.toordinal()
        return Facts(
            as_of=as_of,
            today=today,
            event_count=self.state.events,
            profile=self._profile.state,
            contracts=self._contracts.read(),
            work=self.work.read(today),
            contacts=self._contacts.read(day),
            talks=self._talks.read(day),
            invoices=self._invoices.open(),
            settled=self._invoices.settled(day),
            billed=self._invoices.billed(day),
            ending=self._ending.state,
            calendar=self._policy.calendar,
        )


class Chronicle:
    """Reads forward: each event is entered once, however many instants are asked for.

    The facts are the same for any order and any repetition of the events (axiom 4), and from whatever base it begins.
    """

    def __init__(
        self, events: Iterable[Event], policy: Policy, known_at: datetime | None = None, base: Base | None = None
    ) -> None:
        """Put events in order.

        Args:
            events: one client's events after the base, in any order.
            policy: whose local days count, and how soon what happened is forgotten; that of the base, too.
            known_at: events that we were told after this instant are passed over; None for all.
            base: what to begin with; None to begin with nothing.
        """
        told = {event.ref: event for event in events if known_at is None or event.recorded_at <= known_at}
        self._policy = policy
        self._calendar = policy.calendar
        self._base = base
        self._events = sorted(told.values(), key=_MARK)
        self._voids = [event for event in self._events if isinstance(event.data, EventVoided)]
        self._terms = [
            (event, terms_of(event, self._calendar.day_of(event.time)))
            for event in self._events
            if isinstance(event.data, AGREEMENTS)
        ]
        self._begin()

    @property
    def events(self) -> list[Event]:
        """All events after the base in order, voided ones included."""
        return self._events

    def facts(self, as_of: datetime) -> Facts:
        """The facts at an instant that is not before the last one asked for: later events are passed over.

        Raises:
            OutOfReachError: an event up to then changes what lies before the base.
        """
        count = self._next
        while count < len(self._events) and self._events[count].time <= as_of:
            count += 1
        return self.facts_after(count, as_of)

    def facts_after(self, count: int, as_of: datetime) -> Facts:
        """The facts at an instant after the first `count` events, not fewer than the last time; see `facts`."""
        self.advance(count)
        return self._books.read(as_of, self._calendar.day_of(as_of))

    def advance(self, count: int) -> None:
        """Enter the first `count` events, not fewer than the last time; see `facts`."""
        until = self._events[count - 1].mark if count else None
        fresh = self._voided_until(until) - self._state.voided
        if fresh:
            self._take_back(fresh)
        if not self._books.work.agree(self._terms_until(until)):
            # Hours were put into periods that turn out to be others: begin again, knowing it.
            self._begin(fresh=self._state.voided)
            if not self._books.work.agree(self._terms_until(until)):
                raise OutOfReachError
        self._enter(count)

    def state(self) -> State:
        """What the events that were entered come to."""
        return self._books.sync()

    @property
    def closed(self) -> tuple[Mapping[str, Invoice], Mapping[str, Change]]:
        """Invoices and changes that the state keeps only in sums, as far as they were touched."""
        return self._books.closed_invoices, self._books.closed_changes

    def supposing(self, facts: Facts, more: Iterable[Event]) -> Facts:
        """The facts at the same instant, had some more happened by then.

        Args:
            facts: the last that were asked for.
            more: such events as a client settles a matter with; none that takes back or agrees on hours.
        """
        ordered = sorted((event for event in more if event.ref not in self._state.voided), key=_MARK)
        if not ordered:
            return facts
        last = self._state.last
        if last is not None and ordered[0].mark < last:
            # In their place among others of the same instant.
            again = Chronicle([*self._events[: self._next], *ordered], self._policy, None, self._base)
            return again.facts(facts.as_of)
        fork = self._books.fork()
        for event in ordered:
            fork.enter(event)
        return fork.read(facts.as_of, facts.today)

    @property
    def _state(self) -> State:
        return self._books.state

    def _begin(self, fresh: Iterable[EventRef] = ()) -> None:
        base = self._base
        state = base.state.copy() if base else State()
        state.voided |= set(fresh)
        invoices, changes = (dict(base.invoices), dict(base.changes)) if base else ({}, {})
        self._next = 0
        self._books = _Books(self._policy, state, invoices, changes)

    def _take_back(self, fresh: frozenset[EventRef]) -> None:
        base = self._base
        if base is not None and base.state.events:
            known = base.elsewhere.union(event.ref for event in self._events)
            if not fresh <= known:
                raise OutOfReachError
        if any(event.ref in fresh for event in self._events[: self._next]):
            # What was entered is taken back: begin again without it.
            self._begin(fresh=self._state.voided)
        self._state.voided |= fresh

    def _voided_until(self, until: Mark | None) -> frozenset[EventRef]:
        """The events taken back, with those that took them back."""
        found: set[EventRef] = set()
        for taker in self._voids:
            if until is not None and taker.mark <= until:
                assert isinstance(taker.data, EventVoided)
                found |= {taker.ref, EventRef(taker.data.source, taker.data.id)}
        return frozenset(found)

    def _terms_until(self, until: Mark | None) -> list[Terms]:
        voided = self._state.voided
        told = [
            terms
            for event, terms in self._terms
            if until is not None and event.mark <= until and event.ref not in voided
        ]
        return [*(self._base.state.work.terms if self._base else ()), *told]

    def _enter(self, count: int) -> None:
        state, enter = self._books.state, self._books.enter
        voided = state.voided
        for event in self._events[self._next : count]:
            if voided and event.ref in voided:
                continue
            enter(event)
        if count > self._next:
            state.last = self._events[count - 1].mark
        self._next = max(count, self._next)


def gather(events: Iterable[Event], policy: Policy, as_of: datetime, known_at: datetime | None = None) -> Facts:
    """Put together the facts at one instant; see `Chronicle`."""
    return Chronicle(events, policy, known_at).facts(as_of)
