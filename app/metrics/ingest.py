"""What comes in: events by outcome, their batches and their age, and what waits to be written."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from app.metrics.catalogue import INGEST_AGE, INGEST_BATCH, INGEST_EVENTS, INGEST_ROOM, INGEST_WAITING
from app.metrics.meters import Meters
from app.ports.clock import Clock
from app.ports.ledger import NewEvent, Outcome

__all__ = ["IngestMetrics"]


class IngestMetrics:
    """Counts events; keeps the promise of `app.use_cases.record_events.Ingest`."""

    def __init__(self, meters: Meters, clock: Clock) -> None:
        """Count in these, by a clock."""
        self._meters = meters
        self._clock = clock
        self._events = meters.counters(INGEST_EVENTS)
        self._batch = meters.histogram(INGEST_BATCH)
        self._age = meters.many_at_once(INGEST_AGE)

    def waits(self, held: Callable[[], int], most: int) -> None:
        """Tell by this how many bytes wait; at most there may be so many."""
        self._meters.gauge(INGEST_WAITING).set_function(held)
        self._meters.gauge(INGEST_ROOM).set(most)

    def recorded(self, outcomes: Mapping[Outcome, int], accepted: Sequence[NewEvent]) -> None:
        """Count those that were recorded together."""
        for outcome, count in outcomes.items():
            self._events[outcome].inc(count)
        self._batch.observe(sum(outcomes.values()))
        now: datetime = self._clock.now()
        # What is told ahead of its time has no age yet.
        self._age.observe([max(0.0, (now - one.time).total_seconds()) for one in accepted])
