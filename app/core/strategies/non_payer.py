"""The client who does not pay: stop, set a last day, then leave it to those who collect."""

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, invoice_lines, paragraphs, together

__all__ = ["NON_PAYER"]


def _letter(case: Case) -> Draft:
    facts = case.facts
    unpaid = [one for one in facts.invoices if one.is_overdue(facts.today) or one.written_off or one.charged_back]
    if not unpaid:
        return Draft(
            Message(N_("A deposit for new work")),
            paragraphs(
                case,
                Message(N_("Before we begin new work, we need a deposit.")),
                Message(N_("Please tell us by {by} how you would like to pay it."), {"by": case.deadline}),
            ),
        )
    reminded = all(invoice.reminded_day for invoice in unpaid)
    return Draft(
        Message(N_("Last reminder before collection") if reminded else N_("Unpaid invoices")),
        paragraphs(
            case,
            Message(
                N_("In spite of our reminders these invoices are not paid:")
                if reminded
                else N_("These invoices are not paid:")
            ),
            invoice_lines(unpaid),
            together(unpaid),
            Message(
                N_(
                    "Please pay by {by}, or call us before that day to agree on instalments. Until then our work rests."
                ),
                {"by": case.deadline},
            ),
            Message(N_("After that day we hand the matter over to collection, and the cost of that is yours.")),
        ),
    )


NON_PAYER = Approach(
    client_type="non_payer",
    tone=N_("Short, polite and final: amounts, days, consequences."),
    steps=(
        N_("Stop all work and withhold what is not delivered yet."),
        N_("Call once and ask whether they cannot pay or will not; offer instalments if they cannot."),
        N_("Send a last reminder with a day on it."),
        N_("After that day hand over to collection or court, and work only for prepayment, if at all."),
    ),
    in_writing=(
        N_("All open invoices with amounts and due days."),
        N_("The last day to pay, and what comes after it."),
        N_("Any instalments, with dates."),
    ),
    letter=_letter,
)
