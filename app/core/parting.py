"""How to part well: what is still open on both sides, the last invoice, the hand-over, the letter."""

from dataclasses import dataclass
from math import exp
from typing import Final

from app.core.earnings import earnings_of
from app.core.facts import Facts
from app.core.message import N_, Message
from app.core.money import Money, to_cents
from app.core.strategies.farewell import farewell
from app.core.strategies.strategy import Case, Draft

__all__ = ["FinalInvoice", "Parting", "beginning_of_parting", "parting_from"]

_STOP: Final = N_("Stop taking new work, and say until when you finish what is begun.")
_HAND_OVER: Final = (
    N_("Hand over files, accesses and licences against a receipt, once the open invoices are paid."),
    N_("Name a colleague who could take over, if there is one whom you can recommend."),
    N_("Close accounts and delete data as the contract and the law say."),
    N_("Say nothing about the client to others; write down for yourself what you would do otherwise."),
)


@dataclass(frozen=True, slots=True)
class FinalInvoice:
    """Hours that are not billed yet, and what they come to at this client's own rate; None where that is not known."""

    hours: float
    amount: Money | None


@dataclass(frozen=True, slots=True)
class Parting:
    """How to part with a client well."""

    obligations: tuple[Message, ...]
    final_invoice: FinalInvoice | None
    hand_over: tuple[Message, ...]
    letter: Draft


def parting_from(case: Case) -> Parting:
    """Gather what is open and draft the letter."""
    final = _final_invoice(case)
    return Parting(
        obligations=tuple(_obligations(case.facts)),
        final_invoice=final,
        hand_over=tuple(map(Message, _HAND_OVER if case.facts.ending else (_STOP, *_HAND_OVER))),
        letter=farewell(case, final.hours if final else 0.0),
    )


def beginning_of_parting(facts: Facts) -> Message:
    """What to do first."""
    return Message(_HAND_OVER[0] if facts.ending else _STOP)


def _obligations(facts: Facts) -> list[Message]:
    found = [
        Message(
            N_("The client owes {amount} for invoice {invoice}, due on {due}."),
            {"amount": Money(one.open_amount, one.amount.currency), "invoice": one.id, "due": one.due},
        )
        for one in facts.invoices
        if one.is_open
    ]
    found += [
        Message(N_("You owe the change {change}, which the client approved."), {"change": one.id})
        for one in facts.work.changes
        if one.is_owed
    ]
    for contract in facts.contracts:
        if contract.signed is not None:
            found.append(
                Message(N_("The contract {contract} is signed: keep to its notice."), {"contract": contract.id})
            )
    return found


def _final_invoice(case: Case) -> FinalInvoice | None:
    facts = case.facts
    since = facts.work.hours.since
    hours = since.hours - since.unpaid
    if hours <= 0:
        return None
    log_rate = earnings_of(facts, case.policy).log_rate
    if log_rate is None:
        return FinalInvoice(round(hours, 2), None)
    amount = Money(to_cents(exp(log_rate) * hours), case.policy.currency)
    return FinalInvoice(round(hours, 2), amount)
