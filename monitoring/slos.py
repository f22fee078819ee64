"""What clients are promised, as shares of good ones, and alerts on how fast the rest is used up.

The windows and factors are those of the Google SRE workbook, chapter 5: a page where 2 % of a month's budget go in an
hour or 5 % in six, a ticket where 10 % go in a day or in three.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from monitoring.alert import Alert, Severity, number
from monitoring.surroundings import DAY, HOUR, MINUTE, SERVER, WORKER, Surroundings

__all__ = [
    "API",
    "FRESH_SECONDS",
    "INGEST_SECONDS",
    "INTERVAL",
    "READ_SECONDS",
    "SLOS",
    "WINDOWS",
    "Slo",
    "burn_alerts",
    "records",
]

API: Final = 'route=~"/v1/.*|/graphql"'
"""What clients of the API ask for; probes, metrics and pages for people are promised nothing."""
INGEST_SECONDS: Final = 1.0
READ_SECONDS: Final = 1.0
FRESH_SECONDS: Final = 5 * MINUTE
"""For how long the oldest client that is due may have been so."""
_LEAST: Final = 10
"""Requests that have to be bad within the longer window: a single one at night wakes nobody."""
_LEAST_SECONDS: Final = 5 * MINUTE
"""The same of time: where little has been seen yet, a moment of it is a large share."""
INTERVAL: Final = 30.0
"""Seconds between two evaluations."""

WINDOWS: Final = {
    "5m": 5 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "6h": 6 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
}
"""Windows by the names that they have in recorded series, however long they are in truth."""
_DIRECT: Final = ("5m", "30m", "1h")
_FAST: Final = ((14.4, "1h", "5m"), (6.0, "6h", "30m"))
_SLOW: Final = ((3.0, "1d", "2h"), (1.0, "3d", "6h"))


@dataclass(frozen=True)
class Slo:
    """A promise about a share.

    Attributes:
        name: as it stands in the label `slo`.
        word: as it stands in the names of alerts.
        objective: the share that is to be good.
        what: what is counted, in the plural, and what the bad ones are.
        bad: PromQL of the bad ones a second within a window.
        all: the same of all.
        counts_requests: whether these are requests; else time is counted.
    """

    name: str
    word: str
    objective: float
    what: str
    bad: Callable[[Surroundings, str], str]
    all: Callable[[Surroundings, str], str]
    counts_requests: bool = True

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.objective, 9)


def _requests(at: Surroundings, window: str) -> str:
    return f"sum(rate({at.series('partwise_http_requests_total', API, job=SERVER)}[{window}]))"


READS: Final = 'route=~"/v1/.*",route!="/v1/changes"'
"""Reads that are to be quick; who follows changes asks to wait."""


def _failed(at: Surroundings, window: str) -> str:
    return f"sum(rate({at.series('partwise_http_requests_total', API, job=SERVER, status='5xx')}[{window}]))"


def _ingests(at: Surroundings, window: str) -> str:
    asked = {"job": SERVER, "method": "POST", "route": "/v1/events"}
    return f"sum(rate({at.series('partwise_http_request_duration_seconds_count', **asked)}[{window}]))"


def _slow_ingests(at: Surroundings, window: str) -> str:
    asked = {"job": SERVER, "method": "POST", "route": "/v1/events", "le": str(INGEST_SECONDS)}
    good = f"sum(rate({at.series('partwise_http_request_duration_seconds_bucket', **asked)}[{window}]))"
    return f"{_ingests(at, window)} - {good}"


def _reads(at: Surroundings, window: str) -> str:
    rest = at.series("partwise_http_request_duration_seconds_count", READS, job=SERVER, method="GET")
    graphql = at.series("partwise_graphql_operation_duration_seconds_count", job=SERVER, kind="query")
    return f"sum(rate({rest}[{window}])) + sum(rate({graphql}[{window}]))"


def _slow_reads(at: Surroundings, window: str) -> str:
    le = str(READ_SECONDS)
    rest = at.series("partwise_http_request_duration_seconds_bucket", READS, job=SERVER, method="GET", le=le)
    graphql = at.series("partwise_graphql_operation_duration_seconds_bucket", job=SERVER, kind="query", le=le)
    return f"{_reads(at, window)} - sum(rate({rest}[{window}])) - sum(rate({graphql}[{window}]))"


_STALE: Final = "partwise:stale:bool"


def _stale(at: Surroundings) -> str:
    """1 while what is due is too old, or no worker tells how old it is though there are servers."""
    due = at.series("partwise_due_seconds", job=WORKER)
    server = at.series("partwise_ready", job=SERVER)
    return f"(max({due}) > bool {number(at.age(FRESH_SECONDS))}) or (0 * max({server}) + 1)"


def _stale_time(at: Surroundings, window: str) -> str:
    return f"avg_over_time({at.series(_STALE)}[{window}])"


def _time(at: Surroundings, window: str) -> str:
    return f"0 * avg_over_time({at.series(_STALE)}[{window}]) + 1"


SLOS: Final = (
    Slo("availability", "Availability", 0.999, "requests were answered by 5xx", _failed, _requests),
    Slo(
        "ingest-latency", "IngestLatency", 0.99, "requests with events took more than a second", _slow_ingests, _ingests
    ),
    Slo("read-latency", "ReadLatency", 0.99, "reads took more than a second", _slow_reads, _reads),
    Slo(
        "freshness",
        "Freshness",
        0.99,
        "the time assessments were out of date",
        _stale_time,
        _time,
        counts_requests=False,
    ),
)


def records(at: Surroundings) -> list[dict[str, Any]]:
    """The recording rules, in the order in which they need each other."""
    found: list[dict[str, Any]] = [{"record": _STALE, "expr": _stale(at), "labels": dict(at.matchers)}]
    for slo in SLOS:
        labels = {"slo": slo.name, **at.matchers}
        direct = at.window(WINDOWS["5m"])
        found += [
            {"record": "slo:partwise_bad:rate5m", "expr": slo.bad(at, direct), "labels": labels},
            {"record": "slo:partwise_all:rate5m", "expr": slo.all(at, direct), "labels": labels},
        ]
        found += [
            {"record": f"slo:partwise_bad:ratio_rate{name}", "expr": _ratio(at, slo, name), "labels": labels}
            for name in WINDOWS
        ]
    return found


def _ratio(at: Surroundings, slo: Slo, name: str) -> str:
    window = at.window(WINDOWS[name])
    if name in _DIRECT:
        return f"({slo.bad(at, window)})\n/\n({slo.all(at, window)})"
    # Of series that are aggregated already: days of each single one would be read every time.
    bad, asked = (at.series(f"slo:partwise_{one}:rate5m", slo=slo.name) for one in ("bad", "all"))
    return f"avg_over_time({bad}[{window}])\n/\navg_over_time({asked}[{window}])"


def burn_alerts(at: Surroundings) -> list[Alert]:
    """Two alerts on each promise: a page where the budget goes fast, a ticket where it goes slowly."""
    found = []
    for slo in SLOS:
        share = "{{ $value | humanizePercentage }} of "
        promise = f"at most {100 * slo.budget:g} % may be"
        for word, severity, pairs, spans in (
            ("Fast", Severity.PAGE, _FAST, "the last hour, or the last six"),
            ("Slowly", Severity.TICKET, _SLOW, "the last day, or the last three"),
        ):
            how = "fast" if severity is Severity.PAGE else "slowly"
            found.append(
                Alert(
                    f"Partwise{slo.word}Burns{word}",
                    severity,
                    "\nor\n".join(_burning(at, slo, *pair) for pair in pairs),
                    f"The error budget of {slo.name} goes {how}",
                    f"{share}{slo.what} in {spans}; {promise}.",
                )
            )
    return found


def _burning(at: Surroundings, slo: Slo, factor: float, long: str, short: str) -> str:
    limit = number(factor * slo.budget)
    ratios = [at.series(f"slo:partwise_bad:ratio_rate{one}", slo=slo.name) for one in (long, short)]
    conditions = [f"{ratio} > {limit}" for ratio in ratios]
    span = WINDOWS[long]
    if slo.counts_requests:
        bad = f"avg_over_time({at.series('slo:partwise_bad:rate5m', slo=slo.name)}[{at.window(span)}])"
        enough = f"and\n  {bad} * {number(at.seconds(span))} > {_LEAST}"
    else:
        bad = f"sum_over_time({at.series(_STALE)}[{at.window(span)}])"
        interval, least = number(INTERVAL * at.windows), number(_LEAST_SECONDS * at.windows)
        enough = f"and on ()\n  {bad} * {interval} > {least}"
    return "(\n  " + "\n  and\n  ".join(conditions) + f"\n  {enough}\n)"
