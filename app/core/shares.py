"""A client's share in the portfolio: what it adds to what all are held against."""

from collections.abc import Iterable

from app.core.earnings import earnings_of
from app.core.facts import Facts
from app.core.policy import Policy
from app.core.portfolio import Share
from app.core.priors import Counts, HabitCounts
from app.core.punctuality import delays_of
from app.core.recovery import Overdue
from app.core.signs import late, scope, time
from app.core.signs.habits import Occasion

__all__ = ["share_of"]


def share_of(facts: Facts, policy: Policy) -> Share:
    """What one client adds to the portfolio."""
    earnings = earnings_of(facts, policy)
    return Share(
        delays=delays_of(facts.invoices, facts.today, policy.half_life_days),
        overdue=tuple(
            Overdue(invoice.days_beyond_terms(facts.today), invoice.settled_day is not None)
            for invoice in facts.invoices
            if invoice.days_beyond_terms(facts.today) > 0
        ),
        log_rate=earnings.log_rate,
        hours=earnings.hours,
        habits=HabitCounts(
            late=_counts(late.occasions_of(facts, policy), policy),
            time=_counts(time.occasions_of(facts, policy), policy),
            requests=_counts(scope.requests_of(facts, policy), policy),
        ),
    )


def _counts(occasions: Iterable[Occasion], policy: Policy) -> Counts:
    """Count once what counts more after telling: that is about this client, and not about what is ordinary."""
    bad = good = 0.0
    for occasion in occasions:
        bad += occasion.bad / (policy.told_weight if occasion.after_telling else 1.0)
        good += occasion.good
    return Counts(bad, good)
