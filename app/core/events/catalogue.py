"""The catalogue: every event type that Partwise understands. A new type is one dataclass and one line here."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc
from types import MappingProxyType
from typing import Final

from app.core.events import agreement, change, contact, contract, effort, invoice, rate, relationship
from app.core.events.event import EventData

__all__ = ["CATALOGUE", "EventType"]


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: its name and the dataclass of its data."""

    name: str
    data: type[EventData]

    @property
    def summary(self) -> str:
        """What it says happened, in one sentence."""
        return (getdoc(self.data) or "").partition("\n")[0]


_TYPES: Final[tuple[EventType, ...]] = (
    EventType("contract.sent", contract.ContractSent),
    EventType("contract.explained", contract.ContractExplained),
    EventType("contract.signed", contract.ContractSigned),
    EventType("contract.declined", contract.ContractDeclined),
    EventType("contract.expired", contract.ContractExpired),
    EventType("contract.terminated", contract.ContractTerminated),
    EventType("agreement.made", agreement.AgreementMade),
    EventType("agreement.amended", agreement.AgreementAmended),
    EventType("change.requested", change.ChangeRequested),
    EventType("change.quoted", change.ChangeQuoted),
    EventType("change.approved", change.ChangeApproved),
    EventType("change.rejected", change.ChangeRejected),
    EventType("change.delivered", change.ChangeDelivered),
    EventType("time.logged", effort.TimeLogged),
    EventType("message.received", contact.MessageReceived),
    EventType("call.received", contact.CallReceived),
    EventType("deadline.requested", contact.DeadlineRequested),
    EventType("meeting.missed", contact.MeetingMissed),
    EventType("meeting.moved", contact.MeetingMoved),
    EventType("rate.proposed", rate.RateProposed),
    EventType("rate.accepted", rate.RateAccepted),
    EventType("rate.refused", rate.RateRefused),
    EventType("invoice.issued", invoice.InvoiceIssued),
    EventType("invoice.due_date_changed", invoice.InvoiceDueDateChanged),
    EventType("invoice.disputed", invoice.InvoiceDisputed),
    EventType("invoice.dispute_resolved", invoice.InvoiceDisputeResolved),
    EventType("invoice.paid", invoice.InvoicePaid),
    EventType("invoice.written_off", invoice.InvoiceWrittenOff),
    EventType("invoice.voided", invoice.InvoiceVoided),
    EventType("payment.failed", invoice.PaymentFailed),
    EventType("payment.charged_back", invoice.PaymentChargedBack),
    EventType("reminder.sent", invoice.ReminderSent),
    EventType("expectation.stated", relationship.ExpectationStated),
    EventType("relationship.ended", relationship.RelationshipEnded),
    EventType("relationship.regretted", relationship.RelationshipRegretted),
    EventType("relationship.thrived", relationship.RelationshipThrived),
    EventType("client.created", relationship.ClientCreated),
    EventType("client.updated", relationship.ClientUpdated),
    EventType("event.voided", relationship.EventVoided),
)

CATALOGUE: Final[Mapping[str, EventType]] = MappingProxyType({kind.name: kind for kind in _TYPES})
"""Event types by name, in the order of the documentation."""
