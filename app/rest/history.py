"""Time travel over many instants: a client's history as a series, and the timeline of its events."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.core.assessment import Assessment, EvidenceLevel
from app.core.course import Pace
from app.core.events import EventRef, Mark
from app.core.timeline import Effect, Place
from app.core.verdict import Verdict
from app.rest.answers import Interval, Moved
from app.rest.etags import AskedOnce
from app.rest.pages import Listed, Page, read_place
from app.rest.parameters import DAY, moment
from app.rest.paths import ClientIdPath
from app.rest.services import Reader, UsedServices
from app.rest.viewpoint import Viewed
from app.use_cases.errors import InvalidRequestError
from app.use_cases.viewpoint import Viewpoint

__all__ = ["router"]

router = APIRouter(prefix="/v1/clients", tags=["clients"])


class HistoryStep(BaseModel):
    """How the relationship stood at an instant; `decibans` by sign."""

    as_of: datetime
    score: float
    interval: Interval
    verdict: Verdict
    evidence_level: EvidenceLevel
    decibans: dict[str, float]

    @classmethod
    def of(cls, found: Assessment) -> Self:
        """Make it from an assessment."""
        return cls(
            as_of=found.as_of,
            score=found.score,
            interval=Interval(low=found.interval.low, high=found.interval.high),
            verdict=found.verdict,
            evidence_level=found.evidence_level,
            decibans={part.sign.name: part.decibans for part in found.signs},
        )


class HistoryAnswer(BaseModel):
    """The series, oldest first; every step is held against the portfolio of the last one's day."""

    client_id: str
    step: Pace
    known_at: datetime | None
    policy_version: str
    items: list[HistoryStep]


class TimelineEvent(BaseModel):
    """One event, the score right before and after it, and which signs it moved; their points add up to `change`."""

    id: str
    source: str
    type: str
    time: datetime
    recorded_at: datetime
    score_before: float
    score: float
    change: float
    verdict: Verdict
    moved: list[Moved]

    @classmethod
    def of(cls, found: Effect) -> Self:
        """Make it from an effect."""
        event = found.event
        return cls(
            id=event.id,
            source=event.source,
            type=event.type,
            time=event.time,
            recorded_at=event.recorded_at,
            score_before=found.after.score - found.moved.score,
            score=found.after.score,
            change=found.moved.score,
            verdict=found.after.verdict,
            moved=[Moved.of(one) for one in found.moved.moved],
        )


class TimelinePage(BaseModel):
    """Events, the newest first; `next` is the cursor of the next page."""

    client_id: str
    items: list[TimelineEvent]
    next: str | None


@router.get("/{client_id}/history", summary="Get a client's history")
async def get_history(  # noqa: PLR0917 - each is a parameter of the request
    client_id: ClientIdPath,
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    asked: AskedOnce,
    step: Annotated[
        Pace, Query(description="Ends of days, weeks (Sundays) or months, in your zone.", examples=["month"])
    ] = Pace.WEEK,
    begins: Annotated[
        str | None,
        Query(
            alias="from",
            max_length=40,
            json_schema_extra=DAY,
            description="A day of the first step. By default 90 days, 52 weeks or two years before the last.",
            examples=["2026-01-01"],
        ),
    ] = None,
) -> HistoryAnswer:
    """How the relationship stood step by step, up to `as_of`; at most 400 steps."""
    first = moment(begins, "from")
    if isinstance(first, datetime):
        raise InvalidRequestError("?from", "expected a day such as 2026-03-31")
    await asked.refuse_unchanged(principal.tenant_id, client_id, viewpoint)
    case = await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)
    found = await case.history(step, first)
    asked.label(case)
    return HistoryAnswer(
        client_id=client_id,
        step=step,
        known_at=viewpoint.known_at,
        policy_version=found[-1].policy_version,
        items=[HistoryStep.of(one) for one in found],
    )


@router.get("/{client_id}/timeline", summary="Get a client's timeline")
async def get_timeline(  # noqa: PLR0917 - each is a parameter of the request
    client_id: ClientIdPath,
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    listed: Listed,
    asked: AskedOnce,
    limit: Annotated[int, Query(ge=1, le=100, description="Items on a page at most.", examples=[50])] = 50,
) -> TimelinePage:
    """What each event did to the score when it happened. A cursor keeps to its viewpoint.

    What comes with time alone, such as a day that falls due, is no event's doing and shows in `/history`.
    """
    before: Place | None = None
    if (parts := listed.begins_after(5)) is not None:
        viewpoint, before = _place(parts)
    await asked.refuse_unchanged(principal.tenant_id, client_id, viewpoint)
    case = await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)
    found, further = await case.timeline(before, limit)
    asked.label(case)
    return TimelinePage(
        client_id=client_id,
        items=[TimelineEvent.of(one) for one in found],
        next=None if further is None else _following(listed, viewpoint, further),
    )


def _following(listed: Page, viewpoint: Viewpoint, place: Place) -> str:
    time, ref = place
    known_at = viewpoint.known_at.isoformat() if viewpoint.known_at else ""
    return listed.following(viewpoint.as_of.isoformat(), known_at, time.isoformat(), ref.source, ref.id)


def _place(parts: list[str]) -> tuple[Viewpoint, Place]:
    as_of, known_at, time, source, event_id = parts
    viewpoint = Viewpoint(read_place(as_of), read_place(known_at) if known_at else None)
    return viewpoint, Mark(read_place(time), EventRef(source, event_id))
