"""Punctuality: by how many days a client's next payment will miss its due day, and how likely it is late.

A Normal model with a conjugate prior (Gelman et al., *Bayesian Data Analysis*, 3rd ed., 3.3): the prior mean and the
deviation within clients are the portfolio's (empirical Bayes). Days say more than counts: a client who always pays on
the last day is nearer to being late than one who pays three weeks sooner. docs/scoring.md has what was tried.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import erfc, sqrt
from typing import Final

from app.core.decibans import day_fading
from app.core.facts.invoices import Invoice

__all__ = ["Delays", "Punctuality", "delays_of"]

_LIMIT_DAYS: Final = 15.0
"""Delays are cut off here on both sides: a month late says no more about the next due day than two weeks."""
_STILL_TO_COME_DAYS: Final = 3.0
"""What an open overdue invoice is taken to be late beyond today."""
_PRIOR_MEAN_DAYS: Final = -5.0
_PRIOR_DEVIATION_DAYS: Final = 8.0
_PRIOR_DEVIATION_WEIGHT: Final = 5.0
_LEAST_WEIGHT: Final = 10.0
"""Below so much experience the portfolio is not asked."""
_MEAN_WEIGHT: Final = 1.0
_DEVIATION_WEIGHT: Final = 2.0
"""How many invoices' worth the portfolio's mean and deviation count beside the client's own."""


@dataclass(frozen=True, slots=True)
class Delays:
    """One client's days beyond terms, faded by the age of each invoice: weight, mean and sum of squares about it."""

    weight: float = 0.0
    mean: float = 0.0
    squares: float = 0.0


def delays_of(invoices: Iterable[Invoice], today: date, half_life_days: float) -> Delays:
    """Sum up the delays of invoices that are paid or overdue; those not yet due say nothing."""
    pairs: list[tuple[float, float]] = []
    for invoice in invoices:
        if not invoice.is_judged(today):
            continue
        days = invoice.days_beyond_terms(today) + (0.0 if invoice.settled_day else _STILL_TO_COME_DAYS)
        days = min(max(days, -_LIMIT_DAYS), _LIMIT_DAYS)
        pairs.append((days, day_fading((today - invoice.issued_day).days, half_life_days)))
    weight = sum(w for _, w in pairs)
    if weight <= 0:
        return Delays()
    mean = sum(days * w for days, w in pairs) / weight
    return Delays(weight, mean, sum(w * (days - mean) ** 2 for days, w in pairs))


@dataclass(frozen=True, slots=True)
class Punctuality:
    """What the tenant's clients show together: the mean delay and the deviation within a client, in days."""

    mean: float = _PRIOR_MEAN_DAYS
    deviation: float = _PRIOR_DEVIATION_DAYS

    @classmethod
    def learned(cls, clients: Iterable[Delays]) -> "Punctuality":
        """Fit both to the portfolio, the deviation beside a little prior; the policy's while there is little."""
        known = [delays for delays in clients if delays.weight > 0]
        weight = sum(delays.weight for delays in known)
        if weight < _LEAST_WEIGHT:
            return cls()
        mean = sum(delays.mean * delays.weight for delays in known) / weight
        several = [delays for delays in known if delays.weight > 1]
        squares = sum(delays.squares for delays in several) + _PRIOR_DEVIATION_WEIGHT * _PRIOR_DEVIATION_DAYS**2
        freedom = sum(delays.weight - 1 for delays in several) + _PRIOR_DEVIATION_WEIGHT
        return cls(mean, sqrt(squares / freedom))

    def late_probability(self, delays: Delays, grace_days: int) -> float:
        """The probability that the client's next invoice is paid after its due day and the days of grace."""
        weight, k = delays.weight, _MEAN_WEIGHT
        mean = (k * self.mean + weight * delays.mean) / (k + weight)
        apart = k * weight / (k + weight) * (delays.mean - self.mean) ** 2 if weight else 0.0
        squares = _DEVIATION_WEIGHT * self.deviation**2 + delays.squares + apart
        variance = squares / (_DEVIATION_WEIGHT + weight)
        # Days are whole: from half a day on an invoice counts as a day late.
        distance = (mean - grace_days - 0.5) / sqrt(variance * (1.0 + 1.0 / (k + weight)))
        return 0.5 * erfc(-distance / sqrt(2.0))
