"""Recovery: how likely an overdue invoice is never paid, from the tenant's own experience beside a prior."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import exp, log
from typing import Final, NamedTuple

__all__ = ["OverdueCounts", "Recovery"]

_EDGES: Final = (0, 30, 60, 90, 180, 365, 730)
"""Days overdue between which the chance to be paid is taken as even."""


_BANDS: Final = tuple(pairwise(_EDGES))
_NONE: Final = (0,) * len(_BANDS)


class OverdueCounts(NamedTuple):
    """Invoices that were not paid by their due day.

    Attributes:
        at_risk, paid: for each band, how many invoices were unpaid all through it or paid in it, and how many paid.
    """

    at_risk: tuple[int, ...] = _NONE
    paid: tuple[int, ...] = _NONE

    def plus(self, days: int, *, paid: bool, sign: int = 1) -> "OverdueCounts":
        """With one more that has been overdue for so many days, above 0, or with one less where the sign is -1.

        One that is still open counts in the bands that it has passed.
        """
        at_risk, paid_in = list(self.at_risk), list(self.paid)
        for band, (starts, ends) in enumerate(_BANDS):
            if paid and starts < days <= ends:
                paid_in[band] += sign
                at_risk[band] += sign
            elif days > ends:
                at_risk[band] += sign
        return OverdueCounts(tuple(at_risk), tuple(paid_in))


@dataclass(frozen=True)
class Recovery:
    """The survival curve of overdue invoices.

    Kaplan & Meier, *Nonparametric estimation from incomplete observations* (1958), in bands of days; in each band the
    prior counts as `prior_invoices` invoices of experience (the mean of a Beta posterior for the band's hazard).

    Attributes:
        prior: by days overdue, the probability that an invoice is never paid; ascending in both.
        prior_invoices: how many invoices' worth of experience that is.
        at_risk, paid: for each band, how many invoices were unpaid all through it or paid in it, and how many paid.
    """

    prior: tuple[tuple[int, float], ...]
    prior_invoices: float
    at_risk: tuple[int, ...] = _NONE
    paid: tuple[int, ...] = _NONE

    @classmethod
    def learned(
        cls, prior: tuple[tuple[int, float], ...], prior_invoices: float, overdue: Iterable[OverdueCounts]
    ) -> "Recovery":
        """Add up the experience."""
        at_risk, paid = list(_NONE), list(_NONE)
        for counts in overdue:
            for band in range(len(_BANDS)):
                at_risk[band] += counts.at_risk[band]
                paid[band] += counts.paid[band]
        return cls(prior, prior_invoices, tuple(at_risk), tuple(paid))

    @property
    def invoices(self) -> int:
        """How many overdue invoices were seen."""
        return self.at_risk[0]

    def never_paid(self, days_overdue: int) -> float:
        """The probability that an invoice that is so many days overdue is never paid; grows with the days."""
        return self._never * exp(self._log_survival(_EDGES[-1]) - self._log_survival(days_overdue))

    @cached_property
    def _never(self) -> float:
        return self.prior[-1][1]

    def _prior_at(self, days: int) -> float:
        """The prior between its points: even in logs."""
        days = min(max(days, self.prior[0][0]), self.prior[-1][0])
        index = min(bisect_right([day for day, _ in self.prior], days), len(self.prior) - 1)
        (day0, p0), (day1, p1) = self.prior[index - 1], self.prior[index]
        return exp(log(p0) + (log(p1) - log(p0)) * (days - day0) / (day1 - day0))

    @cached_property
    def _curve(self) -> tuple[float, ...]:
        """Natural log of the share still unpaid, at each edge."""
        found = [0.0]
        first = self._prior_at(0)
        for band, (starts, ends) in enumerate(_BANDS):
            unpaid = self.prior_invoices * first / self._prior_at(starts)
            still = self.prior_invoices * first / self._prior_at(ends)
            hazard = (self.paid[band] + unpaid - still) / (self.at_risk[band] + unpaid)
            found.append(found[-1] + log(max(1.0 - hazard, 1e-9)))
        return tuple(found)

    def _log_survival(self, days: int) -> float:
        days = min(max(days, 0), _EDGES[-1])
        band = min(bisect_right(_EDGES, days) - 1, len(_EDGES) - 2)
        starts, ends = _EDGES[band], _EDGES[band + 1]
        low, high = self._curve[band], self._curve[band + 1]
        return low + (high - low) * (days - starts) / (ends - starts)
