"""The portfolio: what the tenant's clients show together, against which each one is held."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import exp, log
from types import MappingProxyType

from app.core.decibans import fading
from app.core.facts import Facts
from app.core.money import convert
from app.core.policy import Policy
from app.core.punctuality import Delays, Punctuality, delays_of
from app.core.recovery import Overdue, Recovery

__all__ = ["Portfolio", "Rates", "Share", "billed_until", "portfolio_of", "share_of"]

_MAD_TO_DEVIATION = 1.4826
"""A normal distribution's standard deviation in median absolute deviations."""


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
class Rates:
    """The effective hourly rates of clients: how many, the median, and the spread as a deviation of natural logs."""

    clients: int
    median: float
    spread: float


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What the clients show together.

    Attributes:
        punctuality: how they keep due days.
        recovery: what becomes of overdue invoices.
        rates: what an hour brings with the other clients, or None when none is known.
        log_rates: by client, natural log of the rate and the hours it rests on.
    """

    punctuality: Punctuality
    recovery: Recovery
    rates: Rates | None = None
    log_rates: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))

    def beside(self, client_id: str) -> "Portfolio":
        """The same, with the rates of all clients but one, for that one to be held against."""
        others = [pair for client, pair in self.log_rates.items() if client != client_id]
        return Portfolio(self.punctuality, self.recovery, _rates(others), self.log_rates)


def share_of(facts: Facts, policy: Policy) -> Share:
    """What one client adds to the portfolio."""
    last = billed_until(facts, policy)
    hours = sum(
        effort.hours * fading(facts.days_since(effort.day), policy.half_life_days)
        for effort in facts.work.efforts
        if effort.day <= last
    )
    billed = 0.0
    for invoice in facts.invoices:
        money = convert(invoice.amount, policy.currency, policy.exchange_rates)
        if money is not None and invoice.written_off is None:
            billed += float(money) * fading(facts.days_since(invoice.issued_day), policy.half_life_days)
    return Share(
        delays=delays_of(facts.invoices, facts.today, policy.half_life_days),
        overdue=tuple(
            Overdue(invoice.days_beyond_terms(facts.today), invoice.settled_day is not None)
            for invoice in facts.invoices
            if invoice.days_beyond_terms(facts.today) > 0
        ),
        log_rate=log(billed / hours) if billed > 0 and hours > 0 else None,
        hours=hours,
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
        client: (share.log_rate, share.hours) for client, share in sorted(shares.items()) if share.log_rate is not None
    }
    return Portfolio(
        punctuality=Punctuality.learned(share.delays for share in ordered),
        recovery=Recovery.learned(
            settings.never_paid,
            settings.prior_invoices,
            (invoice for share in ordered for invoice in share.overdue),
        ),
        rates=_rates(log_rates.values()),
        log_rates=MappingProxyType(log_rates),
    )


def billed_until(facts: Facts, policy: Policy) -> date:
    """The last day whose hours are billed or should be: what is younger may still be, and is not counted."""
    lag = facts.today - timedelta(days=policy.rate.billing_lag_days)
    return max((invoice.issued_day for invoice in facts.invoices), default=lag) if facts.invoices else lag


def _rates(pairs: Iterable[tuple[float, float]]) -> Rates | None:
    """Median and median absolute deviation, both weighted by hours, in logs (Huber, *Robust Statistics*, 1981)."""
    known = list(pairs)
    if not known:
        return None
    middle = _weighted_median(known)
    apart = _weighted_median([(abs(value - middle), hours) for value, hours in known])
    return Rates(len(known), exp(middle), _MAD_TO_DEVIATION * apart)


def _weighted_median(pairs: list[tuple[float, float]]) -> float:
    ordered = sorted(pairs)
    total, sums = 0.0, []
    for _, weight in ordered:
        total += weight
        sums.append(total)
    return ordered[min(bisect_left(sums, total / 2), len(ordered) - 1)][0]
