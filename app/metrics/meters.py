"""The objects that count, made from the catalogue: all that a process exposes, there from the start."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, TypeVar, cast

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import ALLOWUTF8
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from app.metrics.catalogue import Kind, Metric, Process, metrics_of
from app.metrics.tallies import Spread, Spreads, Tallies, Tally

__all__ = ["Meters"]

Values = tuple[str, ...]
T = TypeVar("T", Tally, Spread, Gauge)


def _none() -> None:
    """No trace."""


class Meters:
    """What one process counts."""

    sampled: Callable[[], str | None] = staticmethod(_none)
    """Names the trace at hand, if it is kept: an example of what is counted in it."""

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
        """All of it as text, in OpenMetrics 1.0 or in Prometheus's own format; from any thread."""
        if openmetrics:
            # No name needs escaping, and without it this takes half as long.
            found: bytes = generate_openmetrics(self.registry, ALLOWUTF8)  # type: ignore[no-untyped-call]
            return found
        return generate_latest(self.registry, ALLOWUTF8)

    def counter(self, metric: Metric) -> Tally:
        """A counter without labels."""
        return cast(Tally, self.labelled(metric))

    def histogram(self, metric: Metric) -> Spread:
        """A histogram without labels."""
        return cast(Spread, self.labelled(metric))

    def gauge(self, metric: Metric) -> Gauge:
        """A gauge without labels."""
        return cast(Gauge, self._made[metric.name])

    def info(self, metric: Metric) -> Info:
        """Something that is said by labels."""
        return cast(Info, self._made[metric.name])

    def counters(self, metric: Metric) -> dict[str, Tally]:
        """The counters of a metric with one label, by its value: looked up once, not each time."""
        return self._by_value(metric)

    def gauges(self, metric: Metric) -> dict[str, Gauge]:
        """The same of gauges."""
        return self._by_value(metric)

    def histograms(self, metric: Metric) -> dict[str, Spread]:
        """The same of histograms."""
        return self._by_value(metric)

    def labelled(self, metric: Metric, *values: str) -> Any:
        """What counts for some values of the labels; it is made where there is none yet."""
        return self._made[metric.name].labels(*values)

    def _by_value(self, metric: Metric) -> dict[str, T]:
        return {values[0]: self.labelled(metric, *values) for values in self._known(metric)}

    def _make(self, metric: Metric) -> Any:
        names = [label.name for label in metric.labels]
        made: Any
        if metric.kind is Kind.INFO:
            # The library adds `_info` itself.
            return Info(metric.name.removesuffix("_info"), metric.help, registry=self.registry)
        if metric.kind is Kind.GAUGE:
            made = Gauge(metric.name, metric.help, names, unit=metric.unit, registry=self.registry)
        else:
            made = Tallies(metric) if metric.kind is Kind.COUNTER else Spreads(metric)
            self.registry.register(made)
        if names or metric.kind is not Kind.GAUGE:
            for values in self._known(metric):
                made.labels(*values)
        return made

    def _known(self, metric: Metric) -> Iterator[Values]:
        """All values of the labels together; none where one is not settled."""
        return product(*(label.values or self._settled.get(label.name, ()) for label in metric.labels))
