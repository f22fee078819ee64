"""How the database does: pools, waits, transactions, errors."""

from collections.abc import Callable
from typing import Protocol

from app.metrics.catalogue import (
    DATABASE_CONNECTIONS,
    DATABASE_ERRORS,
    DATABASE_ROOM,
    DATABASE_SECONDS,
    DATABASE_UP,
    DATABASE_WAIT,
)
from app.metrics.meters import Meters
from app.ports.database import Failure, Pool, Transaction

__all__ = ["DatabaseMetrics"]


class _Usage(Protocol):
    @property
    def used(self) -> int: ...
    @property
    def idle(self) -> int: ...
    @property
    def most(self) -> int: ...


class DatabaseMetrics:
    """Counts; keeps the promise of `app.ports.database.DatabaseWatch`."""

    def __init__(self, meters: Meters) -> None:
        """Count in these."""
        self._meters = meters
        self._up = meters.gauge(DATABASE_UP)
        self._errors = meters.counters(DATABASE_ERRORS)
        self._waits = meters.histograms(DATABASE_WAIT)
        self._seconds = meters.histograms(DATABASE_SECONDS)

    def pool(self, pool: Pool, usage: Callable[[], _Usage]) -> None:
        """Tell by this how many connections a pool has, whenever that is asked."""
        labelled = self._meters.labelled
        labelled(DATABASE_CONNECTIONS, pool, "used").set_function(lambda: usage().used)
        labelled(DATABASE_CONNECTIONS, pool, "idle").set_function(lambda: usage().idle)
        labelled(DATABASE_ROOM, pool).set(usage().most)

    def waited(self, pool: Pool, seconds: float) -> None:
        """Count a wait for a connection."""
        self._waits[pool].observe(seconds)

    def worked(self, transaction: Transaction, seconds: float) -> None:
        """Count a transaction."""
        self._seconds[transaction].observe(seconds, self._meters.sampled())

    def failed(self, failure: Failure) -> None:
        """Count a failure."""
        self._errors[failure].inc()

    def asked(self, is_up: bool) -> None:
        """Note whether it is there."""
        self._up.set(1 if is_up else 0)
