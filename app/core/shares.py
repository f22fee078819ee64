"""A client's share in the portfolio: what it adds to what all are held against."""

from app.core.earnings import earnings_of
from app.core.facts import Facts
from app.core.occasions import HabitSums
from app.core.policy import Policy
from app.core.portfolio import Share
from app.core.priors import Counts, HabitCounts
from app.core.recovery import OverdueCounts
from app.core.signs.late import delays_of, occasions_of

__all__ = ["share_of"]


def share_of(facts: Facts, policy: Policy) -> Share:
    """What one client adds to the portfolio."""
    earnings = earnings_of(facts, policy)
    return Share(
        delays=delays_of(facts, policy),
        overdue=_overdue(facts),
        log_rate=earnings.log_rate,
        hours=earnings.hours,
        habits=HabitCounts(
            late=_counts(occasions_of(facts, policy)),
            time=_counts(facts.contacts.habit),
            requests=_counts(facts.work.habit),
        ),
    )


def _overdue(facts: Facts) -> OverdueCounts:
    found = facts.settled.overdue
    for invoice in facts.invoices:
        days = invoice.days_beyond_terms(facts.today)
        if days > 0:
            found = found.plus(days, paid=False)
    return found


def _counts(sums: HabitSums) -> Counts:
    """Count once what counts more after telling: that is about this client, and not about what is ordinary."""
    return Counts(sums.counted, sums.good)
