"""Policies: draft, look at, preview and activate versions of the scoring settings."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from app.core.verdict import Verdict
from app.ports.policies import PolicyRecord
from app.rest.bodies import JsonRoute
from app.rest.etags import TagsOfPolicy, quoted, require_match
from app.rest.idempotency import RequestId
from app.rest.pages import Limit, Listed
from app.rest.parameters import NAME_PATTERN
from app.rest.services import Manager, Reader, UsedServices
from app.rest.viewpoint import Viewed
from app.use_cases.assess_clients import Preview
from app.wire.policies import PolicySettings

__all__ = ["router"]

router = APIRouter(prefix="/v1/policies", tags=["policies"], route_class=JsonRoute)

_MOST_CHANGES = 200
_VERSION = r"^[a-z0-9-]{1,40}$"

Version = Annotated[
    str, Path(pattern=_VERSION, max_length=40, description="Such as v3, or default-1.", examples=["default-1"])
]


class PolicyBody(BaseModel):
    """A new version: what changes against the one that it is based on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    settings: dict[str, Any] = Field(
        description="A JSON Merge Patch (RFC 7396) of the settings: what is left out stays, null takes the default.",
        examples=[{"late": {"grace_days": 3}, "calendar": {"zone": "Europe/Berlin", "country": "DE"}}],
    )
    based_on: (
        Annotated[str, Field(pattern=_VERSION, max_length=40, description="By default the active version.")] | None
    ) = None
    note: Annotated[str, Field(max_length=500, pattern=NAME_PATTERN, description="Why, for people.")] | None = None


class PolicySummary(BaseModel):
    """One version; it never changes."""

    version: str
    active: bool
    based_on: str
    note: str | None
    created_at: datetime
    activated_at: datetime | None = Field(description="When it was activated last; null for a draft.")


class PolicyAnswer(PolicySummary):
    """One version with all its settings."""

    settings: PolicySettings  # type: ignore[valid-type]

    @classmethod
    def of(cls, found: PolicyRecord, active: str) -> Self:
        """Make it from a record."""
        settings = PolicySettings.model_validate_json(found.settings)
        return cls(**_summary(found, active), settings=settings)


class PolicyList(BaseModel):
    """Versions, the newest first; `next` is the cursor of the next page."""

    items: list[PolicySummary]
    next: str | None


class ChangeAnswer(BaseModel):
    """A client whose verdict would change."""

    client_id: str
    verdict_before: Verdict
    verdict: Verdict
    score_before: float
    score: float


class PreviewAnswer(BaseModel):
    """What activating a version would change: who gets another verdict, those whose score moves most first."""

    version: str
    active_version: str
    as_of: datetime
    clients: int
    before: dict[Verdict, int] = Field(description="Clients by verdict, with the active version.")
    after: dict[Verdict, int] = Field(description="Clients by verdict, with this one.")
    changed: int
    changes: list[ChangeAnswer] = Field(description=f"{_MOST_CHANGES} at most.")

    @classmethod
    def of(cls, found: Preview) -> Self:
        """Make it from a preview."""
        return cls(
            version=found.version,
            active_version=found.active_version,
            as_of=found.as_of,
            clients=sum(found.before.values()),
            before=dict(found.before),
            after=dict(found.after),
            changed=len(found.changes),
            changes=[
                ChangeAnswer(
                    client_id=one.client_id,
                    verdict_before=one.before.verdict,
                    verdict=one.after.verdict,
                    score_before=one.before.score,
                    score=one.after.score,
                )
                for one in found.changes[:_MOST_CHANGES]
            ],
        )


@router.post("", status_code=201, summary="Draft a policy")
async def draft_policy(  # noqa: PLR0917 - each is a part of the request
    body: PolicyBody,
    response: Response,
    principal: Manager,
    services: UsedServices,
    request_id: RequestId,
    tags: TagsOfPolicy,
) -> PolicyAnswer:
    """Make a new version from the active one, or from another. It counts for nothing until it is activated."""
    tenant_id = principal.tenant_id
    # Before the draft: of what is activated in between, the tag is not to know.
    active, activation = await services.policies.activation(tenant_id)
    found = await services.policies.draft(
        tenant_id, body.settings, body.based_on, body.note, principal.actor, request_id=request_id
    )
    response.headers["Location"] = f"/v1/policies/{found.version}"
    response.headers["ETag"] = quoted(tags.of(found.version, activation))
    return PolicyAnswer.of(found, active)


@router.get("", summary="List policies")
async def list_policies(principal: Reader, services: UsedServices, listed: Listed, limit: Limit = 50) -> PolicyList:
    """All versions; the default one, which holds until another is activated, is the last."""
    parts = listed.begins_after(1)
    found, more = await services.policies.page(principal.tenant_id, None if parts is None else parts[0], limit)
    active = await services.policies.active_version(principal.tenant_id)
    return PolicyList(
        items=[PolicySummary(**_summary(one, active)) for one in found],
        next=listed.following(found[-1].version) if more else None,
    )


@router.get("/{version}", summary="Get a policy")
async def get_policy(
    version: Version, response: Response, principal: Reader, services: UsedServices, tags: TagsOfPolicy
) -> PolicyAnswer:
    """One version with all its settings. Its `ETag` is another one as soon as any version is activated."""
    # Before the version: of what is activated in between, the tag may know too little, and never too much.
    active, activation = await services.policies.activation(principal.tenant_id)
    found = await services.policies.record(principal.tenant_id, version)
    response.headers["ETag"] = quoted(tags.of(version, activation))
    return PolicyAnswer.of(found, active)


@router.get("/{version}/preview", summary="Preview a policy")
async def preview_policy(
    version: Version, principal: Reader, services: UsedServices, viewpoint: Viewed
) -> PreviewAnswer:
    """Which clients would get another verdict if this version were active."""
    return PreviewAnswer.of(await services.assess.preview(principal.tenant_id, viewpoint, version))


@router.post("/{version}/activate", summary="Activate a policy")
async def activate_policy(  # noqa: PLR0917 - each is a part of the request
    version: Version,
    response: Response,
    principal: Manager,
    services: UsedServices,
    request_id: RequestId,
    tags: TagsOfPolicy,
) -> PolicyAnswer:
    """Let a version count from now on, for every answer; an earlier one can be activated again.

    `If-Match` names the version by its `ETag`, which tells whether another one was activated since; `*` does it anyway.
    """
    tenant_id = principal.tenant_id
    await services.policies.record(tenant_id, version)
    require_match(tags.conditions, f"/v1/policies/{version}")
    found = await services.policies.activate(
        tenant_id, version, principal.actor, request_id=request_id, fits=partial(tags.fit, version)
    )
    active, activation = await services.policies.activation(tenant_id)
    response.headers["Content-Location"] = f"/v1/policies/{version}"
    response.headers["ETag"] = quoted(tags.of(version, activation))
    return PolicyAnswer.of(found, active)


def _summary(found: PolicyRecord, active: str) -> dict[str, Any]:
    return {
        "version": found.version,
        "active": found.version == active,
        "based_on": found.based_on,
        "note": found.note,
        "created_at": found.created_at,
        "activated_at": found.activated_at,
    }
