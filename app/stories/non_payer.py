"""Sign 6: the client who does not pay at all."""

from app.stories.story import Outcome, Story, billed, month_of_work, on

__all__ = ["NON_PAYER"]

NON_PAYER = Story(
    client_id="mirage-ventures",
    title="Does not pay at all",
    paragraph=(
        "Mirage Ventures paid its first invoice. The five after it are unpaid, the oldest for eight months; four "
        "reminders went unanswered and one payment bounced. Work has stopped."
    ),
    happenings=(
        on(48, "Mon", "10:00", "contract.signed"),
        *(event for n in range(6) for event in month_of_work(46 - 4 * n, 20)),
        *billed(1, 42, 2000, 3),
        *(event for n in range(5) for event in billed(n + 2, 38 - 3 * n, 2000, None)),
        *(
            on(week, "Tue", "10:00", "reminder.sent", invoice=name)
            for week, name in ((28, "INV-2"), (24, "INV-3"), (20, "INV-2"), (16, "INV-5"))
        ),
        on(19, "Thu", "09:00", "payment.failed", invoice="INV-2"),
    ),
    outcome=Outcome("part", "nonpayment", "non_payer", "pay the open invoices", "pay_invoice", "renegotiate"),
)
