"""The portfolio: what the tenant's clients show together, against which each one is held."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.core.policy import Policy
from app.core.priors import HabitCounts, OrdinaryPriors
from app.core.punctuality import Delays, Punctuality
from app.core.rates import Rates, RateTable
from app.core.recovery import OverdueCounts, Recovery

__all__ = ["Portfolio", "Share", "portfolio_of"]


@dataclass(frozen=True, slots=True)
class Share:
    """What one client adds to the portfolio; see `shares.py`.

    Attributes:
        delays: days beyond terms.
        overdue: what became of invoices that were not paid by their due day.
        log_rate: natural log of the effective hourly rate in the tenant's currency, or None when unknown.
        hours: the hours that the rate rests on.
        habits: how many occasions went wrong and how many well.
    """

    delays: Delays
    overdue: OverdueCounts
    log_rate: float | None
    hours: float
    habits: HabitCounts


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What the clients show together, as one of them is held against it.

    Attributes:
        punctuality: how they keep due days.
        recovery: what becomes of overdue invoices.
        habits: what share of occasions goes wrong with ordinary clients.
        rates: what an hour brings with the other clients, or None when none is known.
    """

    punctuality: Punctuality
    recovery: Recovery
    habits: OrdinaryPriors
    rates: Rates | None = None
    table: RateTable | None = field(default=None, repr=False, compare=False)

    def beside(self, client_id: str) -> "Portfolio":
        """The same, for one client to be held against: with the rates of all the others."""
        rates = self.table.without(client_id) if self.table else None
        return replace(self, rates=rates)


def portfolio_of(shares: Mapping[str, Share], policy: Policy) -> Portfolio:
    """Put the clients' shares together.

    Args:
        shares: by client id; without any, the policy's priors hold.
        policy: the tenant's settings.
    """
    ordered = [shares[client] for client in sorted(shares)]
    settings = policy.nonpayment
    log_rates = {
        client: (share.log_rate, share.hours) for client, share in shares.items() if share.log_rate is not None
    }
    table = RateTable(log_rates)
    return Portfolio(
        punctuality=Punctuality.learned(share.delays for share in ordered),
        recovery=Recovery.learned(
            settings.never_paid,
            settings.prior_invoices,
            (share.overdue for share in ordered),
        ),
        habits=OrdinaryPriors.learned([share.habits for share in ordered], policy),
        rates=table.without(""),
        table=table,
    )
