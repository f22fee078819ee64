"""The objects that count, made from the catalogue: all that a process exposes, there from the start."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, product
from typing import Any, Final, TypeVar, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from app.metrics.catalogue import INGEST_AGE, Kind, Metric, Process, metrics_of

__all__ = ["ManyAtOnce", "Meters"]

M = TypeVar("M", Counter, Gauge, Histogram)
Values = tuple[str, ...]

_CLASSES: Final = {Kind.COUNTER: Counter, Kind.GAUGE: Gauge}
_IN_BULK: Final = (INGEST_AGE.name,)
"""What is counted for each event, and must cost next to nothing."""


class Meters:
    """What one process counts."""

    def __init__(self, process: Process, settled: Mapping[str, Sequence[str]] | None = None) -> None:
        """Make all that the catalogue has for a process.

        Args:
            process: which.
            settled: the values of labels that the catalogue leaves to the start of the process, by label.
        """
        # When a series began is told by the process's own start; else each would be there twice.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._settled = settled or {}
        self._made: dict[str, Any] = {metric.name: self._make(metric) for metric in metrics_of(process)}

    def exposed(self, openmetrics: bool) -> bytes:
        """All of it as text, in OpenMetrics 1.0 or in Prometheus's own format."""
        if openmetrics:
            found: bytes = generate_openmetrics(self.registry)  # type: ignore[no-untyped-call]
            return found
        return generate_latest(self.registry)

    def counter(self, metric: Metric) -> Counter:
        """A counter without labels."""
        return cast(Counter, self._made[metric.name])

    def gauge(self, metric: Metric) -> Gauge:
        """A gauge without labels."""
        return cast(Gauge, self._made[metric.name])

    def histogram(self, metric: Metric) -> Histogram:
        """A histogram without labels."""
        return cast(Histogram, self._made[metric.name])

    def many_at_once(self, metric: Metric) -> "ManyAtOnce":
        """A histogram that takes many values at once."""
        return cast(ManyAtOnce, self._made[metric.name])

    def info(self, metric: Metric) -> Info:
        """Something that is said by labels."""
        return cast(Info, self._made[metric.name])

    def counters(self, metric: Metric) -> dict[str, Counter]:
        """The counters of a metric with one label, by its value: looked up once, not each time."""
        return {values[0]: self.labelled(metric, *values) for values in self._known(metric)}

    def gauges(self, metric: Metric) -> dict[str, Gauge]:
        """The same of gauges."""
        return {values[0]: self._made[metric.name].labels(*values) for values in self._known(metric)}

    def histograms(self, metric: Metric) -> dict[str, Histogram]:
        """The same of histograms."""
        return {values[0]: self._made[metric.name].labels(*values) for values in self._known(metric)}

    def labelled(self, metric: Metric, *values: str) -> Any:
        """What counts for some values of the labels; it is made where there is none yet."""
        return self._made[metric.name].labels(*values)

    def _make(self, metric: Metric) -> Any:
        if metric.name in _IN_BULK:
            found = ManyAtOnce(metric)
            self.registry.register(found)
            return found
        # The library adds `_total` and `_info` itself.
        name = metric.name.removesuffix("_total").removesuffix("_info")
        named: dict[str, Any] = {"unit": metric.unit, "registry": self.registry}
        names = [label.name for label in metric.labels]
        if metric.kind is Kind.INFO:
            return Info(name, metric.help, registry=self.registry)
        if metric.kind is Kind.HISTOGRAM:
            made: Any = Histogram(name, metric.help, names, buckets=metric.buckets, **named)
        else:
            made = _CLASSES[metric.kind](name, metric.help, names, **named)
        if names:
            for values in self._known(metric):
                made.labels(*values)
        return made

    def _known(self, metric: Metric) -> Iterator[Values]:
        """All values of the labels together; none where one is not settled."""
        return product(*(label.values or self._settled.get(label.name, ()) for label in metric.labels))


class ManyAtOnce:
    """A histogram without labels to which many values are added in one go; only from the thread of the loop."""

    def __init__(self, metric: Metric) -> None:
        """Begin with none."""
        self._metric = metric
        self._bounds = metric.buckets
        self._counts = [0] * (len(metric.buckets) + 1)
        self._sum = 0.0

    def observe(self, values: Iterable[float]) -> None:
        """Add values."""
        counts, bounds = self._counts, self._bounds
        total = 0.0
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total += value
        self._sum += total

    def describe(self) -> list[HistogramMetricFamily]:
        """Its name, for the registry."""
        return [HistogramMetricFamily(self._metric.name, self._metric.help, unit=self._metric.unit)]

    def collect(self) -> list[HistogramMetricFamily]:
        """What there is at present."""
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        found = HistogramMetricFamily(self._metric.name, self._metric.help, unit=self._metric.unit)
        found.add_metric((), buckets, self._sum)
        return [found]
