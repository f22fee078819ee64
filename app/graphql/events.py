"""Events: what was recorded, page by page."""

from datetime import datetime
from typing import Any, Self

import strawberry

from app.graphql.connections import PageInfo, cursor_parts, info_of, page_size
from app.graphql.context import Info
from app.graphql.errors import coded
from app.graphql.fields import answered, described
from app.graphql.nodes import Node, global_id
from app.graphql.scalars import JSON, Moment, decode_json
from app.ports.ledger import EventFilter, EventKey, StoredEvent
from app.wire.fields import is_name
from app.wire.moments import read_instant

__all__ = ["Event", "EventConnection", "EventTypeInfo", "EventWanted", "event_types", "events_page"]


@strawberry.type(description="One thing that happened, as it was recorded: a CloudEvent.")
class Event(Node):
    """One recorded event."""

    event_id: str = described("Its id at its source (CloudEvents `id`).")
    source: str = described("The system that sent it (CloudEvents `source`).")
    type: str = described("What happened, such as `invoice.paid`.")
    client_id: str = described("The client (CloudEvents `subject`).")
    time: datetime = described("When it happened.")
    recorded_at: datetime = described("When we were told.")
    raw: strawberry.Private[str]

    @answered("What the type carries.")
    def data(self) -> JSON:
        """What the type carries."""
        found: Any = decode_json(self.raw)
        return JSON(found)

    @classmethod
    def of(cls, event: StoredEvent) -> Self:
        """Make it from a stored event."""
        return cls(
            id=global_id("Event", event.source, event.id),
            event_id=event.id,
            source=event.source,
            type=event.type,
            client_id=event.client_id,
            time=event.time,
            recorded_at=event.recorded_at,
            raw=event.data,
        )


@strawberry.type(description="An event in a list.")
class EventEdge:
    """An event in a list."""

    cursor: str = described("Its place, for `after`.")
    node: Event = described("The event.")


@strawberry.type(description="Events by time, the oldest first.")
class EventConnection:
    """Events by time."""

    edges: list[EventEdge] = described("The events of the page.")
    page_info: PageInfo = described("Where the page lies in the list.")


@strawberry.input(name="EventFilter", description="Which events: those that match every given field.")
class EventWanted:
    """Which events."""

    type: str | None = described("Exactly this type.", default=None)
    source: str | None = described("Exactly this source.", default=None)
    since: Moment | None = described("Not before this instant, or the end of this day.", default=None)
    until: Moment | None = described("Before this instant, or the end of this day.", default=None)


@strawberry.type(name="EventType", description="A type of event that is understood.")
class EventTypeInfo:
    """A type of event that is understood."""

    type: str = described("Its name.")
    summary: str = described("What it means.")
    schema: JSON = described("The JSON Schema of its data.")


async def events_page(  # noqa: PLR0917 - the parts of a page
    info: Info,
    client_id: str | None,
    wanted: EventWanted | None,
    first: int | None,
    after: str | None,
    as_of: Moment | None = None,
    known_at: Moment | None = None,
) -> EventConnection:
    """A page of events."""
    context = info.context
    size, _ = page_size(first, None)
    wanted = wanted or EventWanted()
    for name, text in (("type", wanted.type), ("source", wanted.source), ("clientId", client_id)):
        if text is not None and not is_name(text):
            raise coded("expected text without control characters", "BAD_USER_INPUT", argument=name)
    given = (wanted.since, wanted.until, as_of, known_at)
    times = [None if moment is None else (await context.viewpoint(moment, None)).as_of for moment in given]
    names = (client_id, wanted.type, wanted.source, *(moment and str(moment) for moment in given))
    # What is not asked for is told from what is empty.
    places = await context.places("events", *("" if name is None else f"={name}" for name in names))
    place = cursor_parts(places, after, "after", 3)
    key = None
    if place is not None:
        try:
            key = EventKey(read_instant(place[0]), place[1], place[2])
        except ValueError:
            raise coded("expected a cursor of this list", "BAD_USER_INPUT", argument="after") from None
    found, further = await context.services.find.page(
        context.tenant_id, EventFilter(client_id, wanted.type, wanted.source, *times), key, max(size, 1)
    )
    edges = [
        EventEdge(cursor=places.encode(one.time.isoformat(), one.source, one.id), node=Event.of(one))
        for one in found[:size]
    ]
    more = further is not None or len(found) > size
    return EventConnection(edges=edges, page_info=info_of([edge.cursor for edge in edges], place is not None, more))


def event_types(info: Info) -> list[EventTypeInfo]:
    """The catalogue."""
    decoder = info.context.services.decoder
    return [
        EventTypeInfo(type=name, summary=str(schema["description"]), schema=JSON(schema))
        for name, schema in decoder.schemas().items()
    ]
