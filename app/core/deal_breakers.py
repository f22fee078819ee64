"""Deal-breakers: single facts that a policy may name as reason enough to part, whatever the score says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from app.core.events import EventRef
from app.core.facts import Facts
from app.core.policy import DealBreaker, Policy

__all__ = ["DEAL_BREAKERS", "Broken", "broken_deals"]

Found = Iterator[tuple[str, EventRef]]


@dataclass(frozen=True, slots=True)
class Broken:
    """A deal-breaker that holds: for which contract or invoice, and the event that says so."""

    name: DealBreaker
    subject: str
    event: EventRef


def broken_deals(facts: Facts, policy: Policy) -> tuple[Broken, ...]:
    """All deal-breakers of the policy that hold; an item that is settled later holds no more."""
    return tuple(
        Broken(name, subject, ref)
        for name, found in DEAL_BREAKERS.items()
        if name in policy.deal_breakers
        for subject, ref in found(facts, policy)
    )


def _contract_refused(facts: Facts, policy: Policy) -> Found:
    """The client refused to sign after it was explained why a contract is needed, and has not signed since."""
    del policy
    for contract in facts.contracts:
        refused = [one.mark for one in contract.declined if one.explained]
        if contract.signed is None and refused:
            yield contract.id, refused[-1].ref


def _payment_charged_back(facts: Facts, policy: Policy) -> Found:
    """The client took a payment back and has not made it good."""
    del policy
    for invoice in facts.invoices:
        if invoice.charged_back is not None:
            yield invoice.id, invoice.charged_back.ref


def _debt_written_off(facts: Facts, policy: Policy) -> Found:
    """An invoice was given up as lost and has not been paid since."""
    del policy
    for invoice in facts.invoices:
        if invoice.written_off is not None:
            yield invoice.id, invoice.written_off.ref


def _long_unpaid(facts: Facts, policy: Policy) -> Found:
    """An invoice is unpaid for so many days after its due day although the client was reminded of it."""
    for invoice in facts.invoices:
        overdue = invoice.is_overdue(facts.today) and invoice.days_beyond_terms(facts.today) >= policy.long_unpaid_days
        if overdue and invoice.ignored_reminder(facts.today, policy.reminder_days):
            yield invoice.id, invoice.issued.ref


DEAL_BREAKERS: Final[Mapping[DealBreaker, Callable[[Facts, Policy], Found]]] = MappingProxyType(
    {
        "contract_refused": _contract_refused,
        "payment_charged_back": _payment_charged_back,
        "debt_written_off": _debt_written_off,
        "long_unpaid": _long_unpaid,
    }
)
