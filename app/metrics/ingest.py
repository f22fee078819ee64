"""What comes in: events by outcome, their batches and their age, and what waits to be written."""

from collections.abc import Callable, Mapping, Sequence

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
        self._age = meters.histogram(INGEST_AGE)

    def waits(self, held: Callable[[], int], most: int) -> None:
        """Tell by this how many bytes wait; at most there may be so many."""
        self._meters.gauge(INGEST_WAITING).set_function(held)
        self._meters.gauge(INGEST_ROOM).set(most)

    def recorded(self, outcomes: Mapping[Outcome, int], accepted: Sequence[NewEvent]) -> None:
        """Count those that were recorded together."""
        count = 0
        for outcome, number in outcomes.items():
            self._events[outcome].inc(number)
            count += number
        self._batch.observe(count)
        if accepted:
            self._note_ages(accepted)

    def _note_ages(self, events: Sequence[NewEvent]) -> None:
        """Note how old events are; most often all that come together are about as old, and each would cost too much."""
        now, count = self._clock.now().timestamp(), len(events)
        if count == 1:
            # What is told ahead of its time has no age yet.
            self._age.observe(max(0.0, now - events[0].time.timestamp()))
            return
        times = [one.time for one in events]
        youngest, oldest = now - max(times).timestamp(), now - min(times).timestamp()
        if youngest < 0 or not self._age.observe_alike(youngest, oldest, count):
            self._age.observe_each([max(0.0, now - one.timestamp()) for one in times])
