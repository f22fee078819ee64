"""Earnings: what a client's work brought, and how many hours it took."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from math import log

from app.core.decibans import day_fading
from app.core.facts import Facts, measured_once
from app.core.money import convert
from app.core.policy import Policy

__all__ = ["Earnings", "earnings_of"]


@dataclass(frozen=True, slots=True)
class Earnings:
    """Net money billed, in the tenant's currency, and all hours worked, both faded by age and up to the same day.

    Attributes:
        money: without what was lost; None where an invoice is in a currency without an exchange rate: what the hours
            brought is not known then.
        hours: unpaid ones included.
        last: the last day whose hours are billed or should be: what is younger may still be, and is not counted.
    """

    money: float | None
    hours: float
    last: date

    @property
    def log_rate(self) -> float | None:
        """Natural log of what an hour brought; None where nothing was billed or worked, or it is not known."""
        return log(self.money / self.hours) if self.money and self.hours > 0 else None


@measured_once
def earnings_of(facts: Facts, policy: Policy) -> Earnings:
    """Add up what one client's work brought."""
    last = max(
        (invoice.issued_day for invoice in facts.invoices),
        default=facts.today - timedelta(days=policy.rate.billing_lag_days),
    )
    half_life = policy.half_life_days
    efforts = facts.work.efforts
    billable = efforts[: bisect_right(efforts, last, key=lambda effort: effort.day)]
    today = facts.today  # no day of them comes after it
    hours = sum([effort.hours * day_fading((today - effort.day).days, half_life) for effort in billable])
    return Earnings(_money(facts, policy), hours, last)


def _money(facts: Facts, policy: Policy) -> float | None:
    money = 0.0
    for invoice in facts.invoices:
        fresh = day_fading(facts.days_since(invoice.issued_day), policy.half_life_days)
        billed = convert(invoice.amount, policy.currency, policy.exchange_rates)
        if billed is None:
            if fresh:
                return None
            continue
        if invoice.written_off:
            billed *= 1 - invoice.open_amount / invoice.amount.amount
        money += float(billed) * fresh
    return money
