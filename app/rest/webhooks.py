"""Webhooks: where a tenant wants to be told what becomes other: made, changed, enabled, their secrets rotated."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.core.reading import Aspect
from app.core.strategies import APPROACHES
from app.core.verdict import Verdict
from app.ports.webhooks import DisabledReason, Filter, MessageType, Progress, Webhook, WebhookState
from app.rest.bodies import JsonRoute
from app.rest.etags import TagsOfWebhook, quoted
from app.rest.idempotency import RequestId
from app.rest.pages import Limit, Listed, read_place
from app.rest.parameters import NAME_PATTERN, overlap_schema
from app.rest.services import Permitted, UsedServices
from app.use_cases.seen_webhooks import SecretWebhook, SeenWebhook
from app.use_cases.webhook_urls import LONGEST_URL
from app.use_cases.webhooks import LONGEST_OVERLAP
from app.wire.durations import read_duration
from app.wire.resource_tags import WebhookTags

__all__ = ["WebhookId", "router"]

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=JsonRoute)

_EXAMPLE = "1c9a6f0e-9a53-4f0e-8a55-0d1f6a7b2c3d"
_MOST_SOURCES = 50
WebhookId = Annotated[
    str,
    Path(max_length=64, pattern=r"^[0-9A-Za-z-]{1,64}$", description="`webhook_id` of a webhook.", examples=[_EXAMPLE]),
]
_OVERLAP = (
    "How long the secrets before sign beside the new one: seconds, or an ISO 8601 duration such as P1D or PT1H; "
    f"at most {LONGEST_OVERLAP.days} days."
)

_Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_URL,
        description="Where messages are sent: https, without a name and a password, and without a fragment.",
        examples=["https://crm.example/partwise"],
    ),
]
_Description = Annotated[str, Field(max_length=500, pattern=NAME_PATTERN, description="For people.")]
_Types = Annotated[
    list[Annotated[Literal["assessment.changed", "webhook.disabled"], Field()]],
    Field(min_length=1, max_length=10, description="Which messages; a ping comes to whoever asks for it."),
]
_Verdicts = Annotated[
    list[Annotated[Verdict, Field(strict=False)]],
    Field(
        max_length=20,
        description="Only changes of clients that have one of these verdicts before or after: whoever asks for `part` "
        "is told as well when a client is no longer to be parted with. None for all.",
    ),
]
_ClientTypes = Annotated[
    list[Annotated[str, Field(max_length=100, json_schema_extra={"enum": sorted(APPROACHES)})]],
    Field(max_length=50, description="Only changes of clients that are of one of these types before or after."),
]
_Aspects = Annotated[
    list[Annotated[Aspect, Field(strict=False)]],
    Field(max_length=20, description="Only changes of one of these at least."),
]
_Sources = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200, pattern=NAME_PATTERN)]],
    Field(max_length=_MOST_SOURCES, description="Only changes of clients of which one of these sources has told."),
]


class WebhookBody(BaseModel):
    """A webhook to make: where messages are sent, and which."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: _Url
    description: _Description = ""
    types: _Types = ["assessment.changed"]
    verdicts: _Verdicts = []
    client_types: _ClientTypes = []
    aspects: _Aspects = []
    sources: _Sources = []

    @property
    def wanted(self) -> Filter:
        """What is to be sent."""
        return Filter(
            frozenset(map(MessageType, self.types)),
            frozenset(self.verdicts),
            frozenset(self.client_types),
            frozenset(self.aspects),
            frozenset(self.sources),
        )


class WebhookPatch(BaseModel):
    """What is to be other about a webhook; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # What is left out is known by not being set: the defaults stand for nothing, and null is no value of any.
    url: _Url = Field(default_factory=str)
    description: _Description = Field(default_factory=str)
    types: _Types = Field(default_factory=list)
    verdicts: _Verdicts = Field(default_factory=list)
    client_types: _ClientTypes = Field(default_factory=list)
    aspects: _Aspects = Field(default_factory=list)
    sources: _Sources = Field(default_factory=list)

    def applied(self, before: Webhook) -> Webhook:
        """The webhook as it is to be."""
        given = self.model_dump(exclude_unset=True)
        own = {name: given[name] for name in ("url", "description") if name in given}
        wanted: dict[str, Any] = {name: frozenset(value) for name, value in given.items() if name not in own}
        if "types" in wanted:
            wanted["types"] = frozenset(map(MessageType, wanted["types"]))
        return replace(before, **own, wanted=replace(before.wanted, **wanted))


class SecretRotationBody(BaseModel):
    """How to rotate the secret of a webhook."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlap: Annotated[
        timedelta,
        BeforeValidator(read_duration),
        overlap_schema("P1D", 3600),
        Field(description=_OVERLAP),
    ] = timedelta(days=1)


class DisabledAnswer(BaseModel):
    """Since when a webhook is disabled, and why."""

    at: datetime
    reason: DisabledReason = Field(
        description="`requested`: somebody did it. `gone`: its receiver answered 410. `failed`: the last try of a "
        "delivery failed."
    )


class DeliveringAnswer(BaseModel):
    """How a webhook does."""

    behind: int = Field(description="Changes that are still to be looked at.")
    pending: int = Field(description="Deliveries that were begun and are not over, counted up to 1,000.")
    failures: int = Field(description="Tries that failed since the last that did not.")
    failing_since: datetime | None = Field(description="When the first of them was.")
    paused_until: datetime | None = Field(
        description="Until then nothing is tried, as several have failed; null where nothing holds it up."
    )
    delivered_at: datetime | None = Field(description="When the last delivery was taken; null before the first.")

    @classmethod
    def of(cls, found: Progress) -> Self:
        """Make it from how far it has come."""
        return cls(
            behind=found.behind,
            pending=found.pending,
            failures=found.failures,
            failing_since=found.failing_since,
            paused_until=found.paused_until,
            delivered_at=found.delivered_at,
        )


class WebhookAnswer(BaseModel):
    """A webhook, without its secrets."""

    webhook_id: str
    url: str
    description: str
    types: list[MessageType]
    verdicts: list[Verdict]
    client_types: list[str]
    aspects: list[Aspect]
    sources: list[str]
    state: WebhookState
    disabled: DisabledAnswer | None = Field(description="Null where it is enabled.")
    created_at: datetime
    secret_created_at: datetime = Field(description="When the secret was made that it is signed with.")
    overlap_ends_at: datetime | None = Field(
        description="Until when a former secret signs beside the present one; null where none does."
    )
    delivering: DeliveringAnswer

    @classmethod
    def of(cls, found: SeenWebhook) -> Self:
        """Make it from a webhook."""
        return cls(**_told(found))


class SecretWebhookAnswer(WebhookAnswer):
    """A webhook with its newest secret, which is shown this once."""

    secret: str = Field(
        description="What its messages are signed with, as Standard Webhooks has it. It cannot be shown again: rotate "
        "where it is lost."
    )

    @classmethod
    def issued(cls, found: SecretWebhook) -> Self:
        """Make it from a webhook with its secret."""
        return cls(**_told(found.seen), secret=found.secret)


class WebhookPage(BaseModel):
    """Webhooks, the oldest first; `next` is the cursor of the next page."""

    items: list[WebhookAnswer]
    next: str | None


@router.get("", summary="List webhooks")
async def list_webhooks(principal: Permitted, services: UsedServices, listed: Listed, limit: Limit = 50) -> WebhookPage:
    """All webhooks of the tenant, the oldest first."""
    parts = listed.begins_after(2)
    after = None if parts is None else (read_place(parts[0]), parts[1])
    page, has_more = await services.webhooks.page(principal.tenant_id, after, limit)
    last = page[-1].webhook if has_more else None
    following = None if last is None else listed.following(last.created_at.isoformat(), last.webhook_id)
    return WebhookPage(items=[WebhookAnswer.of(one) for one in page], next=following)


@router.post("", status_code=201, summary="Make a webhook")
async def create_webhook(  # noqa: PLR0917 - each is a part of the request
    body: WebhookBody,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    request_id: RequestId,
    tags: TagsOfWebhook,
) -> SecretWebhookAnswer:
    """Have messages sent to a URL from now on, for what the filters let through: each of them has to.

    The secret that they are signed with is in the answer, this once. The URL is not asked for anything: a ping tells
    whether it works.
    """
    found = await services.webhooks.add(principal, body.url, body.description, body.wanted, request_id=request_id)
    response.headers["Location"] = f"/v1/webhooks/{found.seen.webhook.webhook_id}"
    response.headers["Cache-Control"] = "no-store"
    response.headers["ETag"] = quoted(tags.of(found.seen))
    return SecretWebhookAnswer.issued(found)


@router.get("/{webhook_id}", summary="Get a webhook")
async def get_webhook(
    webhook_id: WebhookId, response: Response, principal: Permitted, services: UsedServices, tags: TagsOfWebhook
) -> WebhookAnswer:
    """One webhook and how it does, without its secrets."""
    return _answered(await services.webhooks.one(principal.tenant_id, webhook_id), response, tags)


@router.patch("/{webhook_id}", summary="Change a webhook")
async def change_webhook(  # noqa: PLR0917 - each is a part of the request
    webhook_id: WebhookId,
    body: WebhookPatch,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    tags: TagsOfWebhook,
) -> WebhookAnswer:
    """Change where messages are sent, and which; what is left out stays.

    Deliveries that wait are sent to the new URL. With `If-Match` a webhook that has another `ETag` stays as it is; what
    was delivered meanwhile is no matter.
    """
    found = await services.webhooks.change(principal, webhook_id, body.applied, _fits(tags))
    return _answered(found, response, tags)


@router.delete("/{webhook_id}", status_code=204, response_class=Response, summary="Remove a webhook")
async def remove_webhook(
    webhook_id: WebhookId, principal: Permitted, services: UsedServices, tags: TagsOfWebhook
) -> Response:
    """Remove a webhook with its secrets and deliveries: what waits is not sent any more.

    With `If-Match` a webhook that has another `ETag` stays.
    """
    await services.webhooks.remove(principal, webhook_id, _fits(tags))
    return Response(status_code=204)


@router.post("/{webhook_id}/rotate", summary="Rotate the secret of a webhook")
async def rotate_webhook(  # noqa: PLR0917 - each is a part of the request
    webhook_id: WebhookId,
    body: SecretRotationBody,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    request_id: RequestId,
    tags: TagsOfWebhook,
) -> SecretWebhookAnswer:
    """Sign with another secret, which is in the answer, this once; until the overlap ends with the former one, too.

    So messages have several signatures meanwhile, and receivers take either. With an overlap of 0 every former secret
    ends now. With `If-Match` a webhook that has another `ETag` stays as it is.
    """
    found = await services.webhooks.rotate(principal, webhook_id, body.overlap, _fits(tags), request_id=request_id)
    response.headers["Cache-Control"] = "no-store"
    response.headers["ETag"] = quoted(tags.of(found.seen))
    return SecretWebhookAnswer.issued(found)


@router.post("/{webhook_id}/enable", summary="Enable a webhook")
async def enable_webhook(
    webhook_id: WebhookId, response: Response, principal: Permitted, services: UsedServices, tags: TagsOfWebhook
) -> WebhookAnswer:
    """Deliver again, from where it was left off, in order, with what had failed first; once more is harmless.

    What is wanted no more can be skipped before.
    """
    return _answered(await services.webhooks.enable(principal, webhook_id, _fits(tags)), response, tags)


@router.post("/{webhook_id}/disable", summary="Disable a webhook")
async def disable_webhook(
    webhook_id: WebhookId, response: Response, principal: Permitted, services: UsedServices, tags: TagsOfWebhook
) -> WebhookAnswer:
    """Deliver nothing until it is enabled: what comes meanwhile waits, for as long as changes are kept.

    Once more is harmless.
    """
    return _answered(await services.webhooks.disable(principal, webhook_id, _fits(tags)), response, tags)


def _answered(found: SeenWebhook, response: Response, tags: WebhookTags) -> WebhookAnswer:
    response.headers["ETag"] = quoted(tags.of(found))
    return WebhookAnswer.of(found)


def _fits(tags: WebhookTags) -> Callable[[Webhook], bool] | None:
    return tags.fit if tags.conditions else None


def _told(found: SeenWebhook) -> dict[str, Any]:
    one, wanted = found.webhook, found.webhook.wanted
    disabled = None if one.disabled is None else DisabledAnswer(at=one.disabled.at, reason=one.disabled.reason)
    return {
        "webhook_id": one.webhook_id,
        "url": one.url,
        "description": one.description,
        "types": sorted(wanted.types),
        "verdicts": sorted(wanted.verdicts),
        "client_types": sorted(wanted.client_types),
        "aspects": sorted(wanted.aspects),
        "sources": sorted(wanted.sources),
        "state": one.state,
        "disabled": disabled,
        "created_at": one.created_at,
        "secret_created_at": found.progress.secret_created_at,
        "overlap_ends_at": found.progress.overlap_ends_at,
        "delivering": DeliveringAnswer.of(found.progress),
    }
