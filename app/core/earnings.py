"""Earnings: what a client's work brought, and how many hours it took."""

from dataclasses import dataclass
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
        hours: unpaid ones included; those of days that are not billed yet but may still be are not counted.
    """

    money: float | None
    hours: float

    @property
    def log_rate(self) -> float | None:
        """Natural log of what an hour brought; None where nothing was billed or worked, or it is not known."""
        # What was paid and taken back may leave a little less than nothing, by rounding.
        money = self.money
        return log(money / self.hours) if money is not None and money > 0 and self.hours > 0 else None


@measured_once
def earnings_of(facts: Facts, policy: Policy) -> Earnings:
    """Add up what one client's work brought."""
    return Earnings(_money(facts, policy), facts.work.hours.fresh)


def _money(facts: Facts, policy: Policy) -> float | None:
    money = facts.settled.money
    if money is None:
        return None
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
