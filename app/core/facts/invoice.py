"""One invoice: what was billed, when it was due, what was paid and what is still open."""

from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from app.core.events import Event, EventRef, Mark
from app.core.events import invoice as told
from app.core.money import Money
from app.core.working_calendar import WorkingCalendar

__all__ = ["Invoice", "Note", "issued_from", "note_of"]

_NOTHING: Final = Decimal(0)


class Note(NamedTuple):
    """What one event says of an invoice: its type, its mark, and the amount, due day or outcome that it has."""

    kind: str
    mark: Mark
    amount: Decimal | None = None
    due: date | None = None
    outcome: str | None = None


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
        reminded_day: the local day on which the client was reminded of it first.
        charged_back: the last time that a payment was taken back and not made good since.
        written_off: when the rest was given up as lost.
        disputed: the dispute, while it is open.
        excused: whether a dispute ended with the client being right, so that lateness does not count.
        voided: whether it was issued by mistake and counts as never issued.
    """

    id: str
    issued: Mark
    issued_day: date
    due: date
    amount: Money
    paid: Decimal = _NOTHING
    settled_day: date | None = None
    settled: Mark | None = None
    reminded_day: date | None = None
    charged_back: Mark | None = None
    written_off: Mark | None = None
    disputed: Mark | None = None
    excused: bool = False
    voided: bool = False

    @property
    def open_amount(self) -> Decimal:
        """What has not been paid."""
        return max(self.amount.amount - self.paid, _NOTHING)

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

    def ignored_reminder(self, today: date, patience_days: float) -> bool:
        """Whether the client let a reminder go by for so many days without paying."""
        until = self.settled_day or today
        return self.reminded_day is not None and (until - self.reminded_day).days > patience_days

    def is_overdue(self, today: date) -> bool:
        """Whether it is open after its due day."""
        return self.is_open and today > self.due

    @property
    def refs(self) -> tuple[EventRef, ...]:
        """The events that say what became of it."""
        marks = (self.issued, self.settled, self.written_off, self.charged_back)
        return tuple(mark.ref for mark in marks if mark is not None)

    def after(self, note: Note, calendar: WorkingCalendar) -> "Invoice":  # noqa: PLR0911 - a table
        """The invoice after one more event."""
        mark = note.mark
        match note.kind:
            case "invoice.paid":
                return self._paid(note, calendar)
            case "payment.charged_back":
                paid = self.paid - min(self.paid, note.amount if note.amount is not None else self.paid)
                if paid < self.amount.amount:
                    return self._replace(paid=paid, settled=None, settled_day=None, charged_back=mark)
                return self._replace(paid=paid)
            case "invoice.due_date_changed" if note.due is not None:
                return self._replace(due=note.due)
            case "invoice.disputed":
                return self._replace(disputed=mark)
            case "invoice.dispute_resolved":
                return self._replace(disputed=None, excused=self.excused or note.outcome == "upheld")
            case "invoice.written_off" if self.settled is None:
                return self._replace(written_off=mark)
            case "invoice.voided":
                return self._replace(voided=True)
            case "reminder.sent" if self.reminded_day is None:
                return self._replace(reminded_day=calendar.day_of(mark.at))
            case _:
                return self

    def _paid(self, note: Note, calendar: WorkingCalendar) -> "Invoice":
        paid = self.paid + (note.amount if note.amount is not None else self.open_amount)
        if paid < self.amount.amount or self.settled is not None:
            return self._replace(paid=paid)
        day = calendar.day_of(note.mark.at)
        return self._replace(paid=paid, settled=note.mark, settled_day=day, charged_back=None, written_off=None)


def issued_from(event: Event, earlier: list[Note], calendar: WorkingCalendar) -> Invoice:
    """An invoice as it stands when it is issued: what was told of it before counts from then on."""
    data = event.data
    assert isinstance(data, told.InvoiceIssued)
    amount = Money(data.amount, data.currency)
    made = Invoice(data.invoice, event.mark, calendar.day_of(event.time), data.due_date, amount)
    for note in earlier:
        made = made.after(note, calendar)
    return made


def note_of(event: Event) -> Note:
    """What an event says of its invoice."""
    match event.data:
        case told.InvoicePaid(amount=amount) | told.PaymentChargedBack(amount=amount):
            return Note(event.type, event.mark, amount=amount)
        case told.InvoiceDueDateChanged(due_date=due):
            return Note(event.type, event.mark, due=due)
        case told.InvoiceDisputeResolved(outcome=outcome):
            return Note(event.type, event.mark, outcome=outcome)
        case _:
            return Note(event.type, event.mark)
