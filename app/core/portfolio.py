"""The portfolio: what the tenant's clients show together, against which each one is held."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.earnings import earnings_of
from app.core.facts import Facts
from app.core.policy import Policy
from app.core.punctuality import Delays, Punctuality, delays_of
from app.core.rates import Rates, RateTable
from app.core.recovery import Overdue, Recovery

__all__ = ["Portfolio", "Share", "portfolio_of", "share_of"]


@dataclass(frozen=True, slots=True)
class Share:
    """What one client adds to the portfolio.

    Attributes:
        delays: days beyond terms.
        overdue: each invoice that was not paid by its due day.
        log_rate: natural log of the effective hourly rate in the tenant's currency, or None when unknown.
        hours: the hours that the rate rests on.
    """

    delays: Delays
    overdue: tuple[Overdue, ...]
    log_rate: float | None
    hours: float


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What the clients show together, as one of them is held against it.

    Attributes:
        punctuality: how they keep due days.
        recovery: what becomes of overdue invoices.
        rates: what an hour brings with the other clients, or None when none is known.
    """

    punctuality: Punctuality
    recovery: Recovery
    rates: Rates | None = None
    table: RateTable | None = field(default=None, repr=False, compare=False)

    def beside(self, client_id: str) -> "Portfolio":
        """The same, for one client to be held against: with the rates of all the others."""
        rates = self.table.without(client_id) if self.table else None
        return Portfolio(self.punctuality, self.recovery, rates, self.table)


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
    )


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
            (invoice for share in ordered for invoice in share.overdue),
        ),
        rates=table.without(""),
        table=table,
    )
