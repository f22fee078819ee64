"""Simulations: what the answer would be, had some more events happened."""

from typing import Self

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.core.difference import difference_between
from app.core.events import Event
from app.language import Speaker
from app.ports.ledger import NewEvent
from app.rest.answers import Moved
from app.rest.bodies import MOST_JSON_BYTES, read_body, refuse_all_but_json
from app.rest.explanation import Reasons
from app.rest.language import Spoken
from app.rest.paths import ClientIdPath
from app.rest.problem_types import INVALID_REQUEST
from app.rest.problems import HttpError
from app.rest.services import Reader, Services, UsedServices
from app.rest.viewpoint import Viewed
from app.use_cases.assess_clients import Simulation
from app.use_cases.viewpoint import Viewpoint
from app.wire.faults import Invalid

__all__ = ["router"]

router = APIRouter(prefix="/v1/clients", tags=["clients"])

MOST_EVENTS = 100


class SimulationAnswer(BaseModel):
    """The client as it is and as it would be; differences are `after` less `before`."""

    before: Reasons
    after: Reasons
    score_difference: float
    differences: list[Moved]

    @classmethod
    def of(cls, client_id: str, viewpoint: Viewpoint, found: Simulation, spoken: Speaker) -> Self:
        """Make it from a simulation, in a language."""
        difference = difference_between(found.before.assessment, found.after.assessment)
        return cls(
            before=Reasons.said(client_id, viewpoint, found.before, spoken),
            after=Reasons.said(client_id, viewpoint, found.after, spoken),
            score_difference=difference.score,
            differences=[Moved.of(one) for one in difference.signs],
        )


@router.post("/{client_id}/simulate", summary="Simulate events")
async def simulate_events(  # noqa: PLR0917 - each is a part of the request
    request: Request,
    client_id: ClientIdPath,
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    spoken: Spoken,
) -> SimulationAnswer:
    """What the answer would be with hypothetical events added to the real ones; nothing is stored.

    Of each event `type` and `data` are enough; it happens at `as_of` unless it says otherwise. One that happens later
    changes nothing: to look ahead, ask as of a later day.
    """
    refuse_all_but_json(request)
    body = await read_body(request, most=MOST_JSON_BYTES)
    found = services.decoder.supposed(body, MOST_EVENTS, client_id, viewpoint.as_of)
    events = _events(services, client_id, found, viewpoint)
    simulation = await services.assess.simulate(principal.tenant_id, client_id, viewpoint, events)
    return SimulationAnswer.of(client_id, viewpoint, simulation, spoken)


def _events(services: Services, client_id: str, found: list[NewEvent | Invalid], viewpoint: Viewpoint) -> list[Event]:
    events: list[Event] = []
    errors: list[dict[str, str]] = []
    for index, one in enumerate(found):
        if isinstance(one, Invalid):
            errors += [{"pointer": f"/events/{index}{fault.pointer}", "detail": fault.detail} for fault in one.faults]
        elif one.client_id != client_id:
            errors.append({"pointer": f"/events/{index}/subject", "detail": f"expected the client, {client_id!r}"})
        else:
            data = services.decoder.load(one.type, one.data)
            told = viewpoint.known_at or viewpoint.as_of
            events.append(Event(one.source, one.id, one.type, client_id, one.time, data, told))
    if errors:
        raise HttpError(INVALID_REQUEST, "some of the events cannot be", errors)
    return events
