"""Where to put down what a history comes to, so that reading it again need not begin at the first event."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from app.core.events import Event, EventRef, Mark
from app.core.events.relationship import EventVoided
from app.core.facts import Base, Change, Chronicle, Invoice, State
from app.core.facts.work import AGREEMENTS, terms_of
from app.core.policy import Policy

__all__ = ["EVERY", "REACHING_BACK", "Checkpoint", "Reach", "checkpoints_of", "reaches_of"]

EVERY: Final = 128
"""Events between two checkpoints at most, where states are small."""
REACHING_BACK: Final = (EventVoided, *AGREEMENTS)
"""What such events tell may change what came before them."""
NOWHERE: Final[Mapping[EventRef, datetime]] = MappingProxyType({})
_PROPORTION: Final = 8
"""A state that lists so many times as much as events have passed is not put down again yet: else what is kept of a
client grew with the square of what is open."""
_AT_NIGHT: Final = 48
"""Events after which the end of a local day is a good place: most instants that are looked back at are such ends."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a client's events up to one of them come to.

    Attributes:
        mark: the last event.
        after: the mark of the checkpoint before, or None for the beginning.
        events: how many events lie between the two, voided ones included.
        state: what they come to.
        invoices, changes: those that the state keeps only in sums, as far as they were put away since the one before.
    """

    mark: Mark
    after: Mark | None
    events: int
    state: State
    invoices: dict[str, Invoice]
    changes: dict[str, Change]


class Reach(NamedTuple):
    """An event that changes what came before it: there, from an instant on, a checkpoint would not serve."""

    since: datetime
    mark: Mark


def checkpoints_of(
    events: Sequence[Event], policy: Policy, base: Base | None = None, reaches: Iterable[Reach] = ()
) -> Iterator[Checkpoint]:
    """Checkpoints along some events, in order of time.

    Args:
        events: all of a client's events after the base up to the last of them, in any order.
        policy: the tenant's settings, which the checkpoints are for.
        base: what came before.
        reaches: what is known of further events that change what came before them.

    Raises:
        OutOfReachError: one of the events changes what lies before the base.
    """
    chronicle = Chronicle(events, policy, base=base)
    ordered = chronicle.events
    known = [*reaches, *reaches_of(ordered, policy)]
    after, place = base.state.last if base else None, 0
    put_away: tuple[dict[str, Invoice], dict[str, Change]] = ({}, {})
    if base:
        put_away = (dict(base.invoices), dict(base.changes))
    for count in _places(ordered, policy):
        mark = ordered[count - 1].mark
        if any(reach.since <= mark.at and mark < reach.mark for reach in known):
            continue
        chronicle.advance(count)
        if (count - place) * _PROPORTION < chronicle.state().listed:
            continue
        invoices, changes = chronicle.closed
        yield Checkpoint(
            mark=mark,
            after=after,
            events=count - place,
            state=chronicle.state().copy(),
            invoices={name: one for name, one in invoices.items() if put_away[0].get(name) is not one},
            changes={name: one for name, one in changes.items() if put_away[1].get(name) is not one},
        )
        after, place, put_away = mark, count, (dict(invoices), dict(changes))
    # Whatever is out of reach is to be noticed now.
    chronicle.advance(len(ordered))


def _places(ordered: Sequence[Event], policy: Policy) -> Iterator[int]:
    """After how many events there is a good place."""
    last, days = 0, policy.calendar.day_of
    day: date | None = None
    for count in range(1, len(ordered) + 1):
        passed = count - last
        if passed >= EVERY:
            last = count
            yield count
        elif passed >= _AT_NIGHT and count < len(ordered):
            day = day if passed > _AT_NIGHT and day else days(ordered[count - 1].time)
            following = days(ordered[count].time)
            if following > day:
                last = count
                yield count
            day = following


def reaches_of(ordered: Sequence[Event], policy: Policy, before: Mapping[EventRef, datetime] = NOWHERE) -> list[Reach]:
    """The events that change what came before them.

    Args:
        ordered: a client's events.
        policy: whose local days count.
        before: when those of their targets happened that are not among them.
    """
    found = []
    times = {**before, **{event.ref: event.time for event in ordered}}
    for event in ordered:
        data = event.data
        if isinstance(data, EventVoided):
            target = times.get(EventRef(data.source, data.id))
            if target is not None and target <= event.time:
                found.append(Reach(target, event.mark))
        elif isinstance(data, AGREEMENTS):
            calendar = policy.calendar
            starts = terms_of(event, calendar.day_of(event.time)).starts
            found.append(Reach(calendar.end_of(date.fromordinal(max(starts.toordinal() - 1, 1))), event.mark))
    return found
