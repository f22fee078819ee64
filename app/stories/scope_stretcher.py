"""Sign 2: the client who asks for more and more."""

from app.stories.story import Outcome, Story, billed, on

__all__ = ["SCOPE_STRETCHER"]

SCOPE_STRETCHER = Story(
    client_id="velvet-fashion",
    title="Asks for more and more, for the same money",
    paragraph=(
        "Velvet Fashion agreed to thirty hours a month. In half a year it asked for nine things beyond that, each "
        "“only a small one”, and paid for none; they took some six hours each, and come faster of late. The studio has "
        "not yet told Velvet that this has to change."
    ),
    happenings=(
        on(27, "Mon", "10:00", "contract.signed"),
        on(26, "Mon", "10:00", "agreement.made", hours=30, price=3000, currency="USD", period="month"),
        *(on(week, "Thu", "17:00", "time.logged", hours=7.5) for week in range(2, 26)),
        *(event for n in range(6) for event in billed(n + 1, 22 - 4 * n, 3000, 3 if n < 5 else None)),
        *(
            on(week, "Tue", "11:00", "change.requested", change=f"small-one-{n}", hours=6)
            for n, week in enumerate((24, 20, 16, 13, 10, 8, 6, 5, 3), 1)
        ),
        *(
            on(week, "Fri", "16:00", "time.logged", hours=6, billable=False, change=f"small-one-{n}")
            for n, week in enumerate((24, 20, 16, 13, 10, 8, 6, 5, 3), 1)
        ),
    ),
    outcome=Outcome(
        "renegotiate", "scope", "scope_stretcher", "approve and pay the open changes", "approve_change", "keep"
    ),
)
