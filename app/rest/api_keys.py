"""API keys: list, make, rotate and revoke them."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.ports.tenants import ApiKey, Scope
from app.rest.bodies import JsonRoute
from app.rest.etags import TagsOfKey, quoted
from app.rest.idempotency import RequestId
from app.rest.pages import Limit, Listed, read_place
from app.rest.parameters import NAME_PATTERN, overlap_schema
from app.rest.services import Permitted, UsedServices
from app.use_cases.errors import InvalidRequestError
from app.use_cases.keys import LONGEST_OVERLAP, IssuedKey
from app.wire.durations import read_duration
from app.wire.moments import read_moment

__all__ = ["router"]

router = APIRouter(prefix="/v1/api-keys", tags=["access"], route_class=JsonRoute)

_EXAMPLE = "4f7e6a52-6a0c-4a5e-9c39-0d7b6a1f2b3c"
KeyId = Annotated[
    str, Path(max_length=64, pattern=r"^[0-9A-Za-z-]{1,64}$", description="`key_id` of a key.", examples=[_EXAMPLE])
]
KeyScope = Annotated[Scope, Field(strict=False)]
_OVERLAP = (
    "How long the secret before works beside the new one: seconds, or an ISO 8601 duration such as P7D or PT1H; "
    f"at most {LONGEST_OVERLAP.days} days."
)


class ApiKeyBody(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=NAME_PATTERN, description="For people.")]
    scopes: Annotated[
        list[KeyScope],
        Field(
            min_length=1,
            max_length=10,
            description="What it may do: none that the caller may not do.",
            examples=[["read"]],
        ),
    ]
    expires_at: (
        Annotated[
            str,
            Field(
                max_length=40,
                description="When it ends, an instant with an offset; null for never.",
                json_schema_extra={"format": "date-time"},
            ),
        ]
        | None
    ) = None


class RotationBody(BaseModel):
    """How to rotate a key."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlap: Annotated[
        timedelta,
        BeforeValidator(read_duration),
        overlap_schema("P7D", 3600),
        Field(description=_OVERLAP),
    ] = timedelta(days=1)


class ApiKeyAnswer(BaseModel):
    """A key, without its secret."""

    key_id: str
    name: str
    hint: str = Field(description="The first characters of the secret, to tell keys apart.")
    scopes: list[Scope]
    status: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None = Field(description="When it ends by itself; null for never.")
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Noted once a minute; null for never.")
    overlap_ends_at: datetime | None = Field(
        description="Until when a former secret works beside the present one; null where none does."
    )

    @classmethod
    def of(cls, found: ApiKey, now: datetime) -> Self:
        """Make it from a key."""
        return cls(**_told(found, now))


class IssuedKeyAnswer(ApiKeyAnswer):
    """A key with its secret, which is shown this once."""

    secret: str = Field(description="The key itself: keep it where secrets are kept. It cannot be shown again.")

    @classmethod
    def issued(cls, found: IssuedKey, now: datetime) -> Self:
        """Make it from a key with its secret."""
        return cls(**_told(found.key, now), secret=found.secret)


class ApiKeyPage(BaseModel):
    """Keys, oldest first; `next` is the cursor of the next page."""

    items: list[ApiKeyAnswer]
    next: str | None


@router.get("", summary="List API keys")
async def list_api_keys(principal: Permitted, services: UsedServices, listed: Listed, limit: Limit = 50) -> ApiKeyPage:
    """All keys of the tenant, oldest first; those that have ended too."""
    parts = listed.begins_after(2)
    after = None if parts is None else (read_place(parts[0]), parts[1])
    page, following = await services.keys.page(principal.tenant_id, after, limit)
    place = listed.following(following[0].isoformat(), following[1]) if following else None
    now = services.assess.now()
    return ApiKeyPage(items=[ApiKeyAnswer.of(one, now) for one in page], next=place)


@router.post("", status_code=201, summary="Make an API key")
async def create_api_key(  # noqa: PLR0917 - each is a part of the request
    body: ApiKeyBody,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    request_id: RequestId,
    tags: TagsOfKey,
) -> IssuedKeyAnswer:
    """Make a key. Its secret is in the answer, this once. It cannot have scopes that the caller does not have."""
    scopes, expires_at = frozenset(body.scopes), _instant(body.expires_at)
    found = await services.keys.issue(principal.tenant_id, body.name, scopes, expires_at, principal, key_id=request_id)
    response.headers["Location"] = f"/v1/api-keys/{found.key.key_id}"
    response.headers["Cache-Control"] = "no-store"
    answer = IssuedKeyAnswer.issued(found, services.assess.now())
    response.headers["ETag"] = quoted(tags.of(found.key, answer.status))
    return answer


@router.get("/{key_id}", summary="Get an API key")
async def get_api_key(
    key_id: KeyId, response: Response, principal: Permitted, services: UsedServices, tags: TagsOfKey
) -> ApiKeyAnswer:
    """One key, without its secret."""
    found = await services.keys.one(principal.tenant_id, key_id)
    answer = ApiKeyAnswer.of(found, services.assess.now())
    response.headers["ETag"] = quoted(tags.of(found, answer.status))
    return answer


@router.post("/{key_id}/rotate", summary="Rotate an API key")
async def rotate_api_key(  # noqa: PLR0917 - each is a part of the request
    key_id: KeyId,
    body: RotationBody,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    request_id: RequestId,
    tags: TagsOfKey,
) -> IssuedKeyAnswer:
    """Give a key another secret, which is in the answer, this once; the secret before works until the overlap ends.

    The key stays the same: its id, name, scopes and `expires_at`. With an overlap of 0 every former secret ends now.
    With `If-Match` a key that has another `ETag` stays as it is; that it was used meanwhile is no matter.
    """
    fits = tags.fit if tags.conditions else None
    found = await services.keys.rotate(
        principal.tenant_id, key_id, body.overlap, principal, fits, request_id=request_id
    )
    response.headers["Cache-Control"] = "no-store"
    answer = IssuedKeyAnswer.issued(found, services.assess.now())
    response.headers["ETag"] = quoted(tags.of(found.key, answer.status))
    return answer


@router.delete("/{key_id}", status_code=204, response_class=Response, summary="Revoke an API key")
async def revoke_api_key(
    key_id: KeyId,
    principal: Permitted,
    services: UsedServices,
    tags: TagsOfKey,
    force: Annotated[
        bool, Query(description="Also if it is the last key that can manage keys.", examples=[True])
    ] = False,
) -> Response:
    """End a key with all its secrets: within seconds, on every server. Once more is harmless.

    The last key with the scope `manage` is kept (409), unless `force` is true. With `If-Match` a key that has another
    `ETag` stays.
    """
    fits = tags.fit if tags.conditions else None
    await services.keys.revoke(principal.tenant_id, key_id, principal, force=force, fits=fits)
    return Response(status_code=204)


def _told(found: ApiKey, now: datetime) -> dict[str, Any]:
    ended = "revoked" if found.revoked_at is not None else "expired"
    return {
        "key_id": found.key_id,
        "name": found.name,
        "hint": found.hint,
        "scopes": sorted(found.scopes),
        "status": ended if found.ended(now) else "active",
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "revoked_at": found.revoked_at,
        "last_used_at": found.last_used_at,
        "overlap_ends_at": None if found.ended(now) else found.overlap_ends_at,
    }


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = read_moment(text)
    except ValueError as error:
        raise InvalidRequestError("/expires_at", str(error)) from None
    if not isinstance(found, datetime):
        raise InvalidRequestError("/expires_at", "expected an instant with an offset, not a day")
    return found
