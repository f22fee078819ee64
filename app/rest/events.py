"""Events: send, find and list them, and the catalogue of their types."""

from collections import Counter
from typing import Annotated, Any, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Request, Response

from app.core.events import CATALOGUE
from app.ports.ledger import EventFilter, EventKey, NewEvent, Outcome
from app.ports.rates import Unit
from app.rest.answers import EventAnswer, EventPage, EventTypeList, IngestAnswer, result
from app.rest.bodies import announced_size, read_body, refuse_encoded
from app.rest.pages import Limit, Listed, read_place
from app.rest.parameters import MOMENT, NAME_PATTERN, moment
from app.rest.paths import EventIdPath
from app.rest.problem_types import (
    BATCH_REFUSED,
    CONTENT_TOO_LARGE,
    EVENT_CONFLICT,
    INVALID_REQUEST,
    MALFORMED_REQUEST,
    UNSUPPORTED_MEDIA_TYPE,
)
from app.rest.problems import HttpError, problem
from app.rest.services import Ingester, Reader, Services, UsedServices, allowance_of
from app.rest.streaming import NdjsonExchange, taken
from app.rest.viewpoint import AsOf, KnownAt
from app.use_cases.errors import InvalidRequestError
from app.use_cases.rates import Allowance
from app.use_cases.record_events import Answer
from app.wire.cloudevents import MOST_BYTES_OF_ONE, EventDecoder
from app.wire.faults import Invalid

__all__ = ["MEDIA_TYPES", "router"]

router = APIRouter(prefix="/v1", tags=["events"])

MOST_EVENTS = 1000
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"
MEDIA_TYPES = (STRUCTURED, BATCH, NDJSON, "application/json")

_REFUSALS = {Outcome.CONFLICT: EVENT_CONFLICT, Outcome.INVALID: INVALID_REQUEST}


def _text(description: str, example: str) -> Any:
    return Query(min_length=1, max_length=200, pattern=NAME_PATTERN, description=description, examples=[example])


def _moment(description: str, example: str) -> Any:
    return Query(max_length=40, json_schema_extra=MOMENT, description=description, examples=[example])


Source = Annotated[str | None, _text("Only events from this source.", "/billing")]


@router.post(
    "/events",
    response_model=None,
    responses={
        200: {"model": IngestAnswer, "content": {NDJSON: {"schema": {"type": "string"}}}},
        201: {"model": IngestAnswer},
    },
    summary="Send events",
)
async def send_events(
    request: Request,
    principal: Ingester,
    services: UsedServices,
    atomic: Annotated[bool, Query(description="All or none; not for streams.", examples=[True])] = False,
) -> Any:
    """Record CloudEvents: one (structured or binary), a batch, or an NDJSON stream of any length.

    2xx means durable. Sending an event again is harmless and answers `duplicate`.
    """
    # Not a dependency: the framework would take longer to hand it over than it takes to look.
    allowance = allowance_of(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == NDJSON:
        if atomic:
            raise InvalidRequestError("?atomic", "expected a batch: a stream cannot be atomic")
        refuse_encoded(request)
        return NdjsonExchange(request.stream(), services, principal.tenant_id, allowance)
    binary = any(name.startswith("ce-") for name in request.headers)
    if media not in MEDIA_TYPES:
        expected = ", ".join(MEDIA_TYPES)
        detail = f"expected Content-Type {expected}; got {media[:100] or 'none'}"
        raise HttpError(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept": expected})
    size = announced_size(request)
    allowance.check(Unit.EVENTS, size)
    with services.intake.held(principal.tenant_id, size) as held:
        body = await read_body(request, held)
        sender = _Sender(services, principal.tenant_id, allowance)
        return await _recorded(request, sender, body, binary=binary, media=media, atomic=atomic)


class _Sender(NamedTuple):
    """Whose events are recorded, and what for."""

    services: Services
    tenant_id: str
    allowance: Allowance


async def _recorded(
    request: Request, sender: _Sender, body: bytes, *, binary: bool, media: str, atomic: bool
) -> Response:
    decoder = sender.services.decoder
    if binary and media == "application/json":
        _refuse_too_long(body)
        return await _single(sender, decoder.binary(request.headers.items(), body))
    if media == BATCH or (media == "application/json" and body.lstrip()[:1] == b"["):
        return await _batch(sender, body, atomic=atomic)
    _refuse_too_long(body)
    return await _single(sender, decoder.structured(body))


def _refuse_too_long(body: bytes) -> None:
    if len(body) > MOST_BYTES_OF_ONE:
        detail = f"expected at most {MOST_BYTES_OF_ONE} bytes of one event; batches and streams may be longer"
        raise HttpError(CONTENT_TOO_LARGE, detail)


async def _batch(sender: _Sender, body: bytes, *, atomic: bool) -> Response:
    services, tenant_id, allowance = sender
    async with services.intake.turn(tenant_id):
        found = await services.decoder.batch_in_turns(body, MOST_EVENTS)
        await allowance.take(Unit.EVENTS, len(found), len(body))
        answers = await services.record(tenant_id, [taken(one) for one in found], atomic=atomic)
    refused = atomic and any(a.outcome not in (Outcome.ACCEPTED, Outcome.DUPLICATE) for a in answers)
    if refused:
        errors = [
            {"pointer": f"/{answer.index}{pointer}", "detail": detail}
            for answer in answers
            for pointer, detail in (answer.faults or _conflict(answer))
        ]
        detail = "nothing was stored: the batch is atomic and holds events that cannot be"
        return problem(BATCH_REFUSED, detail, errors)
    return _ingested(answers, 200)


def _conflict(answer: Answer) -> tuple[tuple[str, str], ...]:
    if answer.outcome is Outcome.CONFLICT:
        return (("/id", "this id was sent before with other content"),)
    return ()


async def _single(sender: _Sender, found: NewEvent | Invalid) -> Response:
    if isinstance(found, Invalid) and any(fault.pointer == "" for fault in found.faults):
        raise HttpError(MALFORMED_REQUEST, f"the body is no CloudEvent: {found.faults[0].detail}")
    await sender.allowance.take(Unit.EVENTS)
    # No turn: what waits of a tenant is written together, two transactions at once, so others find room.
    (answer,) = await sender.services.record(sender.tenant_id, [taken(found)])
    refusal = _REFUSALS.get(answer.outcome)
    if refusal is not None:
        faults = answer.faults or _conflict(answer)
        errors = [{"pointer": pointer, "detail": detail} for pointer, detail in faults]
        return problem(refusal, "the event was not stored", errors)
    return _ingested([answer], 201 if answer.outcome is Outcome.ACCEPTED else 200)


def _ingested(answers: list[Answer], status: int) -> Response:
    counts = Counter([answer.outcome for answer in answers])
    counted = {outcome.value: counts[outcome] for outcome in Outcome}
    content = msgspec.json.encode({**counted, "results": [result(answer) for answer in answers]})
    return Response(content, status, media_type="application/json")


@router.get("/events", response_model=EventPage, summary="List events")
async def list_events(  # noqa: PLR0917 - query parameters
    principal: Reader,
    services: UsedServices,
    listed: Listed,
    client_id: Annotated[str | None, _text("Only events of this client.", "acme")] = None,
    type: Annotated[str | None, _text("Only events of this type.", "invoice.paid")] = None,  # noqa: A002 - the name in the API
    source: Source = None,
    since: Annotated[str | None, _moment("Only events that happened at this instant or later.", "2026-01-01")] = None,
    until: Annotated[str | None, _moment("Only events that happened before.", "2026-12-31T23:59:59Z")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    limit: Limit = 50,
) -> EventPage:
    """List events by time, oldest first; `since <= time < until`, instants or days."""
    times = [
        await services.assess.moment(moment(text, name), principal.tenant_id) if text is not None else None
        for text, name in ((since, "since"), (until, "until"), (as_of, "as_of"), (known_at, "known_at"))
    ]
    after = None
    if (parts := listed.begins_after(3)) is not None:
        after = EventKey(read_place(parts[0]), parts[1], parts[2])
    page, following = await services.find.page(
        principal.tenant_id, EventFilter(client_id, type, source, *times), after, limit
    )
    place = listed.following(following.time.isoformat(), following.source, following.id) if following else None
    return EventPage(items=[EventAnswer.of(event) for event in page], next=place)


@router.get("/events/{event_id}", response_model=EventAnswer, summary="Get one event")
async def get_event(
    event_id: EventIdPath, principal: Reader, services: UsedServices, source: Source = None
) -> EventAnswer:
    """Find an event by its CloudEvents id, and by its source where several sent that id."""
    return EventAnswer.of(await services.find.one(principal.tenant_id, event_id, source))


@router.get("/event-types", response_model=EventTypeList, summary="List the event types")
async def list_event_types(services: UsedServices) -> dict[str, Any]:
    """Every event type that is understood, with the JSON Schema of its data; no key is needed."""
    return event_types(services.decoder)


def event_types(decoder: EventDecoder) -> dict[str, Any]:
    """The catalogue as JSON."""
    schemas = decoder.schemas()
    return {
        "items": [{"type": name, "summary": kind.summary, "schema": schemas[name]} for name, kind in CATALOGUE.items()]
    }
