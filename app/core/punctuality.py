"""Punctuality: by how many days a client's next payment will miss its due day, and how likely it is late.

A Normal model with a conjugate prior (Gelman et al., *Bayesian Data Analysis*, 3rd ed., 3.3): the prior mean and the
deviation within clients are the portfolio's (empirical Bayes). Days say more than counts: a client who always pays on
the last day is nearer to being late than one who pays three weeks sooner. docs/scoring.md has what was tried.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Final, Self

__all__ = ["STILL_TO_COME_DAYS", "Delays", "Punctuality", "within_limits"]

_LIMIT_DAYS: Final = 15.0
"""Delays are cut off here on both sides: a month late says no more about the next due day than two weeks."""
STILL_TO_COME_DAYS: Final = 3.0
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

    @classmethod
    def of(cls, weight: float, days: float, squares: float) -> Self:
        """From sums: of weights, of weighted days and of weighted squares of days."""
        if weight <= 0:
            return cls()
        mean = days / weight
        return cls(weight, mean, max(squares - mean * days, 0.0))

    def plus(self, days: float, weight: float) -> "Delays":
        """With one more invoice."""
        total = self.weight + weight
        if total <= 0:
            return self
        mean = self.mean + (days - self.mean) * weight / total
        return Delays(total, mean, self.squares + weight * (days - self.mean) * (days - mean))


def within_limits(days: float) -> float:
    """Days beyond terms, cut off on both sides."""
    return min(max(float(days), -_LIMIT_DAYS), _LIMIT_DAYS)


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
