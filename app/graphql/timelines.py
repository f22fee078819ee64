"""Timelines: what each event did to the score, page by page."""

from datetime import datetime
from typing import Self

import strawberry

from app.core.events import EventRef, Mark
from app.core.timeline import Effect, Place
from app.core.verdict import Verdict
from app.graphql.connections import PageInfo, cursor_parts, info_of, page_size
from app.graphql.context import Context, Info, Seen
from app.graphql.errors import coded
from app.graphql.events import Event
from app.graphql.fields import answered, described
from app.graphql.scores import Moved
from app.wire.cursors import Places
from app.wire.moments import read_instant

__all__ = ["TimelineConnection", "timeline_page"]


@strawberry.type(description="One event, and what it did to the score when it happened.")
class TimelineEffect:
    """One event's effect."""

    event_id: str = described("Its id at its source.")
    source: str = described("The system that sent it.")
    type: str = described("What happened.")
    time: datetime = described("When.")
    score: float = described("The score right after it.")
    verdict: Verdict = described("The verdict right after it.")
    change: float = described("By how much it moved the score.")
    moved: list[Moved] = described("The signs that it moved.")
    ref: strawberry.Private[EventRef]

    @answered("The event itself.")
    async def event(self, info: Info) -> Event | None:
        """The event itself."""
        found = await info.context.events.load(self.ref)
        return None if found is None else Event.of(found)

    @classmethod
    def of(cls, found: Effect) -> Self:
        """Make it from an effect."""
        return cls(
            event_id=found.event.id,
            source=found.event.source,
            type=found.event.type,
            time=found.event.time,
            score=found.after.score,
            verdict=found.after.verdict,
            change=found.moved.score,
            moved=[Moved.of(one) for one in found.moved.moved],
            ref=found.event.ref,
        )


@strawberry.type(description="An effect in a list.")
class TimelineEdge:
    """An effect in a list."""

    cursor: str = described("Its place, for `after`.")
    node: TimelineEffect = described("The effect.")


@strawberry.type(description="What each event did to the score, the newest first.")
class TimelineConnection:
    """A timeline."""

    edges: list[TimelineEdge] = described("The effects of the page.")
    page_info: PageInfo = described("Where the page lies in the list.")


async def timeline_page(context: Context, seen: Seen, first: int | None, after: str | None) -> TimelineConnection:
    """A page of one client's timeline."""
    size, _ = page_size(first, None)
    viewpoint, client_id = seen
    places = await context.places("timeline", client_id, seen=viewpoint)
    place = _place(places, after)
    found, further = await context.timelines.load((seen, place, max(size, 1)))
    edges = [TimelineEdge(cursor=_cursor(places, one.event.mark), node=TimelineEffect.of(one)) for one in found[:size]]
    more = further is not None or len(found) > size
    return TimelineConnection(edges=edges, page_info=info_of([edge.cursor for edge in edges], place is not None, more))


def _cursor(places: Places, place: Place) -> str:
    return places.encode(place.at.isoformat(), place.ref.source, place.ref.id)


def _place(places: Places, cursor: str | None) -> Place | None:
    parts = cursor_parts(places, cursor, "after", 3)
    if parts is None:
        return None
    try:
        return Mark(read_instant(parts[0]), EventRef(parts[1], parts[2]))
    except ValueError:
        raise coded("expected a cursor of this list", "BAD_USER_INPUT", argument="after") from None
