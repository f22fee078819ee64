"""The client for whom everything burns: hours, lead times, and a price for real emergencies."""

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["FIREFIGHTER"]

_DAYS = 90


def _letter(case: Case) -> Draft:
    facts, calendar = case.facts, case.policy.calendar
    late = facts.contacts.out_of_hours - case.before.contacts.out_of_hours
    # Days of different hours would need a line each.
    hours = {hours for hours in calendar.week if hours is not None}
    week = hours.pop() if len(hours) == 1 else None
    outside = Message(
        N_("In the last {days:day}, {contacts:contact} reached us outside our working hours."),
        {"days": _DAYS, "contacts": late},
    )
    reached = None
    if week is not None:
        reached = Message(
            N_("You reach us on working days from {opens} to {closes} ({zone})."),
            {"opens": f"{week.opens:%H:%M}", "closes": f"{week.closes:%H:%M}", "zone": calendar.zone},
        )
    ahead = Message(
        N_("For what you need we plan at least {hours:hour} of working time ahead."),
        {"hours": case.policy.time.minimum_lead_hours},
    )
    return Draft(
        Message(N_("When and how you reach us")),
        paragraphs(
            case,
            Message(N_("Good work needs time to think, and people who have slept.")),
            outside if late else None,
            reached,
            ahead if case.policy.time.minimum_lead_hours else None,
            Message(
                N_(
                    "For real emergencies we offer an express service at a surcharge; what else comes waits until "
                    "morning."
                )
            ),
        ),
    )


FIREFIGHTER = Approach(
    client_type="firefighter",
    tone=N_("Calm and reliable: quick where it burns, and never at once where it does not."),
    steps=(
        N_("Say when you can be reached, and do not answer outside those hours."),
        N_("Agree on what an emergency is and what it costs."),
        N_("Plan ahead together once a week, so that less comes as a surprise."),
        N_("Name one person on each side through whom requests go."),
    ),
    in_writing=(
        N_("Working hours, the ways to reach you, and how soon you answer."),
        N_("The lead time of ordinary work, and the surcharge for rush jobs."),
        N_("What a missed or late-moved meeting costs."),
    ),
    letter=_letter,
)
