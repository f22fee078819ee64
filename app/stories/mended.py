"""The client who mended their ways."""

from app.stories.story import Outcome, Story, billed, month_of_work, on

__all__ = ["MENDED"]

MENDED = Story(
    client_id="bluebird-travel",
    title="The client who mended their ways",
    paragraph=(
        "A year and a half ago Bluebird Travel paid six invoices in a row about six weeks late and called at night. "
        "Then the studio told them what has to change. Since that talk, more than a year ago, fourteen invoices were "
        "paid on time and every contact kept to office hours: what is mended is forgotten as time passes."
    ),
    happenings=(
        on(84, "Mon", "10:00", "contract.signed"),
        *(event for n in range(6) for event in billed(n + 1, 82 - 4 * n, 2400, 11)),
        *(on(week, "Thu", "21:30", "call.received", urgent=True) for week in range(66, 82, 3)),
        on(58, "Mon", "10:00", "expectation.stated", sign="late"),
        on(58, "Mon", "10:05", "expectation.stated", sign="time"),
        *(event for n in range(13) for event in month_of_work(56 - 4 * n, 24)),
        *(event for n in range(14) for event in billed(n + 7, 57 - 4 * n, 2400, 3)),
        *(on(week, "Tue", "14:00", "message.received", channel="email") for week in range(2, 57, 2)),
    ),
    outcome=Outcome("keep", None, "reliable_partner", None),
)
