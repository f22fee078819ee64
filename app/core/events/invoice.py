"""Events of invoices and of the payments on them."""

from dataclasses import dataclass
from typing import Literal

from app.core.events.event import EventData
from app.core.events.fields import Amount, Channel, Currency, Day, InvoiceId, Text

__all__ = [
    "InvoiceDisputeResolved",
    "InvoiceDisputed",
    "InvoiceDueDateChanged",
    "InvoiceIssued",
    "InvoicePaid",
    "InvoiceVoided",
    "InvoiceWrittenOff",
    "PaymentChargedBack",
    "PaymentFailed",
    "ReminderSent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceIssued(EventData):
    """An invoice was issued; it is overdue from the day after `due_date`, in the tenant's zone."""

    invoice: InvoiceId
    amount: Amount
    currency: Currency
    due_date: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDueDateChanged(EventData):
    """Another due date was agreed with the client."""

    invoice: InvoiceId
    due_date: Day
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDisputed(EventData):
    """The client disputed the invoice."""

    invoice: InvoiceId
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDisputeResolved(EventData):
    """The dispute ended: the client was right, withdrew it, or both met half-way."""

    invoice: InvoiceId
    outcome: Literal["upheld", "withdrawn", "settled"] = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePaid(EventData):
    """The client paid `amount` of the invoice, in its currency; without an amount, all that was still open."""

    invoice: InvoiceId
    amount: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceWrittenOff(EventData):
    """What was still open of the invoice was given up as lost."""

    invoice: InvoiceId
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceVoided(EventData):
    """The invoice was issued by mistake and counts as never issued."""

    invoice: InvoiceId
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(EventData):
    """A payment of the client bounced."""

    invoice: InvoiceId
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentChargedBack(EventData):
    """The client took back `amount` of what was paid on the invoice; without an amount, all of it."""

    invoice: InvoiceId
    amount: Amount | None = None
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderSent(EventData):
    """The client was reminded of the invoice."""

    invoice: InvoiceId
    channel: Channel = "email"
