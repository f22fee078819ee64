"""The good client with one exception."""

from app.stories.story import Outcome, Story, billed, month_of_work, on

__all__ = ["EXCEPTION"]

EXCEPTION = Story(
    client_id="oakline-architects",
    title="The good client with one exception",
    paragraph=(
        "Oakline Architects signed at once and pays on time. Once, in spring, the bookkeeper was ill and an invoice "
        "was paid three weeks late; and once a competition needed a change worked late into the evening, which Oakline "
        "approved and paid for. Both are settled: an exception is not a habit."
    ),
    happenings=(
        on(50, "Mon", "10:00", "contract.sent"),
        on(50, "Thu", "10:00", "contract.signed"),
        on(50, "Fri", "10:00", "agreement.made", hours=32, price=3200, currency="USD", period="month"),
        *(event for n in range(11) for event in month_of_work(48 - 4 * n, 30)),
        *(event for n in range(11) for event in billed(n + 1, 45 - 4 * n, 3000, 7 if n == 4 else 3)),
        *(on(week, "Wed", "10:30", "message.received", channel="email") for week in range(2, 48, 3)),
        on(20, "Tue", "20:40", "call.received", urgent=True),
        on(20, "Tue", "21:00", "change.requested", change="competition-board", hours=8),
        on(19, "Wed", "10:00", "change.quoted", change="competition-board", hours=8, price=960, currency="USD"),
        on(19, "Wed", "11:00", "change.approved", change="competition-board"),
        on(19, "Thu", "18:00", "time.logged", hours=8, change="competition-board"),
        *billed(12, 18, 960, 2),
    ),
    outcome=Outcome("keep", None, "reliable_partner", None),
)
