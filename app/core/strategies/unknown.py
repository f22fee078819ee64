"""The client of whom nothing is known yet: begin well."""

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["UNKNOWN"]


def _letter(case: Case) -> Draft:
    return Draft(
        Message(N_("Before we begin")),
        paragraphs(
            case,
            Message(
                N_("We look forward to working with you. So that it goes well, let us agree on four things first:")
            ),
            Message(
                N_(
                    "what you get and by when; what is not included and what changes cost; how and when we reach each "
                    "other; when invoices are due."
                )
            ),
            Message(N_("You get all of it in writing from us by {by}."), {"by": case.deadline}),
        ),
    )


UNKNOWN = Approach(
    client_type="unknown",
    tone=N_("Open and clear: what is said at the beginning needs no mending later."),
    steps=(
        N_("Agree on scope, hours, rate and due days before any work."),
        N_("Have the contract signed first."),
        N_("Ask for a deposit."),
        N_("Begin with something small."),
    ),
    in_writing=(
        N_("What is done, by when and for how much."),
        N_("Working hours, the ways to reach you, and how soon you answer."),
        N_("Due days and interest on late payment."),
    ),
    letter=_letter,
)
