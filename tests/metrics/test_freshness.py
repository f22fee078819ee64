"""Freshness as Prometheus reads it."""

from prometheus_client import CollectorRegistry, generate_latest

from app.metrics.freshness import CountedProgress
from app.ports.assessments import Backlog


def test_what_is_told_is_shown():
    registry = CollectorRegistry()
    progress = CountedProgress(registry)
    progress.assessed(3, 1)
    progress.assessed(2, 0)
    progress.failed(1)
    progress.waiting(Backlog(7, 2.5))
    shown = generate_latest(registry).decode().splitlines()
    for line in (
        "partwise_assessed_clients_total 5.0",
        "partwise_changed_verdicts_total 1.0",
        "partwise_failed_assessments_total 1.0",
        "partwise_due_clients 7.0",
        "partwise_due_seconds 2.5",
    ):
        assert line in shown
