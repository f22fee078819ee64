"""Portfolio metrics as a tenant's own Prometheus reads them: OpenMetrics, and the text format before it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from app.core.verdict import Verdict
from app.use_cases.portfolio_metrics import ClientMetrics, Shown

__all__ = ["MEDIA", "OPEN_METRICS", "SERIES", "TEXT", "Series", "exposed"]

OPEN_METRICS: Final = "application/openmetrics-text"
TEXT: Final = "text/plain"
MEDIA: Final[Mapping[str, str]] = {OPEN_METRICS: openmetrics.CONTENT_TYPE_LATEST, TEXT: CONTENT_TYPE_PLAIN_0_0_4}
"""Media types with their parameters."""

_NONE: Final = "none"
Sample = tuple[tuple[str, ...], float]
"""The labels' values, and the value."""


@dataclass(frozen=True, slots=True)
class Series:
    """A metric.

    Attributes:
        name: of the metric, without suffixes.
        kind: `gauge`, `gaugehistogram` or `info`.
        labels: their names.
        help: what it is.
        read: what of the metrics it shows; of an info the values are 1.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    read: Callable[[Shown], Iterable[Sample]]

    @property
    def shown_as(self) -> str:
        """Its name in queries."""
        return self.name + {"info": "_info", "gaugehistogram": "_bucket"}.get(self.kind, "")


def _seconds(instant: datetime | None) -> list[Sample]:
    return [] if instant is None else [((), instant.timestamp())]


def _per_client(read: Callable[[ClientMetrics], Iterable[Sample]]) -> Callable[[Shown], Iterable[Sample]]:
    def samples(shown: Shown) -> Iterator[Sample]:
        for client in shown.clients:
            for labels, value in read(client):
                yield (client.client_id, *labels), value

    return samples


def _window(days: int) -> str:
    return f"{days}d"


def _verdicts(client: ClientMetrics) -> Iterable[Sample]:
    return [((verdict.value,), float(verdict is client.verdict)) for verdict in Verdict]


SERIES: Final[tuple[Series, ...]] = (
    Series(
        "partwise_portfolio",
        "info",
        ("policy_version",),
        "The policy that is active.",
        lambda shown: [((shown.policy_version,), 1)],
    ),
    Series(
        "partwise_portfolio_clients",
        "gauge",
        ("verdict", "client_type"),
        "Clients by verdict and type.",
        lambda shown: [((verdict.value, kind), count) for (verdict, kind), count in shown.groups.items()],
    ),
    Series(
        "partwise_portfolio_score",
        "gaugehistogram",
        (),
        "Scores of all clients, 0 (keep) to 100 (part).",
        lambda shown: [],
    ),
    Series(
        "partwise_portfolio_score_change",
        "gauge",
        (),
        "By how much the scores of all clients changed in the last 30 days, added up.",
        lambda shown: [((), shown.change_sum)],
    ),
    Series(
        "partwise_portfolio_strain_decibans",
        "gauge",
        ("sign",),
        "Evidence of a sign that relationships should end, of all clients added up; what reassures is below 0.",
        lambda shown: [((one.sign,), one.decibans) for one in shown.strain],
    ),
    Series(
        "partwise_portfolio_leading_sign_clients",
        "gauge",
        ("sign",),
        "Clients by the sign that weighs most; none where no sign worries.",
        lambda shown: [*(((one.sign,), one.leads) for one in shown.strain), ((_NONE,), shown.without_sign)],
    ),
    Series(
        "partwise_portfolio_money_at_risk",
        "gauge",
        ("currency",),
        "Open amounts of invoices that are overdue or whose payment was taken back.",
        lambda shown: [((one.currency,), float(one.amount)) for one in shown.money_at_risk],
    ),
    Series(
        "partwise_portfolio_cost_of_staying_per_month",
        "gauge",
        ("currency",),
        "What it costs to stay with all clients, in a month.",
        lambda shown: [((one.currency,), float(one.amount)) for one in shown.cost_of_staying],
    ),
    Series(
        "partwise_portfolio_verdict_changes",
        "gauge",
        ("window", "before", "after"),
        "Changes of verdicts in the last days of UTC; none is before the first verdict and after an erasure.",
        lambda shown: [
            ((_window(part.days), one.before or _NONE, one.after or _NONE), one.clients)
            for part in shown.changes
            for one in part.moves
        ],
    ),
    Series(
        "partwise_portfolio_improved",
        "gauge",
        ("window",),
        "Changes to a better verdict in the last days of UTC.",
        lambda shown: [((_window(part.days),), part.improved) for part in shown.changes],
    ),
    Series(
        "partwise_portfolio_worsened",
        "gauge",
        ("window",),
        "Changes to a worse verdict in the last days of UTC.",
        lambda shown: [((_window(part.days),), part.worsened) for part in shown.changes],
    ),
    Series(
        "partwise_portfolio_stale_clients",
        "gauge",
        (),
        "Clients that are still to be assessed, counted up to 1000.",
        lambda shown: [((), shown.state.stale)],
    ),
    Series(
        "partwise_portfolio_stale_since_timestamp_seconds",
        "gauge",
        (),
        "When the first of them became so; missing where none is.",
        lambda shown: _seconds(shown.state.stale_since),
    ),
    Series(
        "partwise_portfolio_changed_timestamp_seconds",
        "gauge",
        (),
        "When any of these metrics changed last; missing before the first client.",
        lambda shown: _seconds(shown.state.changed_at),
    ),
    Series(
        "partwise_client",
        "info",
        ("client_id", "client_type", "leading_sign", "name"),
        "A client of those with the highest scores; its name where that was asked for.",
        _per_client(lambda one: [((one.client_type, one.leading_sign or _NONE, one.name or ""), 1)]),
    ),
    Series(
        "partwise_client_score",
        "gauge",
        ("client_id",),
        "The score of a client, 0 (keep) to 100 (part).",
        _per_client(lambda one: [((), one.score)]),
    ),
    Series(
        "partwise_client_score_change",
        "gauge",
        ("client_id",),
        "By how much the score of a client changed in the last 30 days.",
        _per_client(lambda one: [((), one.change)]),
    ),
    Series(
        "partwise_client_verdict",
        "gauge",
        ("client_id", "verdict"),
        "1 for the verdict of a client, 0 for the others.",
        _per_client(_verdicts),
    ),
    Series(
        "partwise_client_strain_decibans",
        "gauge",
        ("client_id", "sign"),
        "Evidence of a sign that the relationship should end.",
        _per_client(lambda one: [((sign,), value) for sign, value in one.strain.items()]),
    ),
    Series(
        "partwise_client_money_at_risk",
        "gauge",
        ("client_id", "currency"),
        "Open amounts of a client's invoices that are overdue or whose payment was taken back.",
        _per_client(lambda one: [((money.currency,), float(money.amount)) for money in one.money_at_risk]),
    ),
    Series(
        "partwise_client_cost_of_staying_per_month",
        "gauge",
        ("client_id", "currency"),
        "What it costs to stay with a client, in a month.",
        _per_client(lambda one: [((money.currency,), float(money.amount)) for money in one.cost_of_staying]),
    ),
)
"""All of them, in the order in which they are shown."""


class _Collected(Collector):
    """The metrics of one answer, as the exposition asks for them."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        for series in SERIES:
            match series.kind:
                case "info":
                    yield self._info(series)
                case "gaugehistogram":
                    yield self._scores(series)
                case _:
                    family = GaugeMetricFamily(series.name, series.help, labels=series.labels)
                    for labels, value in series.read(self._shown):
                        family.add_metric(labels, value)
                    yield family

    def _info(self, series: Series) -> Metric:
        family = InfoMetricFamily(series.name, series.help)
        for labels, _ in series.read(self._shown):
            named = zip(series.labels, labels, strict=True)
            # An empty label is as none.
            family.add_metric([], {name: value for name, value in named if value})
        return family

    def _scores(self, series: Series) -> Metric:
        steps = self._shown.steps
        counts = accumulate(step.clients for step in steps)
        buckets = [(f"{step.up_to}.0", float(count)) for step, count in zip(steps, counts, strict=True)]
        everybody = ("+Inf", float(self._shown.count))
        return GaugeHistogramMetricFamily(
            series.name, series.help, buckets=[*buckets, everybody], gsum_value=self._shown.score_sum
        )


def exposed(shown: Shown, media: str) -> bytes:
    """The metrics in one of the two formats."""
    collected = _Collected(shown)
    if media == OPEN_METRICS:
        found: bytes = openmetrics.generate_latest(collected)  # type: ignore[no-untyped-call]
        return found
    return generate_latest(collected)
