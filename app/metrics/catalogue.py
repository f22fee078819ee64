"""The table of all metrics for ops: what is exposed, under which names, with which labels.

The objects that count, docs/metrics.md, the rules and the dashboards come from it, or are held to it by tests. No value
of a label is one that a client or a tenant can make up: each label is closed, and all its values are there from the
start, at 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.core.verdict import Verdict
from app.ports.database import Failure, Pool, Transaction
from app.ports.ledger import Outcome
from app.ports.rates import Unit
from app.use_cases.authenticate import Attempt
from app.use_cases.purposes import Purpose

__all__ = ["METRICS", "Kind", "Label", "Metric", "Process", "metrics_of"]


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    """Only grows, until the process ends."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    """Has `_bucket`, `_sum` and `_count`."""
    INFO = "info"
    """Is always 1, and says something by its labels."""


class Process(StrEnum):
    """Which process counts it."""

    SERVER = "server"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Label:
    """One label.

    Attributes:
        name: of the label.
        values: all that it can have; none where they are settled when the process starts, from a table of the code.
        told: what they are, where that is not told by the values.
    """

    name: str
    values: tuple[str, ...] = ()
    told: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as it is exposed; a histogram's without `_bucket`, `_sum` and `_count`.
        kind: how it behaves.
        help: what it says, in one line.
        labels: by which it is told apart.
        buckets: the upper bounds of a histogram, without the infinite one.
        processes: which count it.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    processes: frozenset[Process] = frozenset(Process)

    @property
    def unit(self) -> str:
        """The unit, as OpenMetrics names it; none for what is only counted."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in ("seconds", "bytes") if stem.endswith(f"_{unit}")), "")


_SERVER: Final = frozenset({Process.SERVER})
_WORKER: Final = frozenset({Process.WORKER})

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other")
STATUSES: Final = ("2xx", "3xx", "4xx", "5xx")
UNMATCHED: Final = "unmatched"
OUTCOMES: Final = (
    "delivered",
    "3xx",
    "4xx",
    "5xx",
    "refused_address",
    "unresolved",
    "connect",
    "tls",
    "timeout",
    "closed",
    "malformed",
    "other",
)
"""What comes of a try of a delivery."""
FIRST: Final = "none"
"""The verdict of who had none before."""

_METHOD: Final = Label("method", METHODS)
_ROUTE: Final = Label(
    "route", told="the template of the path, as the OpenAPI document has it; `/graphql`; `unmatched` where nothing is"
)
_OPERATION: Final = Label("kind", ("query", "mutation", "subscription", "none"))
_TRANSPORT: Final = Label("transport", ("websocket", "sse"))
_POOL: Final = Label("pool", tuple(Pool))
_TASK: Final = Label("task", ("assess", "portfolio", "deliver", "erase", "forget", "look"))
_RECEIVER: Final = Label("receiver", ("well", "troubled"))

_REQUEST_SECONDS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_DATABASE_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAIT_SECONDS: Final = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_LOOP_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LAG_SECONDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
_DELIVERY_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86_400.0)
_AGE_SECONDS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0)
_BATCH_EVENTS: Final = (1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1000.0)

HTTP_REQUESTS: Final = Metric(
    "partwise_http_requests_total",
    Kind.COUNTER,
    "Requests that were answered.",
    (_METHOD, _ROUTE, Label("status", STATUSES)),
    processes=_SERVER,
)
HTTP_SECONDS: Final = Metric(
    "partwise_http_request_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds from the head of a request to the end of its answer; streams and waits for changes are left out.",
    (_METHOD, _ROUTE),
    _REQUEST_SECONDS,
    processes=_SERVER,
)
HTTP_IN_PROGRESS: Final = Metric(
    "partwise_http_requests_in_progress", Kind.GAUGE, "Requests that are being answered.", processes=_SERVER
)
HTTP_PROBLEMS: Final = Metric(
    "partwise_http_problems_total",
    Kind.COUNTER,
    "Problems that were answered, also to what was no request of HTTP yet.",
    (Label("type", told="the types of problem, as /problems lists them"),),
    processes=_SERVER,
)
GRAPHQL_OPERATIONS: Final = Metric(
    "partwise_graphql_operations_total",
    Kind.COUNTER,
    "Requests to /graphql: answered in full, in part, with nothing but errors, or refused before they were run.",
    (_OPERATION, Label("outcome", ("ok", "partial", "error", "refused"))),
    processes=_SERVER,
)
GRAPHQL_SECONDS: Final = Metric(
    "partwise_graphql_operation_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds of a request to /graphql, of a subscription until its first payload; of kind `none` are those that were "
    "refused before their kind was known.",
    (_OPERATION,),
    _REQUEST_SECONDS,
    processes=_SERVER,
)
SUBSCRIPTIONS: Final = Metric(
    "partwise_graphql_subscriptions",
    Kind.GAUGE,
    "GraphQL subscriptions that are open.",
    (_TRANSPORT,),
    processes=_SERVER,
)
SUBSCRIPTIONS_ENDED: Final = Metric(
    "partwise_graphql_subscriptions_ended_total",
    Kind.COUNTER,
    "GraphQL subscriptions that ended: their client wanted no more or has gone, they failed, their key ended, they "
    "took what came too slowly, the process was about to end, or the database was away for long.",
    (_TRANSPORT, Label("reason", ("done", "failed", "key", "slow", "shutdown", "unavailable"))),
    processes=_SERVER,
)
INGEST_EVENTS: Final = Metric(
    "partwise_ingest_events_total",
    Kind.COUNTER,
    "Events that were sent, by what became of them.",
    (Label("outcome", tuple(Outcome)),),
    processes=_SERVER,
)
INGEST_BATCH: Final = Metric(
    "partwise_ingest_batch_events",
    Kind.HISTOGRAM,
    "Events that were recorded together: one that was sent alone, a batch, a part of a stream.",
    buckets=_BATCH_EVENTS,
    processes=_SERVER,
)
INGEST_AGE: Final = Metric(
    "partwise_ingest_event_age_seconds",
    Kind.HISTOGRAM,
    "Seconds between an event's own time and when it was accepted.",
    buckets=_AGE_SECONDS,
    processes=_SERVER,
)
INGEST_WAITING: Final = Metric(
    "partwise_ingest_waiting_bytes",
    Kind.GAUGE,
    "Bytes of events in memory that wait to be written.",
    processes=_SERVER,
)
INGEST_ROOM: Final = Metric(
    "partwise_ingest_room_bytes",
    Kind.GAUGE,
    "Bytes of events that may wait at most; who sends more is told to come again.",
    processes=_SERVER,
)
RATE_LIMITED: Final = Metric(
    "partwise_rate_limited_total",
    Kind.COUNTER,
    "Times that a key was told that it had asked for too much.",
    (Label("unit", tuple(Unit)),),
    processes=_SERVER,
)
AUTHENTICATIONS: Final = Metric(
    "partwise_authentications_total",
    Kind.COUNTER,
    "Keys and tokens that were looked at: found good, refused, or not to be judged as the database or the issuer was "
    "away.",
    (Label("outcome", tuple(Attempt)),),
    processes=_SERVER,
)
DATABASE_UP: Final = Metric(
    "partwise_database_up", Kind.GAUGE, "Whether the database was there when it was last asked, every few seconds."
)
DATABASE_CONNECTIONS: Final = Metric(
    "partwise_database_pool_connections",
    Kind.GAUGE,
    "Connections that are open.",
    (_POOL, Label("state", ("used", "idle"))),
)
DATABASE_ROOM: Final = Metric(
    "partwise_database_pool_limit_connections", Kind.GAUGE, "Connections that may be open at most.", (_POOL,)
)
DATABASE_WAIT: Final = Metric(
    "partwise_database_pool_wait_seconds",
    Kind.HISTOGRAM,
    "Seconds that somebody waited for a connection.",
    (_POOL,),
    _WAIT_SECONDS,
)
DATABASE_SECONDS: Final = Metric(
    "partwise_database_transaction_duration_seconds",
    Kind.HISTOGRAM,
    "Seconds of a transaction, from its connection to its end.",
    (Label("operation", tuple(Transaction)),),
    _DATABASE_SECONDS,
)
DATABASE_ERRORS: Final = Metric(
    "partwise_database_errors_total",
    Kind.COUNTER,
    "Times that the database could not be reached, was too busy, or refused what it was asked.",
    (Label("kind", tuple(Failure)),),
)
EVALUATIONS: Final = Metric(
    "partwise_policy_evaluations_total",
    Kind.COUNTER,
    "Clients that were assessed by a policy, by what for.",
    (Label("purpose", tuple(Purpose)),),
)
ASSESSED: Final = Metric(
    "partwise_assessed_clients_total", Kind.COUNTER, "Clients whose assessment was made anew to be stored."
)
FAILED: Final = Metric(
    "partwise_failed_assessments_total", Kind.COUNTER, "Clients and portfolios that could not be assessed."
)
ASSESSMENT_LAG: Final = Metric(
    "partwise_assessment_lag_seconds",
    Kind.HISTOGRAM,
    "Seconds from when an event was recorded to when an assessment was stored that counts it; of several the first.",
    buckets=_LAG_SECONDS,
)
VERDICT_CHANGES: Final = Metric(
    "partwise_verdict_changes_total",
    Kind.COUNTER,
    "Stored verdicts that became others.",
    (Label("before", (FIRST, *Verdict)), Label("after", tuple(Verdict))),
)
DUE_CLIENTS: Final = Metric(
    "partwise_due_clients",
    Kind.GAUGE,
    "Clients whose stored assessment does not hold any more, counted up to 10,000.",
    processes=_WORKER,
)
DUE_SECONDS: Final = Metric(
    "partwise_due_seconds", Kind.GAUGE, "Seconds since the first of them became due.", processes=_WORKER
)
ERASURES: Final = Metric(
    "partwise_unfinished_erasures",
    Kind.GAUGE,
    "Erased clients of whom rows are still to be removed, counted up to 1,000.",
    processes=_WORKER,
)
WEBHOOKS: Final = Metric(
    "partwise_webhooks",
    Kind.GAUGE,
    "Webhooks: enabled with a receiver that is well, enabled with one that fails or is slow, or disabled.",
    (Label("state", ("enabled", "troubled", "disabled")),),
    processes=_WORKER,
)
WEBHOOKS_DISABLED: Final = Metric(
    "partwise_webhooks_disabled_total",
    Kind.COUNTER,
    "Webhooks that were disabled as their receiver wanted no more, or as the last try of a delivery failed.",
    (Label("reason", ("gone", "failed")),),
    processes=_WORKER,
)
WEBHOOK_WAITING: Final = Metric(
    "partwise_webhook_waiting_deliveries",
    Kind.GAUGE,
    "Deliveries that are pending, and changes that are still to be looked at for a webhook.",
    (_RECEIVER,),
    processes=_WORKER,
)
WEBHOOK_OVERDUE: Final = Metric(
    "partwise_webhook_overdue_seconds",
    Kind.GAUGE,
    "Seconds for which the oldest of them that is due has waited for its try.",
    (_RECEIVER,),
    processes=_WORKER,
)
WEBHOOK_ATTEMPTS: Final = Metric(
    "partwise_webhook_attempts_total",
    Kind.COUNTER,
    "Tries of deliveries, by what came of them: taken, another status, or no answer.",
    (Label("outcome", OUTCOMES),),
    processes=_WORKER,
)
WEBHOOK_LAG: Final = Metric(
    "partwise_webhook_delivery_lag_seconds",
    Kind.HISTOGRAM,
    "Seconds from when a change was stored to when a webhook's receiver had taken it.",
    buckets=_DELIVERY_SECONDS,
    processes=_WORKER,
)
WORKER_RUNS: Final = Metric(
    "partwise_worker_runs_total",
    Kind.COUNTER,
    "Rounds of the worker's tasks: something was done, nothing was due, the database was away, or it failed.",
    (_TASK, Label("outcome", ("done", "idle", "unavailable", "failed"))),
    processes=_WORKER,
)
WORKER_SUCCESS: Final = Metric(
    "partwise_worker_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When a task of the worker last ended a round without an error; 0 until it has.",
    (_TASK,),
    processes=_WORKER,
)
READY: Final = Metric(
    "partwise_ready", Kind.GAUGE, "Whether the process takes work: 1 from its start, 0 once it was told to end."
)
LOOP_LAG: Final = Metric(
    "partwise_event_loop_lag_seconds",
    Kind.HISTOGRAM,
    "Seconds that the event loop came late to what it was to do, looked at four times a second.",
    buckets=_LOOP_SECONDS,
)
BUILD: Final = Metric(
    "partwise_build_info",
    Kind.INFO,
    "What runs.",
    (
        Label("version", told="of Partwise"),
        Label("python", told="of Python"),
        Label("commit", told="PARTWISE_COMMIT, which the image has"),
    ),
)

_ALL: Final = (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    HTTP_IN_PROGRESS,
    HTTP_PROBLEMS,
    GRAPHQL_OPERATIONS,
    GRAPHQL_SECONDS,
    SUBSCRIPTIONS,
    SUBSCRIPTIONS_ENDED,
    INGEST_EVENTS,
    INGEST_BATCH,
    INGEST_AGE,
    INGEST_WAITING,
    INGEST_ROOM,
    RATE_LIMITED,
    AUTHENTICATIONS,
    DATABASE_UP,
    DATABASE_CONNECTIONS,
    DATABASE_ROOM,
    DATABASE_WAIT,
    DATABASE_SECONDS,
    DATABASE_ERRORS,
    EVALUATIONS,
    ASSESSED,
    FAILED,
    ASSESSMENT_LAG,
    VERDICT_CHANGES,
    DUE_CLIENTS,
    DUE_SECONDS,
    ERASURES,
    WEBHOOKS,
    WEBHOOKS_DISABLED,
    WEBHOOK_WAITING,
    WEBHOOK_OVERDUE,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_LAG,
    WORKER_RUNS,
    WORKER_SUCCESS,
    READY,
    LOOP_LAG,
    BUILD,
)

METRICS: Final[Mapping[str, Metric]] = MappingProxyType({one.name: one for one in _ALL})
"""All of them, by name."""


def metrics_of(process: Process) -> tuple[Metric, ...]:
    """Those that a process exposes, beside what the library tells of any: `process_…` and `python_…`."""
    return tuple(one for one in _ALL if process in one.processes)
