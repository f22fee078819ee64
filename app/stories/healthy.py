"""The healthy client."""

from app.stories.story import Ahead, Outcome, Story, billed, month_of_work, on

__all__ = ["HEALTHY"]

HEALTHY = Story(
    client_id="harbour-coffee",
    title="The healthy client",
    paragraph=(
        "Harbour Coffee signed the contract before any work began, keeps to the forty hours a month that were agreed, "
        "writes in office hours, gives a week's notice for what it needs, agreed to the new rate, and has paid each of "
        "nine invoices a week before it was due."
    ),
    happenings=(
        on(42, "Mon", "09:30", "contract.sent"),
        on(42, "Wed", "15:00", "contract.signed"),
        on(42, "Thu", "10:00", "agreement.made", hours=40, price=4000, currency="USD", period="month"),
        *(event for n in range(9) for event in month_of_work(41 - 4 * n, 36)),
        *(event for n in range(9) for event in billed(n + 1, 37 - 4 * n, 4000, 3)),
        *(on(week, "Tue", "11:00", "message.received", channel="email") for week in range(2, 42, 2)),
        *(on(week, "Mon", "14:00", "deadline.requested", due_at=Ahead(hours=24 * 8)) for week in (32, 20, 8)),
        on(16, "Tue", "10:00", "rate.proposed", rate=110, currency="USD"),
        on(16, "Fri", "16:00", "rate.accepted", rate=110, currency="USD"),
    ),
    outcome=Outcome("keep", None, "reliable_partner", None),
)
