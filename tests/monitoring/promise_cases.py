"""Unit tests of the alerts on how fast error budgets go: a thousand requests a minute, if not told otherwise."""

from typing import Final

from tests.monitoring.promtool import Case, Fired, counter, gauge
from tests.monitoring.symptom_cases import EVENTS, REQUESTS, A, W, of

__all__ = ["PROMISE_CASES"]

HOUR: Final = 60
DAY: Final = 24 * HOUR
SECONDS: Final = "partwise_http_request_duration_seconds"
GRAPHQL: Final = "partwise_graphql_operation_duration_seconds"
READS: Final = {"method": "GET", "route": "/v1/clients"}

Parts = tuple[tuple[int, float], ...]
"""Minutes, and how many of a thousand requests are bad in them, one after the other."""


def failing(*parts: tuple[int, float]) -> dict[str, str]:
    """Requests with events, of which some are answered by 5xx; and probes, of which all are."""
    return {
        of(REQUESTS, A, **EVENTS, status="2xx"): counter(*((minutes, 1000 - bad) for minutes, bad in parts)),
        of(REQUESTS, A, **EVENTS, status="5xx"): counter(*parts),
        of(REQUESTS, A, method="GET", route="/readyz", status="5xx"): counter(
            *((minutes, 1000.0) for minutes, _ in parts)
        ),
    }


def slow_ingest(*parts: tuple[int, float]) -> dict[str, str]:
    """Requests with events, of which some take more than a second."""
    return {
        of(f"{SECONDS}_count", A, **EVENTS): counter(*((minutes, 1000.0) for minutes, _ in parts)),
        of(f"{SECONDS}_bucket", A, **EVENTS, le="1.0"): counter(*((minutes, 1000 - bad) for minutes, bad in parts)),
        # Most take longer than half a second, which is no matter.
        of(f"{SECONDS}_bucket", A, **EVENTS, le="0.5"): counter(*((minutes, 1.0) for minutes, _ in parts)),
    }


def slow_reads(*parts: tuple[int, float]) -> dict[str, str]:
    """As many reads over REST as over GraphQL; those over GraphQL are slow."""
    all_of_half = counter(*((minutes, 500.0) for minutes, _ in parts))
    return {
        of(f"{SECONDS}_count", A, **READS): all_of_half,
        of(f"{SECONDS}_bucket", A, **READS, le="1.0"): all_of_half,
        of(f"{GRAPHQL}_count", A, kind="query"): all_of_half,
        of(f"{GRAPHQL}_bucket", A, kind="query", le="1.0"): counter(*((minutes, 500 - bad) for minutes, bad in parts)),
    }


def stale(*parts: tuple[int, float]) -> dict[str, str]:
    """Minutes, and how many seconds the oldest client has been due in them."""
    every = sum(minutes for minutes, _ in parts)
    return {of("partwise_due_seconds", W): gauge(*parts), of("partwise_ready", A): gauge((every, 1))}


def told(share: str, what: str, span: str, budget: str, slo: str) -> list[Fired]:
    """That one alert fires, and what it says."""
    return [Fired(f"{share} of {what} in {span}; at most {budget} may be.", {"slo": slo})]


HOURS: Final = "the last hour, or the last six"
DAYS: Final = "the last day, or the last three"
FAILED: Final = "requests were answered by 5xx"
SLOW: Final = "requests with events took more than a second"
SLOW_READ: Final = "reads took more than a second"
STALE: Final = "the time assessments were out of date"

_AVAILABILITY: Final = (
    Case(
        "PartwiseAvailabilityBurnsFast",
        "after six good hours 1.5 % fail for an hour: 14.4 times the budget",
        failing((6 * HOUR, 0), (62, 15), (20, 0)),
        quiet=[6 * HOUR, 6 * HOUR + 30, 7 * HOUR + 10],
        fires={7 * HOUR + 1: told("1.5%", FAILED, HOURS, "0.1 %", "availability")},
    ),
    Case(
        "PartwiseAvailabilityBurnsFast",
        "after six good hours 1.4 % fail for an hour",
        failing((6 * HOUR, 0), (80, 14), (20, 0)),
        quiet=[6 * HOUR + 30, 7 * HOUR + 1, 7 * HOUR + 20],
    ),
    Case(
        "PartwiseAvailabilityBurnsFast",
        "0.7 % fail for six hours: six times the budget",
        failing((6 * HOUR + 10, 7), (HOUR, 0)),
        quiet=[6 * HOUR + 45],
        fires={6 * HOUR + 6: told("0.7%", FAILED, HOURS, "0.1 %", "availability")},
    ),
    Case(
        "PartwiseAvailabilityBurnsFast",
        "0.59 % fail for six hours",
        failing((7 * HOUR, 5.9)),
        quiet=[HOUR, 6 * HOUR, 7 * HOUR],
    ),
    Case(
        "PartwiseAvailabilityBurnsFast",
        "a request a minute, and three of them fail in the night",
        {
            of(REQUESTS, A, **EVENTS, status="2xx"): counter((3 * HOUR, 1), (3, 0), (HOUR, 1)),
            of(REQUESTS, A, **EVENTS, status="5xx"): counter((3 * HOUR, 0), (3, 1), (HOUR, 0)),
        },
        quiet=[3 * HOUR + 2, 3 * HOUR + 4, 3 * HOUR + 30],
    ),
    Case(
        "PartwiseAvailabilityBurnsSlowly",
        "0.12 % fail for three days: the budget goes 1.2 times as fast as it may",
        failing((3 * DAY, 1.2), (7 * HOUR, 0)),
        quiet=[3 * DAY + 6 * HOUR + 30],
        fires={3 * DAY: told("0.12%", FAILED, DAYS, "0.1 %", "availability")},
    ),
    Case(
        "PartwiseAvailabilityBurnsSlowly",
        "0.4 % fail for a day: three times the budget; it ends when the last six hours are good",
        failing((DAY, 4), (7 * HOUR, 0)),
        quiet=[DAY + 6 * HOUR + 30],
        fires={DAY: told("0.4%", FAILED, DAYS, "0.1 %", "availability")},
    ),
    Case(
        "PartwiseAvailabilityBurnsSlowly",
        "0.09 % fail for three days",
        failing((3 * DAY, 0.9)),
        quiet=[HOUR, DAY, 3 * DAY],
    ),
)

_INGEST: Final = (
    Case(
        "PartwiseIngestLatencyBurnsFast",
        "after six good hours 15 % are slow for an hour",
        slow_ingest((6 * HOUR, 0), (62, 150), (20, 0)),
        quiet=[6 * HOUR, 6 * HOUR + 30, 7 * HOUR + 10],
        fires={7 * HOUR + 1: told("15%", SLOW, HOURS, "1 %", "ingest-latency")},
    ),
    Case(
        "PartwiseIngestLatencyBurnsFast",
        "after six good hours 14 % are slow for an hour",
        slow_ingest((6 * HOUR, 0), (80, 140), (20, 0)),
        quiet=[6 * HOUR + 30, 7 * HOUR + 1, 7 * HOUR + 20],
    ),
    Case(
        "PartwiseIngestLatencyBurnsSlowly",
        "4 % are slow for a day",
        slow_ingest((DAY, 40), (7 * HOUR, 0)),
        quiet=[DAY + 6 * HOUR + 30],
        fires={DAY: told("4%", SLOW, DAYS, "1 %", "ingest-latency")},
    ),
    Case(
        "PartwiseIngestLatencyBurnsSlowly",
        "0.9 % are slow for a day",
        slow_ingest((DAY, 9)),
        quiet=[HOUR, DAY],
    ),
)

_READS: Final = (
    Case(
        "PartwiseReadLatencyBurnsFast",
        "after six good hours 15 % are slow for an hour",
        slow_reads((6 * HOUR, 0), (62, 150), (20, 0)),
        quiet=[6 * HOUR, 6 * HOUR + 30, 7 * HOUR + 10],
        fires={7 * HOUR + 1: told("15%", SLOW_READ, HOURS, "1 %", "read-latency")},
    ),
    Case(
        "PartwiseReadLatencyBurnsFast",
        "after six good hours 14 % are slow for an hour",
        slow_reads((6 * HOUR, 0), (80, 140), (20, 0)),
        quiet=[6 * HOUR + 30, 7 * HOUR + 1, 7 * HOUR + 20],
    ),
    Case(
        "PartwiseReadLatencyBurnsSlowly",
        "4 % are slow for a day",
        slow_reads((DAY, 40), (7 * HOUR, 0)),
        quiet=[DAY + 6 * HOUR + 30],
        fires={DAY: told("4%", SLOW_READ, DAYS, "1 %", "read-latency")},
    ),
    Case(
        "PartwiseReadLatencyBurnsSlowly",
        "0.9 % are slow for a day",
        slow_reads((DAY, 9)),
        quiet=[HOUR, DAY],
    ),
)

_FRESHNESS: Final = (
    Case(
        "PartwiseFreshnessBurnsFast",
        "after six good hours something has been due for longer than five minutes for a quarter of an hour",
        stale((6 * HOUR, 30), (15, 301), (20, 30)),
        quiet=[6 * HOUR, 6 * HOUR + 5, 6 * HOUR + 22],
        fires={6 * HOUR + 12: told("20.66%", STALE, HOURS, "1 %", "freshness")},
    ),
    Case(
        "PartwiseFreshnessBurnsFast",
        "no worker tells, while there are servers",
        {
            of("partwise_due_seconds", W): gauge((6 * HOUR, 30)) + " stale _x14 30+0x30",
            of("partwise_ready", A): gauge((6 * HOUR + 45, 1)),
        },
        quiet=[6 * HOUR, 6 * HOUR + 5, 6 * HOUR + 22],
        fires={6 * HOUR + 12: told("20.66%", STALE, HOURS, "1 %", "freshness")},
    ),
    Case(
        "PartwiseFreshnessBurnsFast",
        "after six good hours something has been due for longer than five minutes for eight minutes",
        stale((6 * HOUR, 30), (8, 301), (45, 30)),
        quiet=[6 * HOUR + 7, 6 * HOUR + 8, 6 * HOUR + 9, 6 * HOUR + 50],
    ),
    Case(
        "PartwiseFreshnessBurnsFast",
        "Prometheus is new, and something is due for longer in its first minutes",
        stale((4, 301), (60, 30)),
        quiet=[1, 3, 5, 8, 10, 30],
    ),
    Case(
        "PartwiseFreshnessBurnsFast",
        "something has been due for five minutes all the time",
        stale((7 * HOUR, 300)),
        quiet=[HOUR, 7 * HOUR],
    ),
    Case(
        "PartwiseFreshnessBurnsSlowly",
        "five minutes of every hour for a day",
        stale(*((55, 30), (5, 301)) * 24, (7 * HOUR, 30)),
        quiet=[HOUR / 2, DAY + 7 * HOUR],
        fires={DAY: told("8.304%", STALE, DAYS, "1 %", "freshness")},
    ),
    Case(
        "PartwiseFreshnessBurnsSlowly",
        "five minutes of every ten hours for three days",
        stale(*((595, 30), (5, 301)) * 7),
        quiet=[10 * HOUR, 10 * HOUR + 5, DAY, 2 * DAY, 2 * DAY + 20 * HOUR],
    ),
)

PROMISE_CASES: Final = (*_AVAILABILITY, *_INGEST, *_READS, *_FRESHNESS)
