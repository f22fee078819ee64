"""What the events say of talks: about the rate, and about what has to change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.core.events import Event
from app.core.events import rate as told
from app.core.events.relationship import ExpectationStated
from app.core.facts.marks import Mark

__all__ = ["Talks", "talks_of"]


@dataclass(frozen=True, slots=True)
class Talks:
    """Talks with one client, each kind by time.

    Attributes:
        rate_proposed: a new rate was proposed.
        rate_accepted: the client agreed to one.
        rate_refused: the client refused one, or to talk about it.
        expectations: by sign, when the client was told what has to change.
    """

    rate_proposed: tuple[Mark, ...]
    rate_accepted: tuple[Mark, ...]
    rate_refused: tuple[Mark, ...]
    expectations: Mapping[str, tuple[Mark, ...]]


def talks_of(events: Iterable[Event]) -> Talks:
    """Put together the talks.

    Args:
        events: one client's events, oldest first; those of other subjects are passed over.
    """
    proposed: list[Mark] = []
    accepted: list[Mark] = []
    refused: list[Mark] = []
    expectations: dict[str, list[Mark]] = {}
    for event in events:
        mark = Mark(event.time, event.ref)
        match event.data:
            case told.RateProposed():
                proposed.append(mark)
            case told.RateAccepted():
                accepted.append(mark)
            case told.RateRefused():
                refused.append(mark)
            case ExpectationStated(sign=sign):
                expectations.setdefault(sign, []).append(mark)
            case _:
                pass
    stated = MappingProxyType({sign: tuple(marks) for sign, marks in expectations.items()})
    return Talks(tuple(proposed), tuple(accepted), tuple(refused), stated)
