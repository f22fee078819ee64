"""The timeline: what each event did to the score when it happened."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime

from app.core.assessment import Assessment, assess
from app.core.course import Recollection
from app.core.difference import Difference, difference_between
from app.core.events import Event, Mark
from app.core.facts import Chronicle
from app.core.history import Told, history_of
from app.core.policy import Policy
from app.core.portfolio import Portfolio

__all__ = ["Effect", "Place", "timeline_of"]

Place = Mark
"""An event's place in the order of a timeline."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One event, how the relationship stood right after it, and what it had moved.

    What an event does in time, such as an invoice that falls due, is not its effect here: only what changed at once.
    """

    event: Event
    after: Assessment
    moved: Difference


def timeline_of(  # noqa: PLR0917 - a viewpoint and a page
    told: Told,
    policy: Policy,
    portfolio: Portfolio,
    as_of: datetime,
    known_at: datetime | None = None,
    before: Place | None = None,
    limit: int = 50,
) -> tuple[list[Effect], Place | None]:
    """Some events, the newest first.

    Args:
        told: one client's history; its last part is the one that has the events, others reach the days before.
        policy: the tenant's settings.
        portfolio: the same for all events.
        as_of: what happened later is left out.
        known_at: what was told later is left out; None for all that is known.
        before: only events before this place.
        limit: at most so many events.

    Returns:
        The effects, and the place before which to go on; None where there is nothing more.
    """
    part = history_of(told).segments[-1]
    chronicle = Chronicle(part.events, policy, known_at, part.base)
    stop = bisect_right(chronicle.events, as_of, key=lambda event: event.time)
    if before is not None:
        stop = min(stop, bisect_left(chronicle.events, before, key=lambda event: event.mark))
    start = max(stop - limit, 0)
    recollection = Recollection(told, policy, portfolio, known_at)
    found = []
    for count in range(start, stop):
        event = chronicle.events[count]
        lately = recollection.before(event.time)
        held = assess(chronicle.facts_after(count, event.time), policy, portfolio, lately)
        after = assess(chronicle.facts_after(count + 1, event.time), policy, portfolio, lately)
        found.append(Effect(event, after, difference_between(held, after)))
    more = start > 0 or (part.base is not None and part.base.state.last is not None)
    return found[::-1], chronicle.events[start].mark if more and found else None
