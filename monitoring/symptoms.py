"""Alerts on single things that need somebody: each has an action, in its section of docs/operations.md."""

from typing import Final

from monitoring.alert import Alert, Severity, number
from monitoring.slos import API
from monitoring.surroundings import HOUR, MINUTE, SERVER, WORKER, Surroundings

__all__ = ["LAG_SECONDS", "WAIT_SECONDS", "symptoms"]

WAIT_SECONDS: Final = 0.5
"""Who waits longer than this for a connection of a pool waits too long."""
LAG_SECONDS: Final = 0.5
"""An event loop that comes back later than this was blocked."""
_OURS: Final = f'job=~"{SERVER}|{WORKER}"'
_INGEST: Final = {"job": SERVER, "method": "POST", "route": "/v1/events"}


def symptoms(at: Surroundings) -> list[Alert]:
    """All of them, the most urgent first."""
    return [*_processes(at), *_database(at), *_requests(at), *_ingest(at), *_assessments(at), *_webhooks(at)]


def _processes(at: Surroundings) -> list[Alert]:
    servers, workers = (at.series("up", job=job) for job in (SERVER, WORKER))
    starts = at.series("process_start_time_seconds", _OURS)
    lag = "partwise_event_loop_lag_seconds"
    late = at.series(f"{lag}_bucket", _OURS, le=str(LAG_SECONDS))
    five = at.window(5 * MINUTE)
    looks = f"sum by (job, instance) (rate({at.series(f'{lag}_count', _OURS)}[{five}]))"
    return [
        Alert(
            "PartwiseNoServer",
            Severity.PAGE,
            f"(sum({servers}) or vector(0)) == 0",
            "No server answers",
            "Prometheus reaches no server at all: nobody is served.",
            lasts=MINUTE,
        ),
        Alert(
            "PartwiseNoWorker",
            Severity.PAGE,
            f"(sum({workers}) or vector(0)) == 0",
            "No worker runs",
            "Prometheus reaches no worker at all: assessments grow old, and erasures are not finished.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseTargetDown",
            Severity.TICKET,
            f"{at.series('up', _OURS)} == 0",
            "A process does not answer Prometheus",
            "{{ $labels.instance }} of {{ $labels.job }} cannot be scraped.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseRestarts",
            Severity.TICKET,
            f"sum by (job, instance) (changes({starts}[{at.window(HOUR)}])) > 2",
            "A process starts again and again",
            "{{ $labels.instance }} of {{ $labels.job }} has started {{ $value }} times within an hour.",
        ),
        Alert(
            "PartwiseDrainsWithoutEnd",
            Severity.TICKET,
            f"{at.series('partwise_ready', _OURS)} == 0",
            "A process was told to end and does not",
            "{{ $labels.instance }} of {{ $labels.job }} takes no requests any more, and is still there.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseEventLoopBlocked",
            Severity.TICKET,
            f"1 - sum by (job, instance) (rate({late}[{five}])) / {looks} > 0.05",
            "An event loop is blocked again and again",
            "{{ $labels.instance }} of {{ $labels.job }} came back more than half a second late in "
            "{{ $value | humanizePercentage }} of the looks of five minutes: all its requests wait that long.",
            lasts=5 * MINUTE,
        ),
    ]


def _database(at: Surroundings) -> list[Alert]:
    waits = "partwise_database_pool_wait_seconds"
    quick = at.series(f"{waits}_bucket", _OURS, le=str(WAIT_SECONDS))
    five = at.window(5 * MINUTE)
    all_waits = f"sum by (job, pool) (rate({at.series(f'{waits}_count', _OURS)}[{five}]))"
    return [
        Alert(
            "PartwiseDatabaseAway",
            Severity.PAGE,
            f"count by (job) ({at.series('partwise_database_up', _OURS)} == 0)",
            "The database cannot be reached",
            "{{ $value }} of the processes of {{ $labels.job }} do not reach Postgres.",
            lasts=MINUTE,
        ),
        Alert(
            "PartwisePoolExhausted",
            Severity.TICKET,
            f"1 - sum by (job, pool) (rate({quick}[{five}])) / {all_waits} > 0.05",
            "Connections to the database are too few",
            "{{ $value | humanizePercentage }} of those that needed a connection of the pool {{ $labels.pool }} of "
            "{{ $labels.job }} waited more than half a second for it.",
            lasts=5 * MINUTE,
        ),
    ]


def _requests(at: Surroundings) -> list[Alert]:
    two, quarter = at.window(2 * MINUTE), at.window(15 * MINUTE)
    counted = "partwise_http_requests_total"
    failed = f"sum(rate({at.series(counted, API, job=SERVER, status='5xx')}[{two}]))"
    asked = f"sum(rate({at.series(counted, API, job=SERVER)}[{two}]))"
    many = f"sum(increase({at.series(counted, API, job=SERVER, status='5xx')}[{two}])) > 10"
    internal = at.series("partwise_http_problems_total", job=SERVER, type="internal-error")
    return [
        Alert(
            "PartwiseErrorBurst",
            Severity.PAGE,
            f"{failed} / {asked} > 0.2\nand\n{many}",
            "Many requests fail",
            "{{ $value | humanizePercentage }} of the requests of two minutes were answered by 5xx.",
            lasts=MINUTE,
        ),
        Alert(
            "PartwiseInternalErrors",
            Severity.TICKET,
            f"sum(increase({internal}[{quarter}])) > 0",
            "Requests end in errors that nobody has foreseen",
            '{{ $value | printf "%.0f" }} requests were answered by 500 within a quarter of an hour.',
        ),
    ]


def _ingest(at: Surroundings) -> list[Alert]:
    five = at.window(5 * MINUTE)
    busy = at.series("partwise_http_problems_total", job=SERVER, type="busy")
    sent = at.series("partwise_http_requests_total", **_INGEST)
    waiting = at.series("partwise_ingest_waiting_bytes", job=SERVER)
    room = at.series("partwise_ingest_room_bytes", job=SERVER)
    return [
        Alert(
            "PartwiseIngestRefused",
            Severity.TICKET,
            f"sum(rate({busy}[{five}])) / sum(rate({sent}[{five}])) > 0.01",
            "Events are refused for want of room",
            "{{ $value | humanizePercentage }} of the requests with events were told to come again later.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseIntakeNearlyFull",
            Severity.TICKET,
            f"{waiting} / {room} > 0.6",
            "The room for events that wait is nearly full",
            "Events that wait to be written fill {{ $value | humanizePercentage }} of the room that "
            "{{ $labels.instance }} has for them.",
            lasts=5 * MINUTE,
        ),
    ]


def _assessments(at: Surroundings) -> list[Alert]:
    due = at.series("partwise_due_seconds", job=WORKER)
    failed = at.series("partwise_failed_assessments_total", _OURS)
    success = at.series("partwise_worker_last_success_timestamp_seconds", job=WORKER)
    erasures = at.series("partwise_unfinished_erasures", job=WORKER)
    return [
        Alert(
            "PartwiseAssessmentsStale",
            Severity.TICKET,
            f"max({due}) > {number(at.age(15 * MINUTE))}",
            "Clients wait long for their assessment",
            "The oldest client that is due has been so for {{ $value | humanizeDuration }}.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseWorkerTaskStuck",
            Severity.TICKET,
            f"time() - max by (task) ({success}) > {number(at.age(15 * MINUTE))}",
            "A task of the workers does not succeed",
            "The task {{ $labels.task }} has not succeeded for {{ $value | humanizeDuration }} in any worker.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseAssessmentsFail",
            Severity.TICKET,
            f"sum(increase({failed}[{at.window(HOUR / 2)}])) >= 3",
            "Clients cannot be assessed",
            'Assessments failed {{ $value | printf "%.0f" }} times within half an hour.',
        ),
        Alert(
            "PartwiseErasuresUnfinished",
            Severity.TICKET,
            f"max({erasures}) > 0",
            "Erased clients still have rows",
            "{{ $value }} erasures are not finished.",
            lasts=HOUR,
        ),
    ]


def _webhooks(at: Surroundings) -> list[Alert]:
    overdue = at.series("partwise_webhook_overdue_seconds", job=WORKER, receiver="well")
    disabled = at.series("partwise_webhooks_disabled_total", job=WORKER)
    tries = "partwise_webhook_attempts_total"
    quarter = at.window(HOUR / 4)
    asked = f"sum(rate({at.series(tries, job=WORKER)}[{quarter}]))"
    taken = f"sum(rate({at.series(tries, job=WORKER, outcome='delivered')}[{quarter}]))"
    return [
        Alert(
            "PartwiseWebhooksLate",
            Severity.TICKET,
            f"max({overdue}) > {number(at.age(5 * MINUTE))}",
            "Webhooks are late",
            "A receiver that is well has waited for {{ $value | humanizeDuration }} for what is due.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseWebhooksFail",
            Severity.TICKET,
            # A receiver that is away alone is tried rarely: half of so many are not the fault of one.
            f"{taken} / {asked} < 0.5\nand\n{asked} > 0.2",
            "Most messages of webhooks are not taken",
            "Only {{ $value | humanizePercentage }} of the tries of a quarter of an hour were taken.",
            lasts=5 * MINUTE,
        ),
        Alert(
            "PartwiseWebhookDisabled",
            Severity.TICKET,
            f"sum by (reason) (increase({disabled}[{at.window(HOUR)}])) > 0",
            "A webhook was disabled",
            '{{ $value | printf "%.0f" }} webhooks were disabled within an hour ({{ $labels.reason }}).',
        ),
    ]
