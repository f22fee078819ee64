"""A snapshot: how a client stands now, by how much that has moved, and what money it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from app.core.assessment import Assessment, assess
from app.core.cost import cost_of_staying, window_begins
from app.core.course import Recollection
from app.core.facts import Facts
from app.core.history import Reader, Told
from app.core.money import Money
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.trend import LOOKS_BACK

__all__ = ["Snapshot", "instants_of", "money_at_risk", "snapshot_of"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is stored of a client for lists and for the portfolio metrics.

    Attributes:
        assessment: as of now.
        change: of the score, in the last 30 days.
        at_risk: by currency, money that is owed beyond its due day or was taken back; see `money_at_risk`.
        cost: of staying, per month, in the tenant's currency.
    """

    assessment: Assessment
    change: float
    at_risk: Mapping[str, Decimal]
    cost: Money


def instants_of(policy: Policy, as_of: datetime) -> list[datetime]:
    """The instants that a snapshot looks at, in order: where the cost's window begins, a month before, and its own."""
    return sorted({window_begins(policy, as_of), as_of - timedelta(days=LOOKS_BACK[0]), as_of})


def snapshot_of(told: Told, policy: Policy, portfolio: Portfolio, as_of: datetime) -> Snapshot:
    """Make one, reading the history once.

    Args:
        told: one client's history, as far as `instants_of` asks for it.
        policy: the tenant's settings.
        portfolio: what is known of the tenant's clients together, beside this one.
        as_of: the instant that it is made for.
    """
    reader, recollection = Reader(told, policy), Recollection(told, policy, portfolio)
    seen: dict[datetime, Facts] = {}
    found: dict[datetime, Assessment] = {}
    begins, before = window_begins(policy, as_of), as_of - timedelta(days=LOOKS_BACK[0])
    for instant in instants_of(policy, as_of):
        seen[instant] = reader.facts(instant)
        if instant in (before, as_of):
            found[instant] = assess(seen[instant], policy, portfolio, recollection.before(instant))
    cost = cost_of_staying(seen[as_of], seen[begins], policy, portfolio)
    return Snapshot(
        assessment=found[as_of],
        change=found[as_of].score - found[before].score,
        at_risk=money_at_risk(seen[as_of]),
        cost=Money(cost.per_month, cost.currency),
    )


def money_at_risk(facts: Facts) -> dict[str, Decimal]:
    """What is open of invoices that are overdue or whose payment was taken back, by the invoices' own currencies.

    What was written off is lost, and at risk no more.
    """
    found: dict[str, Decimal] = {}
    for invoice in facts.invoices:
        if invoice.is_overdue(facts.today) or (invoice.is_open and invoice.charged_back is not None):
            currency = invoice.amount.currency
            found[currency] = found.get(currency, Decimal(0)) + invoice.open_amount
    return {currency: amount for currency, amount in sorted(found.items()) if amount}
