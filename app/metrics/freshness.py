"""How fresh stored assessments are."""

from collections.abc import Sequence

from app.metrics.catalogue import (
    ASSESSED,
    ASSESSMENT_LAG,
    DUE_CLIENTS,
    DUE_SECONDS,
    EVALUATIONS,
    FAILED,
    FIRST,
    VERDICT_CHANGES,
    Process,
)
from app.metrics.meters import Meters
from app.ports.assessments import Backlog, VerdictChange
from app.use_cases.purposes import Purpose

__all__ = ["FreshnessMetrics"]


class FreshnessMetrics:
    """Counts; keeps the promises of `app.use_cases.reassess.Progress` and of `app.use_cases.purposes.Evaluations`."""

    def __init__(self, meters: Meters, process: Process) -> None:
        """Count in these; what is due is asked by workers alone."""
        self._meters = meters
        self._assessed = meters.counter(ASSESSED)
        self._failed = meters.counter(FAILED)
        self._lag = meters.histogram(ASSESSMENT_LAG)
        self._evaluations = meters.counters(EVALUATIONS)
        self._is_worker = process is Process.WORKER

    def assessed(self, clients: int, changes: Sequence[VerdictChange], waited: Sequence[float]) -> None:
        """Count clients, verdicts and how long events waited; see the protocol."""
        self._assessed.inc(clients)
        for change in changes:
            self._meters.labelled(VERDICT_CHANGES, change.before or FIRST, change.after).inc()
        for seconds in waited:
            self._lag.observe(max(0.0, seconds))

    def failed(self, clients: int) -> None:
        """Count failures; see the protocol."""
        self._failed.inc(clients)

    def waiting(self, backlog: Backlog) -> None:
        """Show what is due; see the protocol."""
        if self._is_worker:
            self._meters.gauge(DUE_CLIENTS).set(backlog.clients)
            self._meters.gauge(DUE_SECONDS).set(backlog.seconds)

    def evaluated(self, purpose: Purpose, clients: int) -> None:
        """Count evaluations; see the protocol."""
        self._evaluations[purpose].inc(clients)
