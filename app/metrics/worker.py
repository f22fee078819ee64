"""What the worker's tasks come to."""

import time

from app.metrics.catalogue import ERASURES, WORKER_RUNS, WORKER_SUCCESS
from app.metrics.meters import Meters

__all__ = ["WorkerMetrics"]


class WorkerMetrics:
    """Counts rounds of tasks."""

    def __init__(self, meters: Meters) -> None:
        """Count in these."""
        self._meters = meters
        self._success = meters.gauges(WORKER_SUCCESS)
        self._erasures = meters.gauge(ERASURES)

    def ran(self, task: str, outcome: str) -> None:
        """Count a round of a task: `done`, `idle`, `unavailable` or `failed`."""
        self._meters.labelled(WORKER_RUNS, task, outcome).inc()
        if outcome in ("done", "idle"):
            self._success[task].set(time.time())

    def unfinished(self, erasures: int) -> None:
        """Show how many erasures are not finished."""
        self._erasures.set(erasures)
