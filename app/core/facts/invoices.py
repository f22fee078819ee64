"""What the events say of invoices: those that are open one by one, those that are settled as sums."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.core.events import Event, EventRef
from app.core.events import invoice as told
from app.core.events.relationship import ExpectationStated
from app.core.facts.invoice import Invoice, Note, issued_from, note_of
from app.core.facts.settled import Settled, SettledBook, SettledState, comparable
from app.core.fading import Heaviest
from app.core.policy import Policy

__all__ = ["Billed", "InvoicesBook", "InvoicesState"]

_YEAR: Final = 365.0
_MOST_EARLY: Final = 100
"""Of invoices that are not issued yet, and of what is told of one."""


@dataclass(frozen=True, slots=True)
class Billed:
    """All that was ever billed and not voided.

    Attributes:
        count: how many invoices.
        money: what they came to in the tenant's currency, without those that have no exchange rate.
        unknown: how many have none.
        unknown_days: by currency without an exchange rate, the newest day of an invoice, as an ordinal.
        first_day, last_day: the first and the last day on which one was issued, as ordinals; a voided one counts.
        newest: the newest invoices, each with a weight that fades by the year.
    """

    count: int
    money: float
    unknown: int
    unknown_days: dict[str, int]
    first_day: int | None
    last_day: int | None
    newest: tuple[tuple[float, EventRef], ...]


@dataclass(slots=True)
class InvoicesState:
    """What is kept of invoices.

    Attributes:
        open: invoices that are not settled, by number; what was given up as lost is among them.
        early: what was told of invoices that are not issued yet.
        settled: those paid in full.
        count, money, unknown, unknown_days, first_day, last_day, newest: see `Billed`.
        told_at: when the client was told about late payments first.
    """

    open: dict[str, Invoice] = field(default_factory=dict)
    early: dict[str, list[Note]] = field(default_factory=dict)
    settled: SettledState = field(default_factory=SettledState)
    count: int = 0
    money: float = 0.0
    unknown: int = 0
    unknown_days: dict[str, int] = field(default_factory=dict)
    first_day: int | None = None
    last_day: int | None = None
    newest: Heaviest = field(default_factory=Heaviest)
    told_at: datetime | None = None

    def copy(self) -> "InvoicesState":
        """The same, to go on with apart."""
        return InvoicesState(
            dict(self.open),
            {number: list(notes) for number, notes in self.early.items()},
            self.settled.copy(),
            self.count,
            self.money,
            self.unknown,
            dict(self.unknown_days),
            self.first_day,
            self.last_day,
            self.newest.copy(),
            self.told_at,
        )


class InvoicesBook:
    """Keeps every invoice that was issued and not voided.

    What is said of an invoice that was never issued is passed over until its `invoice.issued` comes; of two events that
    issue the same invoice the first counts.
    """

    kinds = (
        told.InvoiceIssued,
        told.InvoiceDueDateChanged,
        told.InvoiceDisputed,
        told.InvoiceDisputeResolved,
        told.InvoicePaid,
        told.InvoiceWrittenOff,
        told.InvoiceVoided,
        told.PaymentFailed,
        told.PaymentChargedBack,
        told.ReminderSent,
        ExpectationStated,
    )

    def __init__(
        self,
        policy: Policy,
        state: InvoicesState,
        closed: MutableMapping[str, Invoice],
        issued: Callable[[int], None],
    ) -> None:
        """Go on from a state.

        Args:
            policy: whose local days and exchange rates count.
            state: what was kept.
            closed: settled and voided invoices, as far as anything new may be told of them.
            issued: is told of the day of each new invoice, as an ordinal.
        """
        self._policy = policy
        self._settled = SettledBook(policy, state.settled)
        self._closed = closed
        self._issued = issued
        self.state = state

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        data, state = event.data, self.state
        if isinstance(data, ExpectationStated):
            if data.sign == "late" and state.told_at is None:
                state.told_at = event.time
            return
        assert isinstance(data, self.kinds) and not isinstance(data, ExpectationStated)  # noqa: PT018 - for mypy
        number = data.invoice
        before = state.open.pop(number, None) or self._closed.get(number)
        if before is None:
            self._first(number, event)
            return
        after = before if type(data) is told.InvoiceIssued else before.after(note_of(event), self._policy.calendar)
        if before.settled_day is not None and not before.voided:
            self._settled.take(before, state.told_at)
        if after.voided and not before.voided:
            self._bill(before, -1)
        self._keep(after)

    def _first(self, number: str, event: Event) -> None:
        if type(event.data) is not told.InvoiceIssued:
            self._note(number, note_of(event))
            return
        made = issued_from(event, self.state.early.pop(number, []), self._policy.calendar)
        day = made.issued_day.toordinal()
        self.state.first_day = day if self.state.first_day is None else min(self.state.first_day, day)
        self.state.last_day = day if self.state.last_day is None else max(self.state.last_day, day)
        self._issued(day)
        if not made.voided:
            self._bill(made, 1)
        self._keep(made)

    def _note(self, number: str, note: Note) -> None:
        """Keep what is told of an invoice before it is issued, within bounds: most such invoices never are."""
        early = self.state.early
        if number not in early and len(early) >= _MOST_EARLY:
            oldest = min(early, key=lambda name: (early[name][-1].mark, name))
            del early[oldest]
        early[number] = [*early.get(number, []), note][-_MOST_EARLY:]

    def _keep(self, invoice: Invoice) -> None:
        if invoice.voided or invoice.settled_day is not None:
            self._closed[invoice.id] = invoice
            if not invoice.voided:
                self._settled.put(invoice, self.state.told_at)
        else:
            self.state.open[invoice.id] = invoice

    def _bill(self, invoice: Invoice, sign: int) -> None:
        state, day = self.state, invoice.issued_day.toordinal()
        state.count += sign
        currency, amount = comparable(invoice, self._policy)
        if currency == self._policy.currency:
            state.money += sign * amount
        else:
            state.unknown += sign
            state.unknown_days[currency] = max(state.unknown_days.get(currency, day), day)
        if sign > 0:
            state.newest.add(day, 1.0, invoice.issued.ref, _YEAR)
        else:
            state.newest.take(invoice.issued.ref)

    def open(self) -> tuple[Invoice, ...]:
        """The invoices that are not settled, by the time they were issued."""
        return tuple(sorted(self.state.open.values(), key=lambda invoice: (invoice.issued.at, invoice.id)))

    def settled(self, today: int) -> Settled:
        """What the settled invoices come to on a day."""
        return self._settled.read(today)

    def billed(self, today: int) -> Billed:
        """All that was billed."""
        state = self.state
        return Billed(
            count=state.count,
            money=state.money,
            unknown=state.unknown,
            unknown_days=dict(state.unknown_days),
            first_day=state.first_day,
            last_day=state.last_day,
            newest=tuple(state.newest.on(today, _YEAR)),
        )
