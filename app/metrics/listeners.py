"""All that listens in one process, put together; where nothing is counted, nobody does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.metrics.asking import AskingMetrics
from app.metrics.catalogue import Process
from app.metrics.database import DatabaseMetrics
from app.metrics.freshness import FreshnessMetrics
from app.metrics.graphql import GraphQLMetrics
from app.metrics.http import HttpMetrics
from app.metrics.ingest import IngestMetrics
from app.metrics.meters import Meters
from app.metrics.process import ProcessMetrics
from app.metrics.webhooks import WebhookMetrics
from app.metrics.worker import WorkerMetrics
from app.ports.clock import Clock

__all__ = ["Metrics", "ServerMetrics", "server_metrics", "worker_metrics"]


@dataclass(frozen=True, slots=True)
class Metrics:
    """What both kinds of process count."""

    meters: Meters
    database: DatabaseMetrics
    freshness: FreshnessMetrics
    process: ProcessMetrics
    worker: WorkerMetrics | None = None
    webhooks: WebhookMetrics | None = None
    server: "ServerMetrics | None" = None


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """What a server counts beside."""

    asking: AskingMetrics
    ingest: IngestMetrics
    graphql: GraphQLMetrics
    http: Callable[[Iterable[tuple[str, str]]], HttpMetrics]
    """Made once it is known which operations there are."""


def server_metrics(
    commit: str, is_ending: Callable[[], bool], clock: Clock, settled: Mapping[str, Sequence[str]]
) -> Metrics:
    """Those of a server; `settled` has the values of labels that tables of outer rooms hold."""
    meters = Meters(Process.SERVER, settled)
    return Metrics(
        meters,
        DatabaseMetrics(meters),
        FreshnessMetrics(meters, Process.SERVER),
        ProcessMetrics(meters, commit, is_ending),
        server=ServerMetrics(
            AskingMetrics(meters),
            IngestMetrics(meters, clock),
            GraphQLMetrics(meters),
            lambda operations: HttpMetrics(meters, operations),
        ),
    )


def worker_metrics(commit: str, is_ending: Callable[[], bool]) -> Metrics:
    """Those of a worker."""
    meters = Meters(Process.WORKER)
    return Metrics(
        meters,
        DatabaseMetrics(meters),
        FreshnessMetrics(meters, Process.WORKER),
        ProcessMetrics(meters, commit, is_ending),
        worker=WorkerMetrics(meters),
        webhooks=WebhookMetrics(meters),
    )
