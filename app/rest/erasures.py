"""Erasures: erase a client, and what stays to prove it."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Self

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from app.ports.erasures import Erasure
from app.rest.etags import TagsOfClient
from app.rest.pages import Limit, Listed, read_place
from app.rest.paths import ClientIdPath
from app.rest.services import Manager, UsedServices

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["clients"])

_DIGEST = "SHA-256 of the client's id in UTF-8, in hex."
_HEX = r"^[0-9a-f]{64}$"
_EXAMPLE = sha256(b"acme").hexdigest()


class ErasureAnswer(BaseModel):
    """What stays of an erased client: a tombstone that tells nothing of it but that it was erased."""

    digest: str = Field(pattern=_HEX, description=_DIGEST)
    erased_at: datetime = Field(description="Since when the client is unknown and its events are refused.")
    finished_at: datetime | None = Field(description="When the last row about it was gone; null while some are left.")

    @classmethod
    def of(cls, found: Erasure) -> Self:
        """Make it from a tombstone."""
        return cls(digest=found.digest.hex(), erased_at=found.erased_at, finished_at=found.finished_at)


class ErasurePage(BaseModel):
    """Erasures by time; `next` is the cursor of the next page."""

    items: list[ErasureAnswer]
    next: str | None


@router.delete(
    "/clients/{client_id}",
    status_code=204,
    response_class=Response,
    responses={
        202: {
            "model": ErasureAnswer,
            "description": "Erased: nobody sees the client any more, and its last rows are removed later.",
            "headers": {"Location": {"description": "Tells when that is done.", "schema": {"type": "string"}}},
        },
        204: {"description": "Erased, and every row about it is gone."},
    },
    summary="Erase a client",
)
async def erase_client(
    client_id: ClientIdPath, principal: Manager, services: UsedServices, tags: TagsOfClient
) -> Response:
    """Erase a client with its events and all that was made of them, for good.

    From now on the client is unknown and its events are refused, late ones too. Erasing it again is harmless.

    With `If-Match` a client that has another `ETag` stays.
    """
    fits = tags.fit if tags.conditions else None
    found = await services.erase(principal.tenant_id, client_id, principal.actor, fits)
    if found.finished_at is not None:
        return Response(status_code=204)
    answer = ErasureAnswer.of(found)
    headers = {"Location": f"/v1/erasures/{answer.digest}"}
    return JSONResponse(answer.model_dump(mode="json"), 202, headers)


@router.get("/erasures", summary="List erasures")
async def list_erasures(principal: Manager, services: UsedServices, listed: Listed, limit: Limit = 50) -> ErasurePage:
    """Which clients were erased and when, oldest first, by the digests of their ids."""
    parts = listed.begins_after(2)
    after = None if parts is None else (read_place(parts[0]), bytes.fromhex(parts[1]))
    page, following = await services.erase.page(principal.tenant_id, after, limit)
    place = listed.following(following[0].isoformat(), following[1].hex()) if following else None
    return ErasurePage(items=[ErasureAnswer.of(one) for one in page], next=place)


@router.get("/erasures/{digest}", summary="Get an erasure")
async def get_erasure(
    digest: Annotated[str, Path(pattern=_HEX, max_length=64, description=_DIGEST, examples=[_EXAMPLE])],
    principal: Manager,
    services: UsedServices,
) -> ErasureAnswer:
    """Whether and when the client was erased whose id has this digest."""
    return ErasureAnswer.of(await services.erase.one(principal.tenant_id, bytes.fromhex(digest)))
