"""What an hour brings with the tenant's clients: the reference that each one's rate is held against."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import exp

__all__ = ["RateTable", "Rates"]

_MAD_TO_DEVIATION = 1.4826
"""A normal distribution's standard deviation in median absolute deviations."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The effective hourly rates of clients: how many, the median, and the spread as a deviation of natural logs."""

    clients: int
    median: float
    spread: float


class RateTable:
    """Natural logs of clients' rates, in order, with the hours that each rests on as weights.

    Each client is held against all *others*; medians without one are found in the sorted table, so that a ranking of n
    clients costs n log² n and not n².
    """

    def __init__(self, log_rates: Mapping[str, tuple[float, float]]) -> None:
        """Sort the table.

        Args:
            log_rates: by client, the natural log of the rate and the hours it rests on, above 0.
        """
        ordered = sorted((value, hours, client) for client, (value, hours) in log_rates.items())
        self._values = [value for value, _, _ in ordered]
        self._hours = [hours for _, hours, _ in ordered]
        self._sums = [0.0, *accumulate(self._hours)]
        self._places = {client: place for place, (_, _, client) in enumerate(ordered)}

    def without(self, client_id: str) -> Rates | None:
        """Median and median absolute deviation of the others, in logs, weighted by hours.

        P. J. Huber, *Robust Statistics* (1981). None where there are no others.
        """
        out = self._places.get(client_id)
        count = len(self._values) - (out is not None)
        if count == 0:
            return None
        half = self._weight(0, len(self._values), out) / 2
        place = _first(len(self._values), lambda n: self._weight(0, n + 1, out) >= half)
        middle = self._values[place]
        return Rates(count, exp(middle), _MAD_TO_DEVIATION * self._median_distance(middle, half, out))

    def _weight(self, start: int, stop: int, out: int | None) -> float:
        """The hours of a part of the table, one client left out."""
        left_out = self._hours[out] if out is not None and start <= out < stop else 0.0
        return self._sums[stop] - self._sums[start] - left_out

    def _median_distance(self, middle: float, half: float, out: int | None) -> float:
        """The least distance from the middle within which half of the weight lies."""

        def enough(distance: float) -> bool:
            start = bisect_left(self._values, middle - distance)
            stop = bisect_right(self._values, middle + distance)
            return self._weight(start, stop, out) >= half - 1e-9

        values, size = self._values, len(self._values)
        centre = bisect_left(values, middle)
        right = centre + _first(size - centre, lambda n: enough(values[centre + n] - middle))
        left = centre - 1 - _first(centre, lambda n: enough(middle - values[centre - 1 - n]))
        found = [values[right] - middle] if right < size else []
        return min([*found, middle - values[left]] if left >= 0 else found)


def _first(size: int, holds: Callable[[int], bool]) -> int:
    """The first of so many places from which on something holds; the number of places where it never does."""
    return bisect_left(range(size), True, key=holds)
