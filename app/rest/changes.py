"""Changes: what became other about clients, to be followed from a cursor on, page by page or as they come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel, Field

from app.core.reading import Aspect, Reading
from app.core.verdict import Verdict
from app.ports.changes import AssessmentChange, Page
from app.ports.ledger import StoreUnavailableError
from app.rest.noted import note_stream
from app.rest.pages import Limit
from app.rest.problem_types import MALFORMED_REQUEST
from app.rest.problems import HttpError
from app.rest.services import Permitted, Services, UsedServices
from app.use_cases.errors import PartwiseError
from app.use_cases.keys import Principal
from app.wire.credentials import bearer_secret
from app.wire.cursors import CHANGES, MOST_CHARACTERS, Places
from app.wire.media import best_media

__all__ = ["ReadingAnswer", "place_in", "router"]

router = APIRouter(prefix="/v1", tags=["clients"])

STREAM: Final = "text/event-stream"
_JSON: Final = "application/json"
_LATEST: Final = "latest"
_PAGE_OF_STREAM: Final = 100
_HEARTBEAT: Final = 15.0
"""Seconds after which a stream says that it is still there, and looks again whether the key counts."""
_RETRY: Final = 2_000
"""Milliseconds until a reader comes again whose stream has ended."""
_PLACE: Final = r"^(?:latest|[A-Za-z0-9_-]*)$"


class ReadingAnswer(BaseModel):
    """An assessment in short."""

    score: float = Field(ge=0, le=100)
    verdict: Verdict
    client_type: str

    @classmethod
    def of(cls, found: Reading) -> Self:
        """Make it from a reading."""
        return cls(score=found.score, verdict=found.verdict, client_type=found.client_type)


class AssessmentChangeAnswer(BaseModel):
    """That a client's assessment became another one."""

    id: str = Field(description="Names the change: the same wherever and however often it is told.", examples=["17"])
    at: datetime = Field(description="When it was stored.")
    client_id: str
    as_of: datetime = Field(description="The instant that the new assessment was made for.")
    aspects: list[Aspect] = Field(
        description="What changed: the verdict, the client type, the step of ten points that the score is in. All of "
        "them with a client's first assessment."
    )
    before: ReadingAnswer | None = Field(description="The assessment before; null for a client's first.")
    after: ReadingAnswer

    @classmethod
    def of(cls, found: AssessmentChange) -> Self:
        """Make it from a change."""
        return cls(
            id=str(found.place),
            at=found.at,
            client_id=found.client_id,
            as_of=found.as_of,
            aspects=sorted(found.aspects),
            before=found.before and ReadingAnswer.of(found.before),
            after=ReadingAnswer.of(found.after),
        )


class AssessmentChangePage(BaseModel):
    """Changes in the order in which they were stored; `next` is where to go on, also where there was none."""

    items: list[AssessmentChangeAnswer]
    next: str = Field(description="The cursor to follow from: `after=`.")
    has_more: bool = Field(description="Whether there are more already.")


def _cursor(**more: Any) -> Any:
    # What is longer is refused as any other that is none.
    return {"json_schema_extra": {"maxLength": MOST_CHARACTERS, "pattern": _PLACE}, **more}


@router.get(
    "/changes",
    response_model=AssessmentChangePage,
    responses={
        200: {
            "description": "Changes, as a page or as Server-Sent Events.",
            "content": {STREAM: {"schema": {"type": "string"}}},
            "headers": {
                "X-Accel-Buffering": {
                    "description": "Of a stream: proxies are to pass it on as it comes.",
                    "schema": {"type": "string", "enum": ["no"]},
                    "example": "no",
                }
            },
        }
    },
    summary="Follow changes",
)
async def follow_changes(  # noqa: PLR0917 - parameters of the query
    request: Request,
    principal: Permitted,
    services: UsedServices,
    after: Annotated[
        str | None,
        Query(
            **_cursor(
                description="`next` of the page before, or `latest` for none of those that there are. Without it, from "
                "the oldest one on that is kept.",
                examples=[_LATEST],
            )
        ),
    ] = None,
    limit: Limit = 50,
    wait: Annotated[
        int,
        Query(ge=0, le=60, description="Seconds to wait for the first change, where there is none yet.", examples=[0]),
    ] = 0,
    last_event_id: Annotated[
        str | None,
        Header(
            **_cursor(
                description="Of a stream: goes on after this event, whatever `after` says.",
                examples=["AbCdEf0123456789"],
            )
        ),
    ] = None,
) -> Any:
    """What became other about clients: verdicts, types, steps of scores, each once it is durable.

    Every reader has every change in the same order, and nothing is added before a cursor that was given out. To begin,
    take a cursor by `after=latest`, read all clients, and follow from the cursor. Changes are kept for 30 days; with an
    older cursor the answer is 410.

    With `Accept: text/event-stream` changes come as they are stored, as Server-Sent Events named `change`, whose ids
    are cursors; who comes again with `Last-Event-ID` goes on where it was.
    """
    places = await services.cursors.of(principal.tenant_id, CHANGES)
    streams = best_media(request.headers.get("accept", "")[:1000], (_JSON, STREAM)) == STREAM
    if streams or wait:
        note_stream(request.scope)
    place = await _place(services, principal, places, after, "?after")
    seen = await _place(services, principal, places, last_event_id or None, "last-event-id:")
    if streams:
        place = place if seen is None else seen
        # Asked before the head of the answer says that all is well.
        first = await services.changes.page(principal.tenant_id, place, _PAGE_OF_STREAM)
        only_head = request.scope["state"].get("head_only", False)
        body = iter(()) if only_head else _events(request, services, principal, places, first)
        return StreamingResponse(body, media_type=STREAM, headers={"X-Accel-Buffering": "no"})
    page = await services.changes.page(principal.tenant_id, place, limit, min(wait, services.changes.longest_wait))
    items = [AssessmentChangeAnswer.of(one) for one in page.changes]
    return AssessmentChangePage(items=items, next=places.encode(str(page.place)), has_more=page.has_more)


async def _place(services: Services, principal: Principal, places: Places, given: str | None, name: str) -> int | None:
    if given is None:
        return None
    if given == _LATEST:
        return await services.changes.newest(principal.tenant_id)
    return place_in(places, given, name, f"expected `next` of a page of changes, or `{_LATEST}`")


def place_in(
    places: Places, given: str, name: str, expected: str = "expected `next` of a digest, or of a page of changes"
) -> int:
    """The place of the feed that a cursor names.

    Raises:
        HttpError: it is none.
    """
    try:
        return int(places.decode(given, 1)[0])
    except ValueError:
        raise HttpError(MALFORMED_REQUEST, expected, [{"pointer": name, "detail": expected}]) from None


async def _events(
    request: Request, services: Services, principal: Principal, places: Places, first: Page
) -> AsyncIterator[bytes]:
    """The stream: what there was, and then what comes, until the reader goes, its key ends, or the server does."""
    secret = bearer_secret(request.scope["headers"])
    # An id without data tells nobody anything, but is where a reader goes on that has had no change yet.
    began = first.place if not first.changes else first.changes[0].place - 1
    yield f"retry: {_RETRY}\nid: {places.encode(str(began))}\n\n".encode()
    yield _told(places, first)
    pages = services.changes.pages(principal.tenant_id, first.place, _PAGE_OF_STREAM, _HEARTBEAT)
    looked = asyncio.get_running_loop().time()
    try:
        async with aclosing(pages):
            async for page in pages:
                if (now := asyncio.get_running_loop().time()) - looked >= _HEARTBEAT:
                    await services.authenticate(secret, principal.request_id)
                    looked = now
                yield _told(places, page) or KEEPALIVE_COMMENT
    except (PartwiseError, StoreUnavailableError):
        # The head is sent; whoever comes again is told by a status.
        return


def _told(places: Places, page: Page) -> bytes:
    return b"".join(
        format_sse_event(
            data_str=AssessmentChangeAnswer.of(one).model_dump_json(), event="change", id=places.encode(str(one.place))
        )
        for one in page.changes
    )
