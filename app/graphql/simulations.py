"""Simulations: what the answer would be, had some more events happened; nothing is stored."""

from datetime import datetime

import strawberry

from app.core.difference import difference_between
from app.core.events import Event
from app.graphql.context import Context
from app.graphql.errors import coded
from app.graphql.explanations import Reasons
from app.graphql.fields import described
from app.graphql.nodes import require_client_id
from app.graphql.scalars import JSON, encode_json
from app.graphql.scores import Moved
from app.use_cases.viewpoint import Viewpoint
from app.wire.faults import Invalid, InvalidBodyError, MalformedBodyError

__all__ = ["Simulation", "SupposedEvent", "simulated"]

MOST_EVENTS = 100


@strawberry.input(description="An event that might happen.")
class SupposedEvent:
    """An event that might happen."""

    type: str = described("What would happen, such as `invoice.paid`.")
    data: JSON | None = described("What the type carries.", default=None)
    time: datetime | None = described("When; by default at `asOf`.", default=None)


@strawberry.type(description="A client as it is and as it would be.")
class Simulation:
    """A client as it is and as it would be."""

    before: Reasons = described("As it is.")
    after: Reasons = described("As it would be.")
    score_difference: float = described("The score after less the score before.")
    differences: list[Moved] = described("Sign by sign; their points add up to the difference.")


async def simulated(context: Context, client_id: str, events: list[SupposedEvent], viewpoint: Viewpoint) -> Simulation:
    """Simulate events.

    Raises:
        NotFoundError: no event ever named that client.
        GraphQLError: some of the events cannot be.
    """
    require_client_id(client_id)
    simulation = await context.services.assess.simulate(
        context.tenant_id, client_id, viewpoint, _events(context, client_id, events, viewpoint)
    )
    difference = difference_between(simulation.before.assessment, simulation.after.assessment)
    return Simulation(
        before=Reasons.of(viewpoint, simulation.before, context.speaker),
        after=Reasons.of(viewpoint, simulation.after, context.speaker),
        score_difference=difference.score,
        differences=[Moved.of(one) for one in difference.signs],
    )


def _events(context: Context, client_id: str, given: list[SupposedEvent], viewpoint: Viewpoint) -> list[Event]:
    decoder = context.services.decoder
    told = []
    for one in given:
        event: dict[str, object] = {"type": one.type}
        if one.data is not None:
            event["data"] = one.data
        if one.time is not None:
            event["time"] = one.time
        told.append(event)
    try:
        body = encode_json({"events": told})
        found = decoder.supposed(body, MOST_EVENTS, client_id, viewpoint.as_of)
    except (MalformedBodyError, InvalidBodyError, RecursionError, TypeError, ValueError) as error:
        raise coded(str(error), "BAD_USER_INPUT", argument="events") from None
    faults = [
        {"pointer": f"/events/{index}{fault.pointer}", "detail": fault.detail}
        for index, one in enumerate(found)
        if isinstance(one, Invalid)
        for fault in one.faults
    ]
    if faults:
        raise coded("some of the events cannot be", "BAD_USER_INPUT", argument="events", faults=faults)
    return [
        Event(
            one.source,
            one.id,
            one.type,
            client_id,
            one.time,
            decoder.load(one.type, one.data),
            viewpoint.known_at or viewpoint.as_of,
        )
        for one in found
        if not isinstance(one, Invalid)
    ]
