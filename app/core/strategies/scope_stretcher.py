"""The client who asks for more and more: a price before every change."""

from app.core.message import N_, Message
from app.core.signs.creep import creep_of
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["SCOPE_STRETCHER"]


def _letter(case: Case) -> Draft:
    facts = case.facts
    creep = creep_of(facts, case.policy)
    unpaid = [change for change in facts.work.changes if change.can_be_approved]
    lines = tuple(
        Message(N_("- {change}: {hours:hour}"), {"change": change.id, "hours": change.hours})
        if change.hours
        else Message(N_("- {change}"), {"change": change.id})
        for change in unpaid
    )
    beyond = Message(
        N_("We agreed on {agreed:hour}; unpaid work beyond that so far: {unpaid:hour}."),
        {"agreed": creep.agreed_hours, "unpaid": creep.unpaid_hours},
    )
    asked = Message(
        N_("You asked for these besides. Please approve them by {by}, or tell us which to leave out:"),
        {"by": case.deadline},
    )
    return Draft(
        Message(N_("What we agreed on, and what came on top")),
        paragraphs(
            case,
            Message(N_("We like to work for you, and we would like to keep the books between us straight.")),
            beyond if creep.agreed_hours and creep.unpaid_hours else None,
            asked if lines else None,
            Message("{lines}", {"lines": lines}) if lines else None,
            Message(
                N_("From now on you get a price for each request beyond the agreement; we begin once you approve it.")
            ),
        ),
    )


SCOPE_STRETCHER = Approach(
    client_type="scope_stretcher",
    tone=N_("Helpful and exact: gladly, and this is what it costs."),
    steps=(
        N_("Answer each request with a price and a date, however small it is."),
        N_("Begin only when it is approved in writing."),
        N_("Show agreed and worked hours once a month, before they are asked for."),
        N_("If it happens often, offer a larger agreement at a fair price."),
    ),
    in_writing=(
        N_("What is included, and what is not."),
        N_("Each change: what, how many hours, how much, by when, and who approved it."),
        N_("How many rounds of corrections the price covers."),
    ),
    letter=_letter,
)
