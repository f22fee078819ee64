"""Lists of clients: some of them, in an order, page by page."""

import asyncio
import json
from enum import Enum
from typing import Self

import strawberry

from app.core.verdict import Verdict
from app.graphql.clients import Client
from app.graphql.connections import PageInfo, cursor_parts, info_of, page_size
from app.graphql.context import Context, Info
from app.graphql.errors import coded
from app.graphql.fields import answered, described
from app.graphql.scores import SignName
from app.use_cases.list_clients import Order, Place, Wanted, Window
from app.use_cases.viewpoint import Viewpoint
from app.wire.cursors import Places
from app.wire.fields import is_name
from app.wire.moments import read_instant

__all__ = ["ClientConnection", "ClientOrder", "ClientWanted", "clients_page", "wanted_clients"]


@strawberry.input(name="ClientFilter", description="Which clients: those that match every given field.")
class ClientWanted:
    """Which clients."""

    verdict: list[Verdict] | None = described("Any of these verdicts.", default=None)
    client_type: list[str] | None = described("Any of these types, such as `slow_payer`.", default=None)
    sign: list[SignName] | None = described("Any of these signs weighs most.", default=None)
    text: str | None = described("A part of the name or of the id, in any case.", default=None)


strawberry.enum(Order, name="ClientOrderField", description="What clients are ordered by.")


@strawberry.enum(description="Which way.")
class OrderDirection(Enum):
    """Which way."""

    ASC = "asc"
    DESC = "desc"


@strawberry.input(description="In which order: by default the highest score first.")
class ClientOrder:
    """In which order."""

    by: Order = described("By the score, the name (the id where there is none), or the score's change in 30 days.")
    direction: OrderDirection | None = described(
        "By default downwards for numbers and upwards for names.", default=None
    )


@strawberry.type(description="A client in a list.")
class ClientEdge:
    """A client in a list."""

    node: Client = described("The client.")
    places: strawberry.Private[Places]
    place: strawberry.Private[Place]
    seen_from: strawberry.Private[Viewpoint | None]

    @answered("Its place, for `after` and `before`.")
    def cursor(self) -> str:
        """Its place; made only where it is asked for, which costs more than all else of an edge."""
        return _cursor(self.places, self.seen_from, self.place)


@strawberry.type(description="Clients, page by page.")
class ClientConnection:
    """A page of clients."""

    edges: list[ClientEdge] = described("The clients of the page.")
    stale: int = described(
        "How many clients may have another place because they are still to be assessed; counted up to 1,000."
    )
    viewpoint: strawberry.Private[Viewpoint | None]
    wanted: strawberry.Private[Wanted]
    places: strawberry.Private[Places]
    more_before: strawberry.Private[bool]
    more_after: strawberry.Private[bool]

    @answered("Where the page lies in the list.")
    def page_info(self) -> PageInfo:
        """Where the page lies in the list."""
        ends = [_cursor(self.places, self.viewpoint, edge.place) for edge in (*self.edges[:1], *self.edges[-1:])]
        return info_of(ends, self.more_before, self.more_after)

    async def as_they_were(self, context: Context) -> Self:
        """The same with what was known of the clients from the viewpoint."""
        seen = [(edge.node.viewpoint, edge.node.client_id) for edge in self.edges]
        cases = await asyncio.gather(*map(context.case, seen))
        for edge, case in zip(self.edges, cases, strict=True):
            edge.node = edge.node.as_it_was(case)
        return self

    @answered("How many clients match in all.", weight=5)
    async def total_count(self, info: Info) -> int:
        """How many clients match in all."""
        context = info.context
        return await context.services.listing.count(context.tenant_id, self.viewpoint, self.wanted)


async def clients_page(  # noqa: PLR0917 - the parts of a page
    context: Context,
    viewpoint: Viewpoint | None,
    wanted: Wanted,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> ClientConnection:
    """A page of clients.

    Without a viewpoint it is how they stand now, by the newest stored assessments. From a viewpoint all are assessed; a
    cursor keeps to it, so that the list does not move under the reader.
    """
    size, backwards = page_size(first, last)
    places = await context.places("clients", _named(wanted), seen=viewpoint)
    ends = [_place(places, cursor, name, wanted) for cursor, name in ((after, "after"), (before, "before"))]
    for place in ends:
        if place is not None and wanted.needs_assessments:
            viewpoint = place[0]
    begin, end = (None if place is None else place[1] for place in ends)
    window = Window(max(size, 1), begin, end, backwards)
    part = await context.services.listing.window(context.tenant_id, viewpoint, wanted, window)
    found, more = ([], bool(part.items)) if size == 0 else (part.items, part.more)
    seen = viewpoint or await context.viewpoint(None, None)
    edges = [
        ClientEdge(
            node=Client.of(one.record, seen, one.assessment), places=places, place=one.place, seen_from=viewpoint
        )
        for one in found
    ]
    return ClientConnection(
        edges=edges,
        stale=part.stale,
        viewpoint=viewpoint,
        wanted=wanted,
        places=places,
        more_before=more if backwards else after is not None,
        more_after=before is not None if backwards else more,
    )


def wanted_clients(filter: ClientWanted | None, order: ClientOrder | None) -> Wanted:  # noqa: A002 - as in the API
    """What is asked for, as the use case takes it.

    Raises:
        GraphQLError: a text that no name can hold.
    """
    given, by = filter or ClientWanted(), order or ClientOrder(by=Order.SCORE)
    if given.text is not None and (not is_name(given.text) or len(given.text) > 200):
        raise coded(
            "expected text without control characters, of at most 200", "BAD_USER_INPUT", argument="filter.text"
        )
    usual = OrderDirection.ASC if by.by is Order.NAME else OrderDirection.DESC
    return Wanted(
        verdicts=frozenset(given.verdict or ()),
        client_types=frozenset(given.client_type or ()),
        signs=frozenset(str(one.value) for one in given.sign or ()),
        text=given.text,
        order=by.by,
        reverse=by.direction not in (None, usual),
    )


def _named(wanted: Wanted) -> str:
    """The list that is asked for: its cursors are no others'."""
    found = (sorted(wanted.verdicts), sorted(wanted.client_types), sorted(wanted.signs), wanted.text, wanted.reverse)
    return json.dumps([wanted.order, *found])


def _cursor(places: Places, viewpoint: Viewpoint | None, place: Place) -> str:
    value, client_id = place
    as_of = viewpoint.as_of.isoformat() if viewpoint else ""
    known_at = viewpoint.known_at.isoformat() if viewpoint and viewpoint.known_at else ""
    return places.encode(str(value), client_id, as_of, known_at)


def _place(places: Places, cursor: str | None, argument: str, wanted: Wanted) -> tuple[Viewpoint | None, Place] | None:
    parts = cursor_parts(places, cursor, argument, 4)
    if parts is None:
        return None
    value, client_id, as_of, known_at = parts
    try:
        viewpoint = Viewpoint(read_instant(as_of), read_instant(known_at) if known_at else None) if as_of else None
        return viewpoint, (value if wanted.order is Order.NAME else float(value), client_id)
    except ValueError:
        raise coded(
            "expected a cursor of this list, with the same arguments", "BAD_USER_INPUT", argument=argument
        ) from None
