"""Clients: one, or a page of them, each with all that is to be asked about it."""

from datetime import date, datetime
from enum import Enum
from typing import Self

import strawberry

from app.core.assessment import Assessment
from app.core.course import Pace
from app.core.events import EventRef, Mark
from app.core.recourse import Options
from app.core.timeline import Effect, Place
from app.core.verdict import Verdict
from app.graphql.connections import PageInfo, cursor_parts, page_size
from app.graphql.context import Context, Info, Seen
from app.graphql.errors import coded
from app.graphql.events import Event, EventConnection, EventWanted, events_page
from app.graphql.explanations import ExplanationType, HistoryStep
from app.graphql.fields import answered, described
from app.graphql.nodes import Node, global_id
from app.graphql.scores import Moved, Score, SignName
from app.language import Language, Speaker, speaker
from app.ports.clients import ClientRecord
from app.use_cases.list_clients import Order, Wanted, Window
from app.use_cases.list_clients import Place as ListPlace
from app.use_cases.viewpoint import Viewpoint
from app.wire.cursors import encode_cursor
from app.wire.fields import is_name
from app.wire.moments import read_moment

__all__ = [
    "Client",
    "ClientConnection",
    "ClientOrder",
    "ClientWanted",
    "LanguageName",
    "client_named",
    "clients_page",
    "wanted_clients",
]

strawberry.enum(Pace, name="HistoryPace", description="How far apart the steps of a history are; weeks end on Sundays.")
_MOST_EFFECTS = 100


@strawberry.enum(description="The language of sentences and letters.")
class LanguageName(Enum):
    """The languages that there are."""

    EN = "en"
    RU = "ru"


@strawberry.type(description="One thing that the client could do today.")
class RecourseStep:
    """One step."""

    action: str = described("`sign_contract`, `approve_change`, `accept_rate` or `pay_invoice`.")
    subjects: list[str] = described("The contract, the change or the invoices.")
    score: float = described("The score after it and those before.")
    verdict: Verdict = described("The verdict after it and those before.")


@strawberry.type(description="A better verdict, and the fewest steps that lead to it.")
class BetterVerdict:
    """A better verdict."""

    verdict: Verdict = described("What it leads to.")
    steps: list[RecourseStep] = described("The one that does most first.")


@strawberry.type(name="Recourse", description="What the client could do that would lead to a better verdict.")
class RecourseType:
    """What would mend it."""

    better: list[BetterVerdict] = described("The best verdict last; empty where nothing would help today.")
    exact: bool = described("Whether every set of open items was weighed.")

    @classmethod
    def of(cls, found: Options) -> Self:
        """Make it from what was found."""
        return cls(
            better=[
                BetterVerdict(
                    verdict=one.verdict,
                    steps=[
                        RecourseStep(
                            action=step.action.kind,
                            subjects=list(step.action.subjects),
                            score=step.score,
                            verdict=step.verdict,
                        )
                        for step in one.steps
                    ],
                )
                for one in found.recourse
            ],
            exact=found.exact,
        )


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


@strawberry.type(description="The other side of a relationship.")
class Client(Node):
    """One client, as seen from a viewpoint."""

    client_id: str = described("The tenant's own id (the CRM's key).")
    name: str | None = described("What the client is called.")
    country: str | None = described("ISO 3166-1 alpha-2 code.")
    currency: str | None = described("ISO 4217 code.")
    time_zone: str | None = described("IANA name of the client's time zone.")
    created_at: datetime = described("When we first heard of the client.")
    event_count: int = described("How many events were recorded for the client.")
    viewpoint: strawberry.Private[Viewpoint]
    assessed: strawberry.Private[Assessment | None] = None

    @answered("How the relationship stands.", weight=5)
    async def score(self, info: Info) -> Score:
        """How the relationship stands."""
        found = self.assessed
        if found is None:
            found = await info.context.assessments.load(self._seen)
        return Score.of(self.viewpoint, found)

    @answered("Why the score is what it is, how it moved, and what to do.", weight=20)
    async def explanation(self, info: Info, language: LanguageName | None = None) -> ExplanationType:
        """The whole answer."""
        spoken = info.context.speaker if language is None else _speaker(language)
        return ExplanationType.explained(self.viewpoint, await info.context.explanations.load(self._seen), spoken)

    @answered("How the relationship stood step by step, oldest first; at most 400 steps.", weight=20, size=100)
    async def history(self, info: Info, step: Pace = Pace.WEEK, since: date | None = None) -> list[HistoryStep]:
        """The history, from the step with the day `since` on."""
        return [HistoryStep.of(one) for one in await (await info.context.case(self._seen)).history(step, since)]

    @answered("What each event did to the score when it happened, the newest first.", weight=50, size=0)
    async def timeline(self, info: Info, first: int | None = None, after: str | None = None) -> TimelineConnection:
        """The timeline."""
        size, _ = page_size(first, None)
        place = _timeline_place(after)
        found, further = await info.context.timelines.load((self._seen, place, max(size, 1)))
        edges = [TimelineEdge(cursor=_timeline_cursor(one.event.mark), node=TimelineEffect.of(one)) for one in found]
        edges = edges[:size]
        return TimelineConnection(
            edges=edges,
            page_info=PageInfo(
                has_next_page=further is not None or len(found) > size,
                has_previous_page=place is not None,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
        )

    @answered("What the client could do that would lead to a better verdict.", weight=50, size=4)
    async def recourse(self, info: Info) -> RecourseType:
        """What would mend it."""
        return RecourseType.of(await (await info.context.case(self._seen)).recourse())

    @answered("The client's events by time, oldest first.", weight=5, size=0)
    async def events(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        filter: EventWanted | None = None,  # noqa: A002 - the name in the API
    ) -> EventConnection:
        """The client's events."""
        return await events_page(info, self.client_id, filter, first, after)

    @property
    def _seen(self) -> Seen:
        return self.viewpoint, self.client_id

    @classmethod
    def of(cls, record: ClientRecord, viewpoint: Viewpoint, found: Assessment | None = None) -> Self:
        """Make it from what is known."""
        return cls(
            id=global_id("Client", record.client_id),
            client_id=record.client_id,
            name=record.name,
            country=record.country,
            currency=record.currency,
            time_zone=record.time_zone,
            created_at=record.created_at,
            event_count=record.revision,
            viewpoint=viewpoint,
            assessed=found,
        )


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
    wanted: strawberry.Private[Wanted]
    place: strawberry.Private[ListPlace]

    @answered("Its place, for `after` and `before`.")
    def cursor(self) -> str:
        """Its place; made only where it is asked for, which costs more than all else of an edge."""
        return _cursor(self.node.viewpoint, self.wanted, self.place)


@strawberry.type(description="Clients, page by page.")
class ClientConnection:
    """A page of clients."""

    edges: list[ClientEdge] = described("The clients of the page.")
    viewpoint: strawberry.Private[Viewpoint]
    wanted: strawberry.Private[Wanted]
    more_before: strawberry.Private[bool]
    more_after: strawberry.Private[bool]

    @answered("Where the page lies in the list.")
    def page_info(self) -> PageInfo:
        """Where the page lies in the list."""
        ends = [_cursor(self.viewpoint, self.wanted, edge.place) for edge in (*self.edges[:1], *self.edges[-1:])]
        return PageInfo(
            has_next_page=self.more_after,
            has_previous_page=self.more_before,
            start_cursor=ends[0] if ends else None,
            end_cursor=ends[-1] if ends else None,
        )

    @answered("How many clients match in all.", weight=5)
    async def total_count(self, info: Info) -> int:
        """How many clients match in all."""
        context = info.context
        return await context.services.listing.count(context.tenant_id, self.viewpoint, self.wanted)


async def client_named(context: Context, client_id: str, viewpoint: Viewpoint) -> Client | None:
    """One client, or None for an unknown one."""
    if not is_name(client_id) or len(client_id) > 1_000:
        raise coded("expected a client id", "BAD_USER_INPUT", argument="clientId")
    # Asked for alone, as it nearly always is: a loader that waits for others takes longer than the database.
    record = await context.services.clients.find(context.tenant_id, client_id)
    return None if record is None else Client.of(record, viewpoint)


async def clients_page(  # noqa: PLR0917 - the parts of a page
    context: Context,
    viewpoint: Viewpoint,
    wanted: Wanted,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> ClientConnection:
    """A page of clients. A cursor keeps to its viewpoint, so that the list does not move under the reader."""
    size, backwards = page_size(first, last)
    places = [_place(cursor, name, wanted) for cursor, name in ((after, "after"), (before, "before"))]
    for place in places:
        if place is not None and wanted.needs_assessments:
            viewpoint = place[0]
    begin, end = (None if place is None else place[1] for place in places)
    window = Window(max(size, 1), begin, end, backwards)
    found, more = await context.services.listing.window(context.tenant_id, viewpoint, wanted, window)
    if size == 0:
        found, more = [], bool(found)
    edges = [
        ClientEdge(node=Client.of(one.record, viewpoint, one.assessment), wanted=wanted, place=one.place)
        for one in found
    ]
    return ClientConnection(
        edges=edges,
        viewpoint=viewpoint,
        wanted=wanted,
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


def _cursor(viewpoint: Viewpoint, wanted: Wanted, place: ListPlace) -> str:
    value, client_id = place
    known_at = viewpoint.known_at.isoformat() if viewpoint.known_at else ""
    return encode_cursor(wanted.order, str(value), client_id, viewpoint.as_of.isoformat(), known_at)


def _place(cursor: str | None, argument: str, wanted: Wanted) -> tuple[Viewpoint, ListPlace] | None:
    parts = cursor_parts(cursor, argument, 5)
    if parts is None:
        return None
    order, value, client_id, as_of, known_at = parts
    try:
        if order != wanted.order:
            raise ValueError
        seen = [read_moment(text) if text else None for text in (as_of, known_at)]
        return Viewpoint(_instant(seen[0]), None if seen[1] is None else _instant(seen[1])), (
            value if wanted.order is Order.NAME else float(value),
            client_id,
        )
    except ValueError:
        raise coded("expected a cursor of this list, in this order", "BAD_USER_INPUT", argument=argument) from None


def _instant(moment: date | None) -> datetime:
    if not isinstance(moment, datetime):
        raise ValueError("no instant")
    return moment


def _timeline_cursor(place: Place) -> str:
    return encode_cursor(place.at.isoformat(), place.ref.source, place.ref.id)


def _timeline_place(cursor: str | None) -> Place | None:
    parts = cursor_parts(cursor, "after", 3)
    if parts is None:
        return None
    try:
        return Mark(_instant(read_moment(parts[0])), EventRef(parts[1], parts[2]))
    except ValueError:
        raise coded("expected a cursor of this list", "BAD_USER_INPUT", argument="after") from None


def _speaker(language: LanguageName) -> Speaker:
    wanted: Language = "ru" if language is LanguageName.RU else "en"
    return speaker(wanted)
