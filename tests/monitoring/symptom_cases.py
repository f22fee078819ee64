"""Unit tests of the alerts on single things."""

from typing import Final

from tests.monitoring.promtool import Case, Fired, counter, gauge

__all__ = ["SYMPTOM_CASES"]

A: Final = {"instance": "a:9464", "job": "partwise-server"}
W: Final = {"instance": "w:9464", "job": "partwise-worker"}


def of(name: str, at: dict[str, str], **labels: str) -> str:
    """A series of a process."""
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in {**at, **labels}.items()) + "}"


def at(name: str) -> dict[str, str]:
    """A server of another name."""
    return {**A, "instance": f"{name}:9464"}


REQUESTS: Final = "partwise_http_requests_total"
EVENTS: Final = {"method": "POST", "route": "/v1/events"}
LOOKS: Final = "partwise_event_loop_lag_seconds"
WAITS: Final = "partwise_database_pool_wait_seconds"
SUCCESS: Final = "partwise_worker_last_success_timestamp_seconds"
DOWN: Final = gauge((5, 1), (10, 0), (10, 1))

_PROCESSES: Final = (
    Case(
        "PartwiseNoServer",
        "both servers are down for ten minutes",
        {of("up", A): DOWN, of("up", at("b")): DOWN, of("up", W): gauge((25, 1))},
        quiet=[4, 5.5, 16],
        fires={7: [Fired("Prometheus reaches no server at all: nobody is served.")]},
    ),
    Case(
        "PartwiseNoServer",
        "there is none in the configuration",
        {of("up", W): gauge((25, 1))},
        quiet=[0],
        fires={7: [Fired("Prometheus reaches no server at all: nobody is served.")]},
    ),
    Case(
        "PartwiseNoServer",
        "one of two is down",
        {of("up", A): DOWN, of("up", at("b")): gauge((25, 1))},
        quiet=[4, 7, 14, 16],
    ),
    Case(
        "PartwiseNoWorker",
        "the one worker is down for ten minutes",
        {of("up", A): gauge((25, 1)), of("up", W): DOWN},
        quiet=[4, 9, 16],
        fires={
            11: [Fired("Prometheus reaches no worker at all: assessments grow old, and erasures are not finished.")]
        },
    ),
    Case(
        "PartwiseNoWorker",
        "the one worker is down for four minutes",
        {of("up", W): gauge((5, 1), (4, 0), (10, 1))},
        quiet=[6, 9, 10, 12],
    ),
    Case(
        "PartwiseTargetDown",
        "one of two servers is down for ten minutes",
        {of("up", A): DOWN, of("up", at("b")): gauge((25, 1)), 'up{job="other", instance="c:1"}': gauge((25, 0))},
        quiet=[4, 9, 16],
        fires={11: [Fired("a:9464 of partwise-server cannot be scraped.", A)]},
    ),
    Case(
        "PartwiseTargetDown",
        "a server starts anew, which takes four minutes",
        {of("up", A): gauge((5, 1), (4, 0), (10, 1))},
        quiet=[6, 9, 10, 12],
    ),
    Case(
        "PartwiseRestarts",
        "a server starts three times within half an hour",
        {of("process_start_time_seconds", A): gauge((10, 1), (10, 2), (10, 3), (80, 4))},
        quiet=[29, 91],
        fires={31: [Fired("a:9464 of partwise-server has started 3 times within an hour.", A)]},
    ),
    Case(
        "PartwiseRestarts",
        "a server starts twice within an hour",
        {of("process_start_time_seconds", A): gauge((10, 1), (10, 2), (80, 3))},
        quiet=[10, 20, 30, 60, 90],
    ),
    Case(
        "PartwiseDrainsWithoutEnd",
        "a server was told to end, and ends after ten minutes",
        {of("partwise_ready", A): gauge((5, 1), (10, 0)) + " stale", of("partwise_ready", W): gauge((25, 1))},
        quiet=[4, 9, 16],
        fires={11: [Fired("a:9464 of partwise-server takes no requests any more, and is still there.", A)]},
    ),
    Case(
        "PartwiseDrainsWithoutEnd",
        "a server ends within four minutes",
        {of("partwise_ready", A): gauge((5, 1), (4, 0)) + " stale"},
        quiet=[6, 8, 9, 10, 12],
    ),
    Case(
        "PartwiseEventLoopBlocked",
        "a tenth of the looks come late, then none",
        {
            of(f"{LOOKS}_bucket", A, le="0.5"): counter((20, 216), (20, 240)),
            of(f"{LOOKS}_count", A): counter((40, 240)),
            of(f"{LOOKS}_bucket", W, le="0.5"): counter((40, 240)),
            of(f"{LOOKS}_count", W): counter((40, 240)),
        },
        quiet=[5, 30],
        fires={
            12: [
                Fired(
                    "a:9464 of partwise-server came back more than half a second late in 10% of the looks of five "
                    "minutes: all its requests wait that long.",
                    A,
                )
            ]
        },
    ),
    Case(
        "PartwiseEventLoopBlocked",
        "four in a hundred looks come late",
        {of(f"{LOOKS}_bucket", A, le="0.5"): counter((40, 96)), of(f"{LOOKS}_count", A): counter((40, 100))},
        quiet=[6, 12, 30, 40],
    ),
)

_DATABASE: Final = (
    Case(
        "PartwiseDatabaseAway",
        "one of two servers does not reach it for five minutes",
        {
            of("partwise_database_up", A): gauge((5, 1), (5, 0), (10, 1)),
            of("partwise_database_up", at("b")): gauge((20, 1)),
            of("partwise_database_up", W): gauge((20, 1)),
        },
        quiet=[4, 5.5, 11],
        fires={7: [Fired("1 of the processes of partwise-server do not reach Postgres.", {"job": "partwise-server"})]},
    ),
    Case(
        "PartwiseDatabaseAway",
        "nobody reaches it",
        {
            of("partwise_database_up", A): gauge((5, 1), (5, 0), (10, 1)),
            of("partwise_database_up", at("b")): gauge((5, 1), (5, 0), (10, 1)),
            of("partwise_database_up", W): gauge((5, 1), (5, 0), (10, 1)),
        },
        quiet=[4, 5.5, 11],
        fires={
            7: [
                Fired("2 of the processes of partwise-server do not reach Postgres.", {"job": "partwise-server"}),
                Fired("1 of the processes of partwise-worker do not reach Postgres.", {"job": "partwise-worker"}),
            ]
        },
    ),
    Case(
        "PartwiseDatabaseAway",
        "it is away for the time of one look",
        {of("partwise_database_up", A): gauge((5, 1), (1, 0), (10, 1))},
        quiet=[4, 5, 5.5, 6, 8],
    ),
    Case(
        "PartwisePoolExhausted",
        "a tenth wait long, then none",
        {
            of(f"{WAITS}_bucket", A, pool="writes", le="0.5"): counter((20, 90), (20, 100)),
            of(f"{WAITS}_count", A, pool="writes"): counter((40, 100)),
            of(f"{WAITS}_bucket", A, pool="reads", le="0.5"): counter((40, 100)),
            of(f"{WAITS}_count", A, pool="reads"): counter((40, 100)),
        },
        quiet=[5, 30],
        fires={
            12: [
                Fired(
                    "10% of those that needed a connection of the pool writes of partwise-server waited more than half "
                    "a second for it.",
                    {"job": "partwise-server", "pool": "writes"},
                )
            ]
        },
    ),
    Case(
        "PartwisePoolExhausted",
        "four in a hundred wait long",
        {
            of(f"{WAITS}_bucket", A, pool="writes", le="0.5"): counter((40, 96)),
            of(f"{WAITS}_count", A, pool="writes"): counter((40, 100)),
        },
        quiet=[6, 12, 30, 40],
    ),
)

_REQUESTS: Final = (
    Case(
        "PartwiseErrorBurst",
        "three of ten requests fail for five minutes",
        {
            of(REQUESTS, A, **EVENTS, status="2xx"): counter((10, 100), (5, 70), (10, 100)),
            of(REQUESTS, A, **EVENTS, status="5xx"): counter((10, 0), (5, 30), (10, 0)),
        },
        quiet=[10, 18],
        fires={14: [Fired("30% of the requests of two minutes were answered by 5xx.")]},
    ),
    Case(
        "PartwiseErrorBurst",
        "nineteen of a hundred fail",
        {
            of(REQUESTS, A, **EVENTS, status="2xx"): counter((25, 81)),
            of(REQUESTS, A, **EVENTS, status="5xx"): counter((25, 19)),
        },
        quiet=[10, 15, 20],
    ),
    Case(
        "PartwiseErrorBurst",
        "all fail, but they are few",
        {
            of(REQUESTS, A, **EVENTS, status="2xx"): counter((25, 0)),
            of(REQUESTS, A, **EVENTS, status="5xx"): counter((25, 4)),
        },
        quiet=[10, 15, 20],
    ),
    Case(
        "PartwiseErrorBurst",
        "probes fail, as they do while the database is away and nobody asks for anything",
        {
            of(REQUESTS, A, method="GET", route="/readyz", status="5xx"): counter((25, 60)),
            of(REQUESTS, A, **EVENTS, status="2xx"): counter((25, 0)),
            of(REQUESTS, A, **EVENTS, status="5xx"): counter((25, 0)),
        },
        quiet=[10, 15, 20],
    ),
    Case(
        "PartwiseInternalErrors",
        "one request",
        {of("partwise_http_problems_total", A, type="internal-error"): counter((10, 0), (1, 1), (30, 0))},
        quiet=[10, 27],
        fires={12: [Fired("1 requests were answered by 500 within a quarter of an hour.")]},
    ),
    Case(
        "PartwiseInternalErrors",
        "problems of all other kinds",
        {
            of("partwise_http_problems_total", A, type="internal-error"): counter((40, 0), begin=7),
            of("partwise_http_problems_total", A, type="not-found"): counter((40, 10)),
            of("partwise_http_problems_total", A, type="database-unavailable"): counter((40, 10)),
        },
        quiet=[10, 20, 40],
    ),
)

_INGEST: Final = (
    Case(
        "PartwiseIngestRefused",
        "two in a hundred are refused, then none",
        {
            of("partwise_http_problems_total", A, type="busy"): counter((20, 2), (20, 0)),
            of(REQUESTS, A, **EVENTS, status="2xx"): counter((20, 98), (20, 100)),
            of(REQUESTS, A, **EVENTS, status="5xx"): counter((20, 2), (20, 0)),
        },
        quiet=[5, 30],
        fires={12: [Fired("2% of the requests with events were told to come again later.")]},
    ),
    Case(
        "PartwiseIngestRefused",
        "nine in a thousand are refused",
        {
            of("partwise_http_problems_total", A, type="busy"): counter((40, 9)),
            of(REQUESTS, A, **EVENTS, status="2xx"): counter((40, 991)),
            of(REQUESTS, A, **EVENTS, status="5xx"): counter((40, 9)),
        },
        quiet=[6, 12, 30, 40],
    ),
    Case(
        "PartwiseIntakeNearlyFull",
        "two thirds are taken for ten minutes",
        {
            of("partwise_ingest_waiting_bytes", A): gauge((5, 0), (10, 48), (10, 0)),
            of("partwise_ingest_room_bytes", A): gauge((25, 64)),
        },
        quiet=[4, 9, 16],
        fires={11: [Fired("Events that wait to be written fill 75% of the room that a:9464 has for them.", A)]},
    ),
    Case(
        "PartwiseIntakeNearlyFull",
        "three fifths are taken",
        {
            of("partwise_ingest_waiting_bytes", A): gauge((25, 60)),
            of("partwise_ingest_room_bytes", A): gauge((25, 100)),
        },
        quiet=[4, 9, 11, 16, 24],
    ),
)

_ASSESSMENTS: Final = (
    Case(
        "PartwiseAssessmentsStale",
        "one has been due for twenty minutes",
        {of("partwise_due_seconds", W): gauge((5, 2), (10, 1200), (10, 2))},
        quiet=[4, 9, 16],
        fires={11: [Fired("The oldest client that is due has been so for 20m 0s.")]},
    ),
    Case(
        "PartwiseAssessmentsStale",
        "one has been due for fifteen",
        {of("partwise_due_seconds", W): gauge((25, 900))},
        quiet=[4, 9, 11, 24],
    ),
    Case(
        "PartwiseWorkerTaskStuck",
        "one task succeeds in no worker for half an hour, the others do",
        {
            of(SUCCESS, W, task="assess"): counter((10, 60), (30, 0), (1, 1860), (20, 60)),
            of(SUCCESS, W, task="erase"): counter((61, 60)),
        },
        quiet=[20, 29, 43],
        fires={31: [Fired("The task assess has not succeeded for 21m 0s in any worker.", {"task": "assess"})]},
    ),
    Case(
        "PartwiseWorkerTaskStuck",
        "it never has",
        {of(SUCCESS, W, task="portfolio"): gauge((30, 0))},
        quiet=[15, 20],
        fires={21: [Fired("The task portfolio has not succeeded for 21m 0s in any worker.", {"task": "portfolio"})]},
    ),
    Case(
        "PartwiseWorkerTaskStuck",
        "it is stuck in one worker, and another one goes on",
        {
            of(SUCCESS, W, task="assess"): counter((10, 60), (50, 0)),
            of(SUCCESS, {**W, "instance": "v:9464"}, task="assess"): counter((61, 60)),
        },
        quiet=[20, 31, 60],
    ),
    Case(
        "PartwiseWorkerTaskStuck",
        "it takes fifteen minutes each time",
        {of(SUCCESS, W, task="portfolio"): counter((15, 0), (45, 60))},
        quiet=[20, 31, 60],
    ),
    Case(
        "PartwiseAssessmentsFail",
        "three fail within half an hour",
        {of("partwise_failed_assessments_total", W): counter((10, 0), (3, 1), (60, 0))},
        quiet=[12, 44],
        fires={14: [Fired("Assessments failed 3 times within half an hour.")]},
    ),
    Case(
        "PartwiseAssessmentsFail",
        "two fail within half an hour",
        {of("partwise_failed_assessments_total", W): counter((10, 0), (2, 1), (60, 0), begin=40)},
        quiet=[12, 13, 30, 44],
    ),
    Case(
        "PartwiseErasuresUnfinished",
        "one is unfinished for longer than an hour",
        {of("partwise_unfinished_erasures", W): gauge((5, 0), (70, 1), (10, 0))},
        quiet=[4, 64, 76],
        fires={66: [Fired("1 erasures are not finished.")]},
    ),
    Case(
        "PartwiseErasuresUnfinished",
        "two take fifty minutes each",
        {of("partwise_unfinished_erasures", W): gauge((5, 0), (50, 1), (2, 0), (50, 1), (2, 0))},
        quiet=[54, 66, 100],
    ),
)

TRIES: Final = "partwise_webhook_attempts_total"
OVERDUE: Final = "partwise_webhook_overdue_seconds"
_WEBHOOKS: Final = (
    Case(
        "PartwiseWebhooksLate",
        "a receiver that is well waits for ten minutes",
        {of(OVERDUE, W, receiver="well"): gauge((5, 1), (12, 600), (10, 1))},
        quiet=[4, 9, 18],
        fires={12: [Fired("A receiver that is well has waited for 10m 0s for what is due.")]},
    ),
    Case(
        "PartwiseWebhooksLate",
        "one that is away waits for an hour",
        {of(OVERDUE, W, receiver="troubled"): gauge((40, 3600)), of(OVERDUE, W, receiver="well"): gauge((40, 2))},
        quiet=[10, 39],
    ),
    Case(
        "PartwiseWebhooksFail",
        "nothing gets out any more",
        {
            of(TRIES, W, outcome="delivered"): counter((20, 60), (25, 0), (30, 60)),
            of(TRIES, W, outcome="connect"): counter((20, 0), (25, 60), (30, 0)),
        },
        quiet=[10, 25, 70],
        fires={44: [Fired("Only 0% of the tries of a quarter of an hour were taken.")]},
    ),
    Case(
        "PartwiseWebhooksFail",
        "the one webhook is away, and tried now and then",
        {of(TRIES, W, outcome="connect"): counter((45, 2)), of(TRIES, W, outcome="delivered"): counter((45, 0))},
        quiet=[20, 44],
    ),
    Case(
        "PartwiseWebhookDisabled",
        "one is disabled",
        {of("partwise_webhooks_disabled_total", W, reason="failed"): counter((10, 0), (1, 1), (80, 0))},
        quiet=[9, 85],
        fires={15: [Fired("1 webhooks were disabled within an hour (failed).", {"reason": "failed"})]},
    ),
    Case(
        "PartwiseWebhookDisabled",
        "one was disabled long ago",
        {of("partwise_webhooks_disabled_total", W, reason="gone"): counter((80, 0))},
        quiet=[10, 70],
    ),
)

SYMPTOM_CASES: Final = (*_PROCESSES, *_DATABASE, *_REQUESTS, *_INGEST, *_ASSESSMENTS, *_WEBHOOKS)
