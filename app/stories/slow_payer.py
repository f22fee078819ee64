"""Sign 5: the client who pays late, by habit."""

from app.stories.story import Outcome, Story, billed, month_of_work, on

__all__ = ["SLOW_PAYER"]

SLOW_PAYER = Story(
    client_id="granite-logistics",
    title="Pays late, by habit",
    paragraph=(
        "Granite Logistics pays everything, and never when it is due: each of eleven invoices on thirty days came "
        "about four weeks late. Nobody has told Granite yet that this has to change."
    ),
    happenings=(
        on(56, "Mon", "10:00", "contract.signed"),
        *(event for n in range(11) for event in month_of_work(54 - 4 * n, 30)),
        *(event for n in range(11) for event in billed(n + 1, 50 - 4 * n, 3000, 8)),
        *(on(week, "Wed", "11:00", "message.received", channel="email") for week in range(2, 50, 4)),
    ),
    outcome=Outcome("renegotiate", "late", "slow_payer", "pay the next invoices when they are due"),
)
