"""The client who pays less than the others: a new rate, or less work for the same money."""

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["BARGAIN_HUNTER"]


def _letter(case: Case) -> Draft:
    talks, day_of = case.facts.talks, case.policy.calendar.day_of
    proposal = None
    for newest in talks.rate_proposed[-1:]:
        proposal = Message(
            N_("On {day} we proposed a rate of {rate} an hour; it is what our other clients pay for the same work."),
            {"day": day_of(newest.mark.at), "rate": newest.rate},
        )
    return Draft(
        Message(N_("Our rate")),
        paragraphs(
            case,
            Message(N_("our rate with you no longer covers what good work costs us.")),
            proposal,
            Message(N_("From {by} on we take new work at the new rate."), {"by": case.deadline}),
            Message(N_("If your budget is fixed, we gladly look together for what can be left out, so that it fits.")),
        ),
    )


BARGAIN_HUNTER = Approach(
    client_type="bargain_hunter",
    tone=N_("Friendly and without excuses: a price is no matter of sympathy."),
    steps=(
        N_("Show what the work was worth to them before you talk about its price."),
        N_("Propose a new rate with a day from which it holds."),
        N_("Give discounts only for something in return: volume, prepayment, a longer term."),
        N_("Offer less work for the same money, never the same work for less."),
    ),
    in_writing=(
        N_("The new rate and the day from which it holds."),
        N_("What the price covers, and what costs extra."),
        N_("That the rate is looked at once a year."),
    ),
    letter=_letter,
)
