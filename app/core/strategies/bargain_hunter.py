"""The client who pays less than the others: a new rate, or less work for the same money."""

from collections.abc import Iterator

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["BARGAIN_HUNTER"]


def _letter(case: Case) -> Draft:
    return Draft(
        Message(N_("Our rate")),
        paragraphs(
            case,
            Message(N_("We would like to talk with you about our rate.")),
            *_about_the_rate(case),
            Message(N_("If your budget is fixed, we gladly look together for what can be left out, so that it fits.")),
        ),
    )


def _about_the_rate(case: Case) -> Iterator[Message]:
    """The newest proposal that was not agreed to since; without one there is no new rate to speak of."""
    talks, day_of = case.facts.talks, case.policy.calendar.day_of
    newest, agreed = talks.rate_proposed, talks.rate_accepted
    if newest is not None and (agreed is None or agreed < newest.mark):
        yield Message(
            N_("On {day} we proposed a rate of {rate} an hour."), {"day": day_of(newest.mark.at), "rate": newest.rate}
        )
        yield Message(N_("From {by} on we take new work at the new rate."), {"by": case.deadline})
        return
    yield Message(N_("Please tell us by {by} when it suits you."), {"by": case.deadline})


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
