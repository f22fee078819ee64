"""Deliveries of webhooks: what became of them, and having them sent again."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.ports.webhooks import Attempt, Delivery, DeliveryFilter, DeliveryState, MessageType
from app.rest.bodies import JsonRoute
from app.rest.changes import AssessmentChangeAnswer
from app.rest.idempotency import RequestId
from app.rest.pages import Limit, Listed
from app.rest.parameters import NAME_PATTERN
from app.rest.services import Permitted, UsedServices
from app.rest.webhooks import WebhookId
from app.use_cases.errors import GoneError, InvalidRequestError
from app.wire.moments import read_moment

__all__ = ["router"]

router = APIRouter(prefix="/v1/webhooks/{webhook_id}", tags=["webhooks"], route_class=JsonRoute)

_HIGHEST = 2**53 - 1
Number = Annotated[
    int,
    Path(
        ge=1,
        le=_HIGHEST,
        description="`number` of a delivery.",
        json_schema_extra={"format": "int64"},
        examples=[17],
    ),
]
_INSTANT = {"max_length": 40, "json_schema_extra": {"format": "date-time"}}


class AttemptAnswer(BaseModel):
    """One try."""

    at: datetime
    status: int | None = Field(description="Of the answer; null where there was none.")
    error: str | None = Field(
        description="What went wrong before there was an answer: `refused_address`, `unresolved`, `connect`, `tls`, "
        "`timeout`, `closed`, `malformed`; null where there was one."
    )
    milliseconds: int = Field(description="That it took.")
    answer: str = Field(description="The first 256 characters of the answer's body.")

    @classmethod
    def of(cls, found: Attempt) -> Self:
        """Make it from a try."""
        return cls(
            at=found.at,
            status=found.status,
            error=found.error,
            milliseconds=found.milliseconds,
            answer=found.answer,
        )


class DeliveryAnswer(BaseModel):
    """One message to a webhook, and what became of it."""

    number: int = Field(description="Names it within its webhook, in the order in which they were made.")
    message_id: str = Field(description="`webhook-id`: the same on each try and each replay.")
    type: MessageType
    client_id: str | None = Field(description="Whose change it tells; null for other messages.")
    state: DeliveryState = Field(
        description="`pending`: it is tried, or waits for one before it, for its next try, or until its webhook is "
        "enabled again. `delivered`: the receiver answered 2xx. `failed`: a ping that was not. `skipped`: it is not "
        "sent any more."
    )
    attempts: list[AttemptAnswer] = Field(description="The newest 16 tries, the last one last.")
    created_at: datetime
    due_at: datetime | None = Field(
        description="When it is tried next; null where it is over, or waits for one before it."
    )
    ended_at: datetime | None

    @classmethod
    def of(cls, found: Delivery) -> Self:
        """Make it from a delivery."""
        return cls(**_told(found))


class WholeDeliveryAnswer(DeliveryAnswer):
    """One message to a webhook with what it tells."""

    change: AssessmentChangeAnswer | None = Field(
        description="`data` of `assessment.changed`; null where it is kept no longer, and for other messages."
    )


class DeliveryPage(BaseModel):
    """Deliveries, the newest first; `next` is the cursor of the next page."""

    items: list[DeliveryAnswer]
    next: str | None


class PeriodBody(BaseModel):
    """A period whose changes are to be sent again: `since <= at < until`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    since: Annotated[
        str, Field(description="An instant with an offset.", examples=["2026-11-24T00:00:00Z"], **_INSTANT)
    ]
    until: Annotated[
        str, Field(description="An instant with an offset.", examples=["2026-11-25T00:00:00Z"], **_INSTANT)
    ]


class DeliveryCountAnswer(BaseModel):
    """How many deliveries it was."""

    deliveries: int


@router.get("/deliveries", summary="List deliveries")
async def list_deliveries(  # noqa: PLR0917 - parameters of the query
    webhook_id: WebhookId,
    principal: Permitted,
    services: UsedServices,
    listed: Listed,
    state: Annotated[DeliveryState | None, Query(description="Only those.", examples=["failed"])] = None,
    client_id: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            pattern=NAME_PATTERN,
            description="Only changes of this client.",
            examples=["acme"],
        ),
    ] = None,
    type_: Annotated[
        MessageType | None, Query(alias="type", description="Only these messages.", examples=["assessment.changed"])
    ] = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """What was sent to a webhook and what it answered, the newest first; kept for 7 days after its end."""
    parts = listed.begins_after(1)
    before = None if parts is None else int(parts[0])
    wanted = DeliveryFilter(state, client_id, type_)
    found = await services.webhooks.deliveries(principal.tenant_id, webhook_id, wanted, before, limit + 1)
    page = found[:limit]
    following = listed.following(str(page[-1].number)) if len(found) > limit else None
    return DeliveryPage(items=[DeliveryAnswer.of(one) for one in page], next=following)


@router.get("/deliveries/{number}", summary="Get a delivery")
async def get_delivery(
    webhook_id: WebhookId, number: Number, principal: Permitted, services: UsedServices
) -> WholeDeliveryAnswer:
    """One delivery with what it tells."""
    found, _ = await services.webhooks.delivery(principal.tenant_id, webhook_id, number)
    change = None
    if found.place is not None:
        try:
            page = await services.changes.page(principal.tenant_id, found.place - 1, 1)
        except GoneError:
            page = None
        first = page.changes[0] if page and page.changes else None
        if first is not None and first.place == found.place:
            change = AssessmentChangeAnswer.of(first)
    return WholeDeliveryAnswer(**_told(found), change=change)


@router.post("/deliveries/{number}/replay", status_code=202, summary="Replay a delivery")
async def replay_delivery(
    webhook_id: WebhookId, number: Number, principal: Permitted, services: UsedServices, request_id: RequestId
) -> DeliveryAnswer:
    """Send a message again, at once, with the same `webhook-id`, whatever became of it; one that is pending, sooner.

    To a webhook that is disabled it is sent when that is enabled. What its change told is sent as it was told; of a
    client that was erased nothing is.
    """
    del request_id
    return DeliveryAnswer.of(await services.webhooks.replay(principal, webhook_id, number))


@router.post("/replay", status_code=202, summary="Replay a period")
async def replay_period(
    webhook_id: WebhookId, body: PeriodBody, principal: Permitted, services: UsedServices, request_id: RequestId
) -> DeliveryCountAnswer:
    """Send all changes of a period again that the webhook's filters let through, in their order.

    Those from before the webhook was made are among them, as far as changes are kept; those that wait to be sent anyway
    are not sent twice. 10,000 at once at most.
    """
    since, until = _instant(body.since, "/since"), _instant(body.until, "/until")
    count = await services.webhooks.replay_period(principal, webhook_id, since, until, request_id=request_id)
    return DeliveryCountAnswer(deliveries=count)


@router.post("/skip", summary="Skip what waits")
async def skip_deliveries(webhook_id: WebhookId, principal: Permitted, services: UsedServices) -> DeliveryCountAnswer:
    """Send nothing of what waits, and go on with what comes: the changes that were still to be looked at are left out.

    A period can be replayed later.
    """
    return DeliveryCountAnswer(deliveries=await services.webhooks.skip(principal, webhook_id))


@router.post("/ping", summary="Ping a webhook")
async def ping_webhook(webhook_id: WebhookId, principal: Permitted, services: UsedServices) -> DeliveryAnswer:
    """Send a message of the type `webhook.ping` at once, and answer what came of it: it is a delivery like others.

    It is tried once, within 15 seconds, also where the webhook is disabled. Where it is taken, deliveries that were
    held up because others had failed go on. 20 a minute at most.
    """
    return DeliveryAnswer.of(await services.ping_webhook(principal, webhook_id))


def _instant(text: str, pointer: str) -> datetime:
    try:
        found = read_moment(text)
    except ValueError as error:
        raise InvalidRequestError(pointer, str(error)) from None
    if not isinstance(found, datetime):
        raise InvalidRequestError(pointer, "expected an instant with an offset, not a day")
    return found


def _told(found: Delivery) -> dict[str, Any]:
    return {
        "number": found.number,
        "message_id": found.message_id,
        "type": found.type,
        "client_id": found.client_id,
        "state": found.state,
        "attempts": [AttemptAnswer.of(one) for one in found.attempts],
        "created_at": found.created_at,
        "due_at": found.due_at,
        "ended_at": found.ended_at,
    }
