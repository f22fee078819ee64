"""Clients: put, get and list them, their score and why."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.core.money import CURRENCIES
from app.core.verdict import Verdict
from app.rest.answers import ClientAnswer, ClientPage, Score
from app.rest.bodies import JsonRoute
from app.rest.etags import AskedOnce, TagsOfClient, quoted
from app.rest.explanation import ExplanationAnswer
from app.rest.language import Spoken
from app.rest.pages import Limit, Listed, Page, read_place
from app.rest.parameters import NAME_PATTERN
from app.rest.paths import ClientIdPath
from app.rest.services import Ingester, Reader, UsedServices
from app.rest.viewpoint import AsOf, KnownAt, Viewed
from app.use_cases.clients import ClientProfile
from app.use_cases.list_clients import Place, Wanted, Window
from app.use_cases.unchanged import EXPLAINED
from app.use_cases.viewpoint import Viewpoint
from app.wire.fields import time_zones

__all__ = ["router"]

router = APIRouter(prefix="/v1/clients", tags=["clients"], route_class=JsonRoute)

_Label = Annotated[str, Field(min_length=1, max_length=200, pattern=NAME_PATTERN)]


class ClientBody(BaseModel):
    """What is known of a client; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Label | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", max_length=2)] | None = None
    currency: Annotated[str, Field(max_length=3)] | None = None
    time_zone: Annotated[str, Field(max_length=100)] | None = None

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str | None) -> str | None:
        if value is not None and value not in CURRENCIES:
            raise ValueError("expected an active ISO 4217 currency code, such as EUR")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in time_zones():
            raise ValueError("expected the name of an IANA time zone, such as Europe/Berlin")
        return value


@router.put("/{client_id}", responses={201: {"model": ClientAnswer}}, summary="Put a client")
async def put_client(  # noqa: PLR0917 - each is a part of the request
    client_id: ClientIdPath,
    body: ClientBody,
    response: Response,
    principal: Ingester,
    services: UsedServices,
    tags: TagsOfClient,
) -> ClientAnswer:
    """Say what a client is; it is recorded as an event, and putting the same again changes nothing.

    With `If-Match` it is said of the client with that `ETag` alone, with `If-None-Match: *` of a new one alone.
    """
    profile = ClientProfile(body.name, body.country, body.currency, body.time_zone)
    client, new = await services.clients.put(
        principal.tenant_id, client_id, profile, principal.actor, tags.fit if tags.conditions else None
    )
    response.status_code = 201 if new else 200
    response.headers["ETag"] = quoted(tags.of(client))
    return ClientAnswer.of(client)


@router.get("", summary="List clients, the highest score first")
async def list_clients(  # noqa: PLR0917 - query parameters
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    listed: Listed,
    verdict: Annotated[Verdict | None, Query(description="Only clients with this verdict.", examples=["part"])] = None,
    limit: Limit = 50,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> ClientPage:
    """List clients by score, so that the first are those to worry about.

    By default as they stand now: scores are the newest stored ones, each with its `as_of`, and `stale` tells how many
    clients are still to be assessed. With `as_of` or `known_at` all clients are assessed as of then, which takes longer
    the more there are; a cursor keeps to that viewpoint.
    """
    seen = None if as_of is None and known_at is None else viewpoint
    after = None
    if (parts := listed.begins_after(4)) is not None:
        seen, after = _place(parts)
    wanted = Wanted(verdicts=frozenset() if verdict is None else frozenset({verdict}))
    tenant_id = principal.tenant_id
    part = await services.listing.window(tenant_id, seen, wanted, Window(limit, after))
    records = [one.record for one in part.items]
    if seen is not None:
        cases = await services.assess.cases.several(tenant_id, [one.client_id for one in records], seen)
        records = [cases[one.client_id].record(one) if one.client_id in cases else one for one in records]
    return ClientPage(
        items=[
            ClientAnswer.of(record, seen or viewpoint, one.assessment)
            for record, one in zip(records, part.items, strict=True)
        ],
        next=_following(listed, seen, part.items[-1].place) if part.more and part.items else None,
        stale=part.stale,
    )


def _following(listed: Page, viewpoint: Viewpoint | None, place: Place) -> str:
    as_of = viewpoint.as_of.isoformat() if viewpoint else ""
    known_at = viewpoint.known_at.isoformat() if viewpoint and viewpoint.known_at else ""
    return listed.following(as_of, known_at, str(place[0]), place[1])


def _place(parts: list[str]) -> tuple[Viewpoint | None, Place]:
    as_of, known_at, score, client_id = parts
    viewpoint = Viewpoint(read_place(as_of), read_place(known_at) if known_at else None) if as_of else None
    return viewpoint, (float(score), client_id)


@router.get("/{client_id}/score", summary="Get a client's score")
async def get_score(
    client_id: ClientIdPath, principal: Reader, services: UsedServices, viewpoint: Viewed, asked: AskedOnce
) -> Score:
    """How the relationship stands."""
    await asked.refuse_unchanged(principal.tenant_id, client_id, viewpoint)
    case = await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)
    found = await case.assessment()
    asked.label(case)
    return Score.of(client_id, viewpoint, found)


@router.get("/{client_id}/explanation", summary="Get a client's explanation")
async def get_explanation(  # noqa: PLR0917 - each is a part of the request
    client_id: ClientIdPath,
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    spoken: Spoken,
    asked: AskedOnce,
) -> ExplanationAnswer:
    """Why the score is what it is, how it has moved, what it costs to stay, and how to deal with this client.

    Sentences and letters are in English or Russian.
    """
    await asked.refuse_unchanged(principal.tenant_id, client_id, viewpoint, EXPLAINED, spoken.language)
    case = await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)
    found = await case.explanation()
    asked.label(case, spoken.language)
    return ExplanationAnswer.explained(client_id, viewpoint, found, spoken)


@router.get("/{client_id}", summary="Get a client")
async def get_client(  # noqa: PLR0917 - query parameters
    client_id: ClientIdPath,
    response: Response,
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    tags: TagsOfClient,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> ClientAnswer:
    """What is known of a client, or was by then."""
    record = await services.clients.get(principal.tenant_id, client_id)
    if as_of is not None or known_at is not None:
        record = (await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)).record(record)
    response.headers["ETag"] = quoted(tags.of(record))
    return ClientAnswer.of(record)
