"""Clients: one, with all that is to be asked about it."""

from datetime import date, datetime
from typing import Self

import strawberry

from app.core.assessment import Assessment
from app.core.course import Pace
from app.graphql.context import Context, Info, Seen
from app.graphql.errors import coded
from app.graphql.events import EventConnection, EventWanted, events_page
from app.graphql.explanations import ExplanationType, HistoryStep
from app.graphql.fields import answered, described
from app.graphql.languages import LanguageName, spoken
from app.graphql.nodes import Node, global_id, require_client_id
from app.graphql.recourse import RecourseType
from app.graphql.scalars import Moment
from app.graphql.scores import Score
from app.graphql.timelines import TimelineConnection, timeline_page
from app.ports.clients import ClientRecord
from app.use_cases.cases import Case
from app.use_cases.errors import InvalidRequestError
from app.use_cases.viewpoint import Viewpoint
from app.wire.resource_tags import client_tags, only

__all__ = ["Client", "client_named"]

strawberry.enum(Pace, name="HistoryPace", description="How far apart the steps of a history are; weeks end on Sundays.")


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
    record: strawberry.Private[ClientRecord]
    viewpoint: strawberry.Private[Viewpoint]
    assessed: strawberry.Private[Assessment | None] = None

    @answered("Of what is known of the client: for `ifMatch`. The same as REST's `ETag`, without its quotes.")
    async def etag(self, info: Info) -> str:
        """Its tag."""
        context = info.context
        return (await client_tags(context.services.tags, context.tenant_id, self.client_id, only())).of(self.record)

    @answered("How the relationship stands.", weight=5)
    async def score(self, info: Info) -> Score:
        """How the relationship stands."""
        info.context.permit("Client.score")
        found = self.assessed
        if found is None:
            found = await info.context.assessments.load(self._seen)
        return Score.of(self.viewpoint, found)

    @answered("Why the score is what it is, how it moved, and what to do.", weight=20)
    async def explanation(self, info: Info, language: LanguageName | None = None) -> ExplanationType:
        """The whole answer."""
        info.context.permit("Client.explanation")
        speaker = spoken(info.context, language)
        return ExplanationType.explained(self.viewpoint, await info.context.explanations.load(self._seen), speaker)

    @answered("How the relationship stood step by step, oldest first; at most 400 steps.", weight=500, size=100)
    async def history(self, info: Info, step: Pace = Pace.WEEK, since: date | None = None) -> list[HistoryStep]:
        """The history, from the step with the day `since` on."""
        info.context.permit("Client.history")
        case = await info.context.case(self._seen)
        try:
            found = await case.history(step, since)
        except InvalidRequestError as error:
            raise coded(str(error), "BAD_USER_INPUT", argument="since") from None
        return [HistoryStep.of(one) for one in found]

    @answered("What each event did to the score when it happened, the newest first.", weight=200, size=0)
    async def timeline(self, info: Info, first: int | None = None, after: str | None = None) -> TimelineConnection:
        """The timeline."""
        info.context.permit("Client.timeline")
        return await timeline_page(info.context, self._seen, first, after)

    @answered("What the client could do that would lead to a better verdict.", weight=200, size=4)
    async def recourse(self, info: Info, language: LanguageName | None = None) -> RecourseType:
        """What would mend it."""
        info.context.permit("Client.recourse")
        found = await (await info.context.case(self._seen)).recourse()
        return RecourseType.of(found, spoken(info.context, language))

    @answered("The client's events by time, oldest first.", weight=5, size=0)
    async def events(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        filter: EventWanted | None = None,  # noqa: A002 - the name in the API
    ) -> EventConnection:
        """The client's events."""
        info.context.permit("Client.events")
        return await events_page(info, self.client_id, filter, first, after)

    @property
    def _seen(self) -> Seen:
        return self.viewpoint, self.client_id

    def as_it_was(self, case: Case) -> "Client":
        """The same client with what was known of it from the case's viewpoint."""
        return Client.of(case.record(self.record), self.viewpoint, self.assessed)

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
            record=record,
            viewpoint=viewpoint,
            assessed=found,
        )


async def client_named(
    context: Context, client_id: str, as_of: Moment | None, known_at: Moment | None
) -> Client | None:
    """One client as it was then, or None for an unknown one."""
    require_client_id(client_id)
    viewpoint = await context.viewpoint(as_of, known_at)
    # Asked for alone, as it nearly always is: a loader that waits for others takes longer than the database.
    record = await context.services.clients.find(context.tenant_id, client_id)
    if record is not None and not (as_of is None and known_at is None):
        record = (await context.case((viewpoint, client_id))).record(record)
    return None if record is None else Client.of(record, viewpoint)
