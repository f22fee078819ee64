"""What the events say of each invoice: what was billed, when it was due, what was paid and what is still open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from app.core.events import Event, EventRef, Mark
from app.core.events import invoice as told
from app.core.facts.files import NOTHING, Files
from app.core.money import Money
from app.core.working_calendar import WorkingCalendar

__all__ = ["Invoice", "InvoicesBook"]


class Invoice(NamedTuple):
    """One invoice as it stands.

    Attributes:
        id: the tenant's own number of the invoice.
        issued: when it was issued.
        issued_day: the local day of that.
        due: the last day on which a payment is in time.
        amount: what was billed.
        paid: what was paid and not taken back, in the same currency.
        settled_day: the local day on which it was paid in full, or None.
        settled: the payment that did so.
        reminders: when the client was reminded of it.
        failures: payments of it that bounced.
        charged_back: the last time that a payment was taken back and not made good since.
        written_off: when the rest was given up as lost.
        disputed: the dispute, while it is open.
        excused: whether a dispute ended with the client being right, so that lateness does not count.
    """

    id: str
    issued: Mark
    issued_day: date
    due: date
    amount: Money
    paid: Decimal
    settled_day: date | None
    settled: Mark | None
    reminders: tuple[Mark, ...]
    failures: tuple[Mark, ...]
    charged_back: Mark | None
    written_off: Mark | None
    disputed: Mark | None
    excused: bool

    @property
    def open_amount(self) -> Decimal:
        """What has not been paid."""
        return max(self.amount.amount - self.paid, Decimal(0))

    @property
    def is_open(self) -> bool:
        """Whether anything is still waited for."""
        return self.settled_day is None and self.written_off is None

    def days_beyond_terms(self, today: date) -> int:
        """Days from the due day to the payment in full, or to today while there is none; negative when paid early."""
        return ((self.settled_day or today) - self.due).days

    def is_judged(self, today: date) -> bool:
        """Whether it says something of the client's punctuality: paid, or not paid by its due day, and not excused."""
        late = self.days_beyond_terms(today) > 0
        return not (late and self.excused) and (self.settled_day is not None or late)

    def ignored_reminder(self, as_of: datetime, patience_days: float) -> bool:
        """Whether the client let a reminder go by for so many days without paying."""
        until = self.settled.at if self.settled else as_of
        return any(until - reminder.at > timedelta(days=patience_days) for reminder in self.reminders)

    def is_overdue(self, today: date) -> bool:
        """Whether it is open after its due day."""
        return self.is_open and today > self.due

    @property
    def refs(self) -> tuple[EventRef, ...]:
        """The events that say what became of it."""
        marks = (self.issued, self.settled, self.written_off, self.charged_back)
        return tuple(mark.ref for mark in marks if mark is not None)


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
    )

    def __init__(self, calendar: WorkingCalendar) -> None:
        """Nothing is known; the calendar's local days count."""
        self._files = Files(lambda number, history: _invoice(number, history, calendar))

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        assert isinstance(event.data, self.kinds)
        self._files.enter(event.data.invoice, event)

    def read(self, supposed: Mapping[str, Sequence[Event]] = NOTHING) -> tuple[Invoice, ...]:
        """The invoices by the time they were issued; see `Files.read` for what is supposed."""
        return tuple(sorted(self._files.read(supposed), key=lambda invoice: (invoice.issued.at, invoice.id)))


@dataclass(slots=True)
class _Ledger:
    """The running account of one invoice while its events are read."""

    amount: Decimal
    due: date
    paid: Decimal = Decimal(0)
    settled: Mark | None = None
    charged_back: Mark | None = None
    written_off: Mark | None = None
    disputed: Mark | None = None
    excused: bool = False


def _invoice(number: str, history: list[Event], calendar: WorkingCalendar) -> Invoice | None:
    issue = next((event for event in history if type(event.data) is told.InvoiceIssued), None)
    if issue is None:
        return None
    assert isinstance(issue.data, told.InvoiceIssued)
    account = _Ledger(issue.data.amount, issue.data.due_date)
    reminders: list[Mark] = []
    failures: list[Mark] = []
    for event in history:
        mark = event.mark
        match event.data:
            case told.InvoiceIssued():
                pass
            case told.ReminderSent():
                reminders.append(mark)
            case told.PaymentFailed():
                failures.append(mark)
            case told.InvoiceVoided():
                return None
            case _:
                _enter(account, event, mark)
    return Invoice(
        id=number,
        issued=issue.mark,
        issued_day=calendar.day_of(issue.time),
        due=account.due,
        amount=Money(issue.data.amount, issue.data.currency),
        paid=account.paid,
        settled_day=calendar.day_of(account.settled.at) if account.settled else None,
        settled=account.settled,
        reminders=tuple(reminders),
        failures=tuple(failures),
        charged_back=account.charged_back,
        written_off=account.written_off,
        disputed=account.disputed,
        excused=account.excused,
    )


def _enter(account: _Ledger, event: Event, mark: Mark) -> None:
    match event.data:
        case told.InvoicePaid(amount=amount):
            account.paid += amount if amount is not None else max(account.amount - account.paid, Decimal(0))
            if account.paid >= account.amount and account.settled is None:
                account.settled, account.charged_back, account.written_off = mark, None, None
        case told.PaymentChargedBack(amount=amount):
            account.paid -= min(account.paid, amount if amount is not None else account.paid)
            if account.paid < account.amount:
                account.settled, account.charged_back = None, mark
        case told.InvoiceDueDateChanged(due_date=due):
            account.due = due
        case told.InvoiceDisputed():
            account.disputed = mark
        case told.InvoiceDisputeResolved(outcome=outcome):
            account.disputed = None
            account.excused = account.excused or outcome == "upheld"
        case told.InvoiceWrittenOff():
            if account.settled is None:
                account.written_off = mark
        case _:
            pass
