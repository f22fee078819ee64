"""GraphQL, put together: over HTTP, Server-Sent Events and WebSocket."""

from app.graphql.answering import Answering
from app.graphql.documents import Documents, read_trusted
from app.graphql.endpoint import GraphQLEndpoint
from app.graphql.graphiql import GraphiQL
from app.graphql.live.ends import Transport
from app.graphql.live.event_streams import EventStreams
from app.graphql.live.keeper import Keeper
from app.graphql.live.seats import Seats
from app.graphql.live.sockets import Sockets
from app.graphql.live.subscriptions import Subscriptions
from app.graphql.schema import make_schema
from app.metrics.listeners import Metrics
from app.ports.tracing import Tracing
from app.services import Services
from app.settings import Settings, SettingsError
from app.use_cases.unheard import UNHEARD

__all__ = ["graphql_endpoint"]


def graphql_endpoint(
    services: Services, settings: Settings, metrics: Metrics | None, tracing: Tracing
) -> GraphQLEndpoint:
    """What is served at /graphql.

    Raises:
        SettingsError: the file of trusted documents cannot be read.
    """
    try:
        trusted = read_trusted(settings.graphql_documents)
    except (OSError, ValueError) as error:
        raise SettingsError(f"PARTWISE_GRAPHQL_DOCUMENTS: {error}") from None
    documents = Documents(
        make_schema(),
        introspection=settings.graphql_introspection,
        suggestions=settings.graphql_suggestions,
        trusted=trusted,
        only_trusted=settings.graphql_only_trusted,
    )
    told = UNHEARD if metrics is None or metrics.server is None else metrics.server.graphql
    answering = Answering(documents)
    keeper = Keeper(services.authenticate, services.vitals.ending)
    most = settings.subscriptions
    seats = Seats("subscriptions", most, settings.subscriptions_of_tenant, settings.subscriptions_of_key)
    connections = Seats("connections", most, settings.subscriptions_of_tenant, settings.subscriptions_of_key)
    sockets = Sockets(
        services,
        answering,
        Subscriptions(answering, seats, told, tracing, Transport.WEBSOCKET),
        keeper,
        connections,
        told,
        tracing,
        settings.cors_origins,
        settings.graphql_timeout,
        # Who reads nothing at all is hung up on by the connection itself; until then it can be told why.
        settings.read_seconds / 3,
    )
    streams = EventStreams(Subscriptions(answering, seats, told, tracing, Transport.SSE), keeper, told)
    graphiql = GraphiQL() if settings.graphiql else None
    return GraphQLEndpoint(services, answering, streams, sockets, graphiql, settings.graphql_timeout, told, tracing)
