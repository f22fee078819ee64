"""Counters and histograms that one thread counts in, and any may read.

The library's own are made for many threads, with a lock around each step; the hottest route would feel that.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, Exemplar, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.utils import floatToGoString

from app.metrics.catalogue import Metric

__all__ = ["Spread", "Spreads", "Tallies", "Tally"]

T = TypeVar("T")
Values = tuple[str, ...]
Bucket = tuple[str, float] | tuple[str, float, Exemplar]


class Tally:
    """A number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Begin at 0."""
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Add to it."""
        self.value += amount


class Spread:
    """How values are spread over buckets."""

    __slots__ = ("_bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin with none."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, trace_id: str | None = None) -> None:
        """Add a value; with a trace, that is an example of its bucket."""
        place = bisect_left(self._bounds, value)
        self.counts[place] += 1
        self.total += value
        if trace_id is not None:
            self.exemplars[place] = Exemplar({"trace_id": trace_id}, value)

    def observe_each(self, values: Iterable[float]) -> None:
        """Add values."""
        for value in values:
            self.observe(value)

    def observe_alike(self, least: float, most: float, count: int) -> bool:
        """Add values of which the extremes are known, if these are of one bucket, and the sum as if spread evenly.

        Returns:
            Whether they are of one; else nothing is added.
        """
        place = bisect_left(self._bounds, least)
        if place != bisect_left(self._bounds, most):
            return False
        self.counts[place] += count
        self.total += count * (least + most) / 2
        return True


class _All(Generic[T]):
    """All of one metric, by the values of its labels."""

    def __init__(self, metric: Metric) -> None:
        """Begin with none."""
        self._metric = metric
        self._names: Final = [label.name for label in metric.labels]
        self._children: dict[Values, T] = {}

    def labels(self, *values: str) -> T:
        """What counts for some values; it is made where there is none yet."""
        key = tuple(map(str, values))
        assert len(key) == len(self._names), (self._metric.name, key)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = self._make()
        return found

    def _make(self) -> T:
        raise NotImplementedError

    def _pairs(self) -> list[tuple[Values, T]]:
        # Another thread may read.
        return list(self._children.items())


class Tallies(_All[Tally]):
    """Those of a counter; a collector of the library."""

    def describe(self) -> list[Family]:
        """Its name, for the registry."""
        return [self._family()]

    def collect(self) -> list[Family]:
        """What there is at present."""
        family = self._family()
        for values, tally in self._pairs():
            family.add_metric(values, tally.value)
        return [family]

    def _make(self) -> Tally:
        return Tally()

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self._metric.name, self._metric.help, labels=self._names, unit=self._metric.unit)


class Spreads(_All[Spread]):
    """Those of a histogram; a collector of the library."""

    def __init__(self, metric: Metric) -> None:
        """Begin with none."""
        super().__init__(metric)
        self._bounds = [*map(floatToGoString, metric.buckets), "+Inf"]

    def describe(self) -> list[Family]:
        """Its name, for the registry."""
        return [self._family()]

    def collect(self) -> list[Family]:
        """What there is at present."""
        family = self._family()
        for values, spread in self._pairs():
            counted = zip(self._bounds, accumulate(spread.counts), strict=True)
            told = spread.exemplars.copy()
            buckets: list[Bucket] = [
                (bound, count, told[place]) if place in told else (bound, count)
                for place, (bound, count) in enumerate(counted)
            ]
            family.add_metric(values, buckets, spread.total)
        return [family]

    def _make(self) -> Spread:
        return Spread(self._metric.buckets)

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._metric.name, self._metric.help, labels=self._names, unit=self._metric.unit)
