"""The schema: what can be asked and what can be changed."""

import asyncio
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from app.core.events import EventRef
from app.graphql.client_lists import ClientConnection, ClientOrder, ClientWanted, clients_page, wanted_clients
from app.graphql.clients import Client, client_named
from app.graphql.context import Context, Info
from app.graphql.erasures import ErasureConnection, erasures_page
from app.graphql.errors import coded
from app.graphql.events import Event, EventConnection, EventTypeInfo, EventWanted, event_types, events_page
from app.graphql.fields import answered
from app.graphql.mutations import Mutation
from app.graphql.nodes import Node, read_global_id
from app.graphql.policies import PolicyPreview, PolicyVersion, policies_of, policy_named, preview_of
from app.graphql.portfolio_metrics import PortfolioMetricsType, portfolio_metrics
from app.graphql.portfolios import PortfolioType, portfolio_at, portfolio_now
from app.graphql.scalars import SCALARS, Moment
from app.graphql.score_changes import Subscription
from app.graphql.simulations import Simulation, SupposedEvent, simulated
from app.graphql.webhooks import WebhookConnection, WebhookType, webhook_of, webhooks_page
from app.use_cases.errors import NotFoundError

__all__ = ["make_schema"]

_MOST_NODES = 100


@strawberry.type(description="What can be asked. `asOf` and `knownAt` say from when one looks; by default from now.")
class Query:
    """What can be asked."""

    @answered("Any object, by its global id; null for an unknown one.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - as Relay has it
        """Any object."""
        info.context.permit("Query.node")
        return await _node(info.context, id)

    @answered("Some objects, by their global ids, in their order; null for each unknown one.", weight=5, size=100)
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Some objects."""
        info.context.permit("Query.nodes")
        if len(ids) > _MOST_NODES:
            raise coded(f"expected at most {_MOST_NODES} ids", "BAD_USER_INPUT", argument="ids")
        return list(await asyncio.gather(*(_node_or_error(info.context, one) for one in ids)))

    @answered("One client; null for an unknown one.")
    async def client(
        self, info: Info, client_id: str, as_of: Moment | None = None, known_at: Moment | None = None
    ) -> Client | None:
        """One client."""
        info.context.permit("Query.client")
        return await client_named(info.context, client_id, as_of, known_at)

    @answered("Clients, by default the highest score first; 100 on a page at most.", weight=1_000, size=0)
    async def clients(  # noqa: PLR0917 - the arguments in the API
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ClientWanted | None = None,  # noqa: A002 - as is usual
        order_by: ClientOrder | None = None,
        as_of: Moment | None = None,
        known_at: Moment | None = None,
    ) -> ClientConnection:
        """A page of clients."""
        context = info.context
        context.permit("Query.clients")
        now = as_of is None and known_at is None
        viewpoint = None if now else await context.viewpoint(as_of, known_at)
        wanted = wanted_clients(filter, order_by)
        page = await clients_page(context, viewpoint, wanted, first, after, last, before)
        return page if page.viewpoint is None else await page.as_they_were(context)

    @answered("Events by time, the oldest first; 100 on a page at most.", weight=5, size=0)
    async def events(  # noqa: PLR0917 - the arguments in the API
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        filter: EventWanted | None = None,  # noqa: A002 - as is usual
        client_id: str | None = None,
        as_of: Moment | None = None,
        known_at: Moment | None = None,
    ) -> EventConnection:
        """A page of events."""
        info.context.permit("Query.events")
        return await events_page(info, client_id, filter, first, after, as_of, known_at)

    @answered("Every type of event that is understood, with the JSON Schema of its data.", weight=5, size=40)
    def event_types(self, info: Info) -> list[EventTypeInfo]:
        """The catalogue."""
        info.context.permit("Query.eventTypes")
        return event_types(info)

    @answered("All clients together.", weight=1_000, size=5)
    async def portfolio(self, info: Info, as_of: Moment | None = None, known_at: Moment | None = None) -> PortfolioType:
        """All clients together."""
        info.context.permit("Query.portfolio")
        if as_of is None and known_at is None:
            return await portfolio_now(info.context)
        return await portfolio_at(info.context, await info.context.viewpoint(as_of, known_at))

    @answered("How all clients stand together, in numbers; it takes the scope `metrics`.", weight=20)
    async def portfolio_metrics(self, info: Info) -> PortfolioMetricsType:
        """The metrics of the portfolio."""
        info.context.permit("Query.portfolioMetrics")
        return await portfolio_metrics(info.context)

    @answered("All versions of the policy, the newest first; the default one is the last.", weight=5, size=20)
    async def policies(self, info: Info) -> list[PolicyVersion]:
        """All versions."""
        info.context.permit("Query.policies")
        return await policies_of(info.context)

    @answered("One version of the policy; by default the active one.")
    async def policy(self, info: Info, version: str | None = None) -> PolicyVersion:
        """One version."""
        context = info.context
        context.permit("Query.policy")
        if version is None:
            version = await context.services.policies.active_version(context.tenant_id)
        return await policy_named(context, version)

    @answered("Which clients would get another verdict if a version were active.", weight=2_000, size=20)
    async def policy_preview(
        self, info: Info, version: str, as_of: Moment | None = None, known_at: Moment | None = None
    ) -> PolicyPreview:
        """What would change."""
        info.context.permit("Query.policyPreview")
        return await preview_of(info.context, version, await info.context.viewpoint(as_of, known_at))

    @answered("Which clients were erased, the oldest erasure first; 100 on a page at most.", weight=5, size=0)
    async def erasures(self, info: Info, first: int | None = None, after: str | None = None) -> ErasureConnection:
        """A page of erasures."""
        info.context.permit("Query.erasures")
        return await erasures_page(info.context, first, after)

    @answered("Where the tenant wants to be told what becomes other; 100 on a page at most.", weight=5, size=0)
    async def webhooks(self, info: Info, first: int | None = None, after: str | None = None) -> WebhookConnection:
        """A page of webhooks."""
        info.context.permit("Query.webhooks")
        return await webhooks_page(info.context, first, after)

    @answered("What the answer would be, had some more events happened; nothing is stored.", weight=200)
    async def simulate(
        self,
        info: Info,
        client_id: str,
        events: list[SupposedEvent],
        as_of: Moment | None = None,
        known_at: Moment | None = None,
    ) -> Simulation:
        """A simulation."""
        context = info.context
        context.permit("Query.simulate")
        return await simulated(context, client_id, events, await context.viewpoint(as_of, known_at))


async def _node_or_error(context: Context, identifier: strawberry.ID) -> Any:
    """An id that is none spoils its own place in a list and no other."""
    try:
        return await _node(context, identifier)
    except GraphQLError as error:
        return error


async def _node(context: Context, identifier: strawberry.ID) -> Node | None:
    kind, names = read_global_id(str(identifier))
    match kind, names:
        case "Client", [client_id]:
            record = await context.clients.load(client_id)
            return None if record is None else Client.of(record, await context.viewpoint(None, None))
        case "Event", [source, event_id]:
            found = await context.events.load(EventRef(source, event_id))
            return None if found is None else Event.of(found)
        case "PolicyVersion", [version]:
            try:
                return await policy_named(context, version)
            except NotFoundError:
                return None
        case "Webhook", [webhook_id]:
            return await webhook_of(context, webhook_id)
        case _:
            raise coded("expected a global id that this API gave", "BAD_USER_INPUT", argument="id")


def make_schema(*, suggestions: bool = True) -> strawberry.Schema:
    """Build the schema.

    Args:
        suggestions: whether errors say which field was perhaps meant, which tells strangers what there is.
    """
    scalars: Any = SCALARS
    config = StrawberryConfig(scalar_map=scalars, disable_field_suggestions=not suggestions)
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Client, Event, PolicyVersion, WebhookType],
        config=config,
    )
    # Strawberry's own fails on lists and non-nulls, which have no extensions.
    schema._schema.type_map["__Type"].fields["isOneOf"].resolve = lambda kind, info: getattr(kind, "is_one_of", False)  # type: ignore[attr-defined]  # noqa: SLF001
    return schema
