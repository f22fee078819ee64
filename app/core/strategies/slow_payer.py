"""The client who pays late by habit: find the cause, shorten the way of the money."""

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, invoice_lines, paragraphs

__all__ = ["SLOW_PAYER"]


def _letter(case: Case) -> Draft:
    facts = case.facts
    settled = facts.settled
    overdue = [invoice for invoice in facts.invoices if invoice.is_overdue(facts.today)]
    mean = settled.late_days / max(settled.late, 1)
    habit = Message(
        N_("Paid after terms so far: {late:count} of {invoices:invoice}, by {days:day} on average."),
        {"late": settled.late, "invoices": settled.judged, "days": mean},
    )
    return Draft(
        Message(N_("When our invoices are paid")),
        paragraphs(
            case,
            Message(N_("Thank you for our work together. There is one thing that we have to mend.")),
            habit if settled.late else None,
            Message(N_("These are past their due day and still open:")) if overdue else None,
            invoice_lines(overdue) if overdue else None,
            Message(
                N_(
                    "Please see to it that invoices are paid when they are due from now on. If another "
                    "payment day suits "
                    "your bookkeeping better, tell us by {by}, and we move our invoices to fit it."
                ),
                {"by": case.deadline},
            ),
            Message(N_("Otherwise we will ask for half of each order in advance.")),
        ),
    )


SLOW_PAYER = Approach(
    client_type="slow_payer",
    tone=N_("Businesslike: with the bookkeeping about days, with the owner about the relationship."),
    steps=(
        N_("Find out how invoices are paid there: who approves them, and on which days."),
        N_("Send invoices early, with the order number, to the person who pays them."),
        N_("Remind a few days before the due day, and on the day after it."),
        N_("Ask for a deposit, shorter terms or direct debit; offer a small discount for paying early."),
    ),
    in_writing=(
        N_("Due days and interest on late payment."),
        N_("The deposit before work begins."),
        N_("That work rests while an invoice is overdue."),
    ),
    letter=_letter,
)
