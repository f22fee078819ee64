"""Sign 4: the client who pays less than the others and refuses to talk about it."""

from app.stories.story import Outcome, Story, billed, month_of_work, on

__all__ = ["BARGAIN_HUNTER"]

BARGAIN_HUNTER = Story(
    client_id="pennywise-stores",
    title="Pays less than the others, and refuses every talk about it",
    paragraph=(
        "An hour for Pennywise Stores brings 45 dollars, where an hour for the other clients brings about a hundred. "
        "The studio proposed a new rate three times, and after the second refusal said that the rate has to change; "
        "Pennywise refused the third time in one line. It signs, pays in time and writes in office hours."
    ),
    happenings=(
        on(52, "Mon", "10:00", "contract.signed"),
        *(event for n in range(12) for event in month_of_work(51 - 4 * n, 40)),
        *(event for n in range(12) for event in billed(n + 1, 48 - 4 * n, 1800, 3)),
        *(
            event
            for week in (36, 20, 6)
            for event in (
                on(week, "Mon", "10:00", "rate.proposed", rate=90, currency="USD"),
                on(week, "Fri", "15:00", "rate.refused", rate=90, currency="USD"),
            )
        ),
        on(19, "Tue", "10:00", "expectation.stated", sign="rate"),
        *(on(week, "Wed", "11:00", "message.received", channel="email") for week in range(2, 50, 4)),
    ),
    outcome=Outcome("part", "rate", "bargain_hunter", "agree to the proposed rate", "accept_rate", "renegotiate"),
)
