"""The letter at the end: that it ends, or has ended, and what is still open."""

from collections.abc import Iterator

from app.core.message import N_, Message
from app.core.strategies.strategy import Case, Draft, invoice_lines, paragraphs

__all__ = ["farewell"]


def farewell(case: Case, unbilled_hours: float = 0.0) -> Draft:
    """Say goodbye, or that it was said.

    Args:
        case: whom.
        unbilled_hours: what is still to be billed.
    """
    unpaid = [invoice for invoice in case.facts.invoices if invoice.is_open]
    overdue = any(invoice.is_overdue(case.facts.today) for invoice in unpaid)
    return Draft(
        Message(N_("The end of our work together")),
        paragraphs(
            case,
            *_end(case),
            Message(N_("You will get a last invoice for {hours:hour}."), {"hours": unbilled_hours})
            if unbilled_hours
            else None,
            Message(N_("These invoices are still open:")) if unpaid else None,
            invoice_lines(unpaid) if unpaid else None,
            Message(N_("Please pay what is past its due day by {by}."), {"by": case.deadline}) if overdue else None,
            Message(
                N_("Files and accesses are handed over on {day}; please tell us who takes them."),
                {"day": case.deadline},
            ),
            Message(N_("We wish you all the best.")),
        ),
    )


def _end(case: Case) -> Iterator[Message]:
    ending = case.facts.ending
    if ending is not None:
        ended = case.policy.calendar.day_of(ending.mark.at)
        yield Message(N_("Our work together ended on {day}. You have our thanks for your trust."), {"day": ended})
        return
    yield Message(N_("We have decided to end our work for you. You have our thanks for your trust."))
    yield Message(
        N_("Our last working day for you is {last}; until then we finish what is begun."), {"last": case.deadline}
    )
