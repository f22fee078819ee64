"""The audit log: who changed what and when."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.ports.audit import Action, AuditEntry, AuditFilter, client_subject
from app.rest.pages import Limit, Listed, read_place
from app.rest.parameters import MOMENT, NAME_PATTERN, moment
from app.rest.services import Permitted, UsedServices
from app.use_cases.errors import InvalidRequestError

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["access"])

_EXAMPLE = "api_key:4f7e6a52-6a0c-4a5e-9c39-0d7b6a1f2b3c"


def _text(description: str, example: str, most: int = 600) -> Any:
    return Query(min_length=1, max_length=most, pattern=NAME_PATTERN, description=description, examples=[example])


def _moment(description: str, example: str) -> Any:
    return Query(max_length=40, json_schema_extra=MOMENT, description=description, examples=[example])


class AuditEntryAnswer(BaseModel):
    """One change."""

    id: str
    at: datetime
    actor: str = Field(
        description="`key:` and the key's id, `user:` and issuer and subject of a token, `cli` or `worker`."
    )
    action: Action
    subject: str = Field(
        description="`api_key:…`, `webhook:…`, `policy:…`, `tenant:…`; or `client:` and SHA-256 of the client's id, "
        "in hex."
    )
    details: dict[str, Any] = Field(description="What else is worth knowing; nothing personal, and no secret.")
    request_id: str | None = Field(description="Of the request that did it.")

    @classmethod
    def of(cls, found: AuditEntry) -> Self:
        """Make it from an entry."""
        return cls(
            id=found.entry_id,
            at=found.at,
            actor=found.actor,
            action=found.action,
            subject=found.subject,
            details=dict(found.details),
            request_id=found.request_id,
        )


class AuditPage(BaseModel):
    """Changes, the newest first; `next` is the cursor of the next page."""

    items: list[AuditEntryAnswer]
    next: str | None


@router.get("/audit-log", summary="List changes")
async def list_audit_log(  # noqa: PLR0917 - query parameters
    principal: Permitted,
    services: UsedServices,
    listed: Listed,
    actor: Annotated[str | None, _text("Only what this one did.", "cli")] = None,
    action: Annotated[Action | None, Query(description="Only this.", examples=["client.erased"])] = None,
    subject: Annotated[str | None, _text("Only what was done to this.", _EXAMPLE)] = None,
    client_id: Annotated[str | None, _text("Only what was done to this client.", "acme", 200)] = None,
    since: Annotated[str | None, _moment("Only what was done at this instant or later.", "2026-01-01")] = None,
    until: Annotated[str | None, _moment("Only what was done before.", "2026-12-31T23:59:59Z")] = None,
    limit: Limit = 50,
) -> AuditPage:
    """Who changed what and when, the newest first; `since <= at < until`, instants or days."""
    if client_id is not None:
        if subject is not None:
            raise InvalidRequestError("?client_id", "expected only one of client_id and subject")
        subject = client_subject(client_id)
    times = [
        await services.assess.moment(moment(text, name), principal.tenant_id) if text is not None else None
        for text, name in ((since, "since"), (until, "until"))
    ]
    wanted = AuditFilter(actor, action, subject, *times)
    parts = listed.begins_after(2)
    before = None if parts is None else (read_place(parts[0]), parts[1])
    found = await services.audit.page(principal.tenant_id, wanted, before, limit + 1)
    page = found[:limit]
    following = listed.following(page[-1].at.isoformat(), page[-1].entry_id) if len(found) > limit else None
    return AuditPage(items=[AuditEntryAnswer.of(one) for one in page], next=following)
