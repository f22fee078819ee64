"""Record events: each is answered on its own, once what was accepted is durable."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.ports.ledger import Ledger, NewEvent, Outcome
from app.ports.tracing import OFF, Tracing
from app.use_cases.unheard import UNHEARD

__all__ = ["Answer", "Ingest", "RecordEvents", "Refused"]

_ERASED = (("/subject", "this client was erased"),)


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that cannot be taken: what could be read of its name, and what is wrong by JSON pointer."""

    faults: tuple[tuple[str, str], ...]
    id: str | None = None
    source: str | None = None


@dataclass(slots=True)
class Answer:
    """What became of one event, at its place in what was sent; not frozen, as that makes each twice as dear."""

    index: int
    outcome: Outcome
    id: str | None
    source: str | None
    faults: tuple[tuple[str, str], ...] = ()


class Ingest(Protocol):
    """Is told what became of events, for metrics."""

    def recorded(self, outcomes: Mapping[Outcome, int], accepted: Sequence[NewEvent]) -> None:
        """So many that were sent together had each outcome, and these were accepted."""
        ...


class RecordEvents:
    """Takes events in, in the order in which they were sent."""

    def __init__(self, ledger: Ledger, ingest: Ingest = UNHEARD, tracing: Tracing = OFF) -> None:
        """Write to a ledger, and tell what became of it."""
        self._ledger = ledger
        self._ingest = ingest
        self._tracing = tracing

    async def __call__(
        self, tenant_id: str, sent: Sequence[NewEvent | Refused], *, atomic: bool = False, first: int = 0
    ) -> list[Answer]:
        """Record events in one transaction.

        Args:
            tenant_id: whose events they are.
            sent: the events, and those that could not be read.
            atomic: store all or none.
            first: the index of the first one.

        Returns:
            One answer an event, in their order.

        Raises:
            StoreUnavailableError: nothing was stored, or it is not known; sending it again is safe.
        """
        fit = [one for one in sent if isinstance(one, NewEvent)]
        if atomic and len(fit) < len(sent):
            outcomes = [Outcome.ABORTED] * len(fit)
        else:
            with self._tracing.span("record events", {"events": len(fit)}):
                outcomes = await self._ledger.append(tenant_id, fit, atomic=atomic)
        if len(fit) == len(sent) and outcomes.count(Outcome.ACCEPTED) == len(fit):
            # As it nearly always is, and what is done for every event adds up.
            self._ingest.recorded({Outcome.ACCEPTED: len(fit)}, fit)
            return [Answer(index, Outcome.ACCEPTED, one.id, one.source) for index, one in enumerate(fit, first)]
        self._tell(outcomes, fit, len(sent) - len(fit))
        left = iter(outcomes)
        return [
            _answer(index, next(left), one)
            if isinstance(one, NewEvent)
            else Answer(index, Outcome.INVALID, one.id, one.source, one.faults)
            for index, one in enumerate(sent, first)
        ]

    def _tell(self, outcomes: Sequence[Outcome], fit: Sequence[NewEvent], unfit: int) -> None:
        counts = Counter(outcomes)
        counts[Outcome.INVALID] += unfit
        accepted = [one for one, outcome in zip(fit, outcomes, strict=True) if outcome is Outcome.ACCEPTED]
        self._ingest.recorded(counts, accepted)


def _answer(index: int, outcome: Outcome, event: NewEvent) -> Answer:
    return Answer(index, outcome, event.id, event.source, _ERASED if outcome is Outcome.INVALID else ())
