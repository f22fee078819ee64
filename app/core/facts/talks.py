"""What the events say of talks: about the rate, and about what has to change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from app.core.events import Event, Mark
from app.core.events import rate as told
from app.core.events.relationship import ExpectationStated
from app.core.money import Money

__all__ = ["Proposal", "Talks", "TalksBook"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new rate an hour, proposed to the client."""

    rate: Money
    mark: Mark


@dataclass(frozen=True, slots=True)
class Talks:
    """Talks with one client, each kind by time.

    Attributes:
        rate_proposed: each new rate that was proposed.
        rate_accepted: the client agreed to one.
        rate_refused: the client refused one, or to talk about it.
        expectations: by sign, the first time that the client was told what has to change.
    """

    rate_proposed: tuple[Proposal, ...]
    rate_accepted: tuple[Mark, ...]
    rate_refused: tuple[Mark, ...]
    expectations: Mapping[str, Mark]


class TalksBook:
    """Keeps the talks."""

    kinds = (
        told.RateProposed,
        told.RateAccepted,
        told.RateRefused,
        ExpectationStated,
    )

    def __init__(self) -> None:
        """Nothing is known."""
        self._proposed: list[Proposal] = []
        self._accepted: list[Mark] = []
        self._refused: list[Mark] = []
        self._expectations: dict[str, Mark] = {}

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        mark = event.mark
        match event.data:
            case told.RateProposed(rate=rate, currency=currency):
                self._proposed.append(Proposal(Money(rate, currency), mark))
            case told.RateAccepted():
                self._accepted.append(mark)
            case told.RateRefused():
                self._refused.append(mark)
            case ExpectationStated(sign=sign):
                self._expectations.setdefault(sign, mark)
            case _:
                pass

    def read(self, agreed: Sequence[Mark] = ()) -> Talks:
        """The talks as they stand, had the client also agreed to a rate."""
        first = MappingProxyType(dict(self._expectations))
        accepted = sorted([*self._accepted, *agreed]) if agreed else self._accepted
        return Talks(tuple(self._proposed), tuple(accepted), tuple(self._refused), first)
