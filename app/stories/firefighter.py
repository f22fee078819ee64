"""Sign 3: the client with no respect for your time."""

from app.stories.story import Ahead, Outcome, Story, billed, month_of_work, on

__all__ = ["FIREFIGHTER"]

FIREFIGHTER = Story(
    client_id="redline-media",
    title="No respect for your time",
    paragraph=(
        "For Redline Media everything burns: calls at nine in the evening and on Saturdays, requests at five o'clock "
        "that are due tonight, meetings missed. It pays well and in time. The studio has not yet said that this has to "
        "change, and so it may still be mended."
    ),
    happenings=(
        on(30, "Mon", "10:00", "contract.signed"),
        *(event for n in range(6) for event in month_of_work(28 - 4 * n, 28)),
        *(event for n in range(6) for event in billed(n + 1, 25 - 4 * n, 2800, 3)),
        *(on(week, "Tue", "21:10", "call.received", urgent=True) for week in range(2, 28)),
        *(on(week, "Sat", "12:30", "call.received", urgent=True) for week in range(2, 28, 3)),
        *(on(week, "Thu", "17:00", "deadline.requested", due_at=Ahead(hours=6)) for week in range(2, 28, 2)),
        *(on(week, "Wed", "11:00", "message.received", channel="email") for week in range(2, 28, 4)),
        *(on(week, "Mon", "15:30", "meeting.missed", meeting=f"review-{week}") for week in (22, 14, 7)),
    ),
    outcome=Outcome("renegotiate", "time", "firefighter", "keep to office hours from now on"),
)
