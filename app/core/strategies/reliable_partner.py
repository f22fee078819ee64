"""The reliable partner: keep what is good."""

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["RELIABLE_PARTNER"]


def _letter(case: Case) -> Draft:
    paid = case.facts.settled.in_time
    in_time = Message(
        N_("Paid in time so far: {invoices:invoice}. That is not usual, and we know it."), {"invoices": paid}
    )
    return Draft(
        Message(N_("Thank you")),
        paragraphs(
            case,
            Message(N_("This is only to say thank you: it is easy to do good work for you.")),
            in_time if paid else None,
            Message(
                N_(
                    "If there is anything that we could do better, please tell us. And if you know somebody whom we "
                    "could help, we would be glad to hear of them."
                )
            ),
        ),
    )


RELIABLE_PARTNER = Approach(
    client_type="reliable_partner",
    tone=N_("Warm and attentive: they do their part, so do more than yours."),
    steps=(
        N_("Thank them, and say for what."),
        N_("Keep their work first when time is short."),
        N_("Look at the agreement together once a year."),
        N_("Ask for a reference or a recommendation."),
    ),
    in_writing=(N_("The agreement and its rate, once a year."), N_("What is planned for the next months.")),
    letter=_letter,
)
