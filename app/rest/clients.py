"""Clients: put, get and list them, their score and why."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.core.money import CURRENCIES
from app.core.verdict import Verdict
from app.rest.answers import ClientAnswer, ClientPage, Score
from app.rest.bodies import JsonRoute
from app.rest.explanation import ExplanationAnswer
from app.rest.language import Spoken
from app.rest.parameters import NAME_PATTERN, Cursor, Limit, decode_cursor, encode_cursor, moment
from app.rest.paths import ClientIdPath
from app.rest.services import Ingester, Reader, UsedServices
from app.rest.viewpoint import AsOf, KnownAt, Viewed
from app.use_cases.clients import ClientProfile
from app.use_cases.errors import InvalidRequestError
from app.use_cases.viewpoint import Viewpoint
from app.wire.fields import time_zones

__all__ = ["router"]

router = APIRouter(prefix="/v1/clients", tags=["clients"], route_class=JsonRoute)

_Label = Annotated[str, Field(min_length=1, max_length=200, pattern=NAME_PATTERN)]


class ClientBody(BaseModel):
    """What is known of a client; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Label | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    currency: str | None = None
    time_zone: str | None = None

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
async def put_client(
    client_id: ClientIdPath, body: ClientBody, response: Response, principal: Ingester, services: UsedServices
) -> ClientAnswer:
    """Say what a client is; it is recorded as an event, and putting the same again changes nothing."""
    profile = ClientProfile(body.name, body.country, body.currency, body.time_zone)
    client, new = await services.clients.put(principal.tenant_id, client_id, profile)
    response.status_code = 201 if new else 200
    return ClientAnswer.of(client)


@router.get("", summary="List clients, the highest score first")
async def list_clients(  # noqa: PLR0917 - query parameters
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    verdict: Annotated[Verdict | None, Query(description="Only clients with this verdict.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> ClientPage:
    """List clients by score, so that the first are those to worry about. A cursor keeps to its viewpoint."""
    start = 0
    if cursor is not None:
        viewpoint, start = _place(cursor)
    ranked = await services.assess.ranking(principal.tenant_id, viewpoint, verdict)
    page = ranked[start : start + limit]
    ids = [one.client_id for one in page]
    records = await services.clients.several(principal.tenant_id, ids)
    if cursor is not None or as_of is not None or known_at is not None:
        cases = await services.assess.cases.several(principal.tenant_id, ids, viewpoint)
        records = {name: cases[name].record(record) for name, record in records.items() if name in cases}
    return ClientPage(
        items=[
            ClientAnswer.of(records[one.client_id], viewpoint, one.assessment)
            for one in page
            if one.client_id in records
        ],
        next=_cursor(viewpoint, start + limit) if start + limit < len(ranked) else None,
    )


def _cursor(viewpoint: Viewpoint, start: int) -> str:
    known_at = viewpoint.known_at.isoformat() if viewpoint.known_at else ""
    return encode_cursor(viewpoint.as_of.isoformat(), known_at, str(start))


def _place(cursor: str) -> tuple[Viewpoint, int]:
    as_of, known_at, start = decode_cursor(cursor, 3)
    found, known = moment(as_of, "cursor"), moment(known_at or None, "cursor")
    if (
        not isinstance(found, datetime)
        or not isinstance(known, datetime | None)
        or not re.fullmatch("[0-9]{1,9}", start)
    ):
        raise InvalidRequestError("?cursor", "expected `next` of a page of this list")
    return Viewpoint(found, known), int(start)


@router.get("/{client_id}/score", summary="Get a client's score")
async def get_score(client_id: ClientIdPath, principal: Reader, services: UsedServices, viewpoint: Viewed) -> Score:
    """How the relationship stands."""
    case = await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)
    return Score.of(client_id, viewpoint, await case.assessment())


@router.get("/{client_id}/explanation", summary="Get a client's explanation")
async def get_explanation(
    client_id: ClientIdPath, principal: Reader, services: UsedServices, viewpoint: Viewed, spoken: Spoken
) -> ExplanationAnswer:
    """Why the score is what it is, how it has moved, what it costs to stay, and how to deal with this client.

    Sentences and letters are in English or Russian.
    """
    case = await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)
    return ExplanationAnswer.explained(client_id, viewpoint, await case.explanation(), spoken)


@router.get("/{client_id}", summary="Get a client")
async def get_client(  # noqa: PLR0917 - query parameters
    client_id: ClientIdPath,
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> ClientAnswer:
    """What is known of a client, or was by then."""
    record = await services.clients.get(principal.tenant_id, client_id)
    if as_of is not None or known_at is not None:
        record = (await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)).record(record)
    return ClientAnswer.of(record)
