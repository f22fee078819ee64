"""What the API answers: the public models, each made from what the use cases return."""

from datetime import datetime
from typing import Any, Literal, Self

import msgspec
from pydantic import BaseModel, Field

from app.core.assessment import Assessment, EvidenceLevel
from app.core.deal_breakers import Broken
from app.core.difference import SignDifference
from app.core.verdict import Verdict
from app.ports.clients import ClientRecord
from app.ports.ledger import Outcome, StoredEvent
from app.use_cases.record_events import Answer
from app.use_cases.viewpoint import Viewpoint

__all__ = [
    "ClientAnswer",
    "ClientPage",
    "EventAnswer",
    "EventPage",
    "EventTypeList",
    "IngestAnswer",
    "Interval",
    "Moved",
    "Score",
    "StatusAnswer",
    "score_fields",
]


class Interval(BaseModel):
    """The 90 % interval of the score."""

    low: float
    high: float


class DealBreakerAnswer(BaseModel):
    """A fact that the policy names as reason enough to part: for which contract or invoice, and the event behind it."""

    name: str
    subject: str
    event: str

    @classmethod
    def of(cls, found: Broken) -> Self:
        """Make it from what holds."""
        return cls(name=found.name, subject=found.subject, event=found.event.id)


class Score(BaseModel):
    """How the relationship stands: 0 is keep, 100 is part."""

    client_id: str
    score: float = Field(ge=0, le=100)
    interval: Interval
    verdict: Verdict
    deal_breakers: list[DealBreakerAnswer]
    evidence_level: EvidenceLevel
    as_of: datetime
    known_at: datetime | None = Field(description="What was told later is not counted; null for all that is known.")
    policy_version: str

    @classmethod
    def of(cls, client_id: str, viewpoint: Viewpoint, found: Assessment) -> Self:
        """Make it from an assessment."""
        return cls(**score_fields(client_id, viewpoint, found))


class Moved(BaseModel):
    """By how much one sign changed, and its part of the change of the score."""

    sign: str
    decibans: float
    points: float

    @classmethod
    def of(cls, found: SignDifference) -> Self:
        """Make it from a difference."""
        return cls(sign=found.sign.name, decibans=found.decibans, points=found.points)


class ClientAnswer(BaseModel):
    """A client, with its score where a list is asked for."""

    client_id: str
    name: str | None
    country: str | None
    currency: str | None
    time_zone: str | None
    created_at: datetime
    score: Score | None = None

    @classmethod
    def of(cls, client: ClientRecord, viewpoint: Viewpoint | None = None, found: Assessment | None = None) -> Self:
        """Make it from what is known of a client."""
        return cls(
            client_id=client.client_id,
            name=client.name,
            country=client.country,
            currency=client.currency,
            time_zone=client.time_zone,
            created_at=client.created_at,
            score=Score.of(client.client_id, viewpoint, found) if viewpoint and found else None,
        )


class ClientPage(BaseModel):
    """Clients; `next` is the cursor of the next page."""

    items: list[ClientAnswer]
    next: str | None
    stale: int = Field(
        default=0,
        description="How many clients may have another place, or none yet, because they are still to be assessed; "
        "counted up to 1,000.",
    )


class EventAnswer(BaseModel):
    """An event as it was stored, a CloudEvent with `recorded_at`."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    recorded_at: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, event: StoredEvent) -> Self:
        """Make it from a stored event."""
        return cls(
            id=event.id,
            source=event.source,
            type=event.type,
            subject=event.client_id,
            time=event.time,
            recorded_at=event.recorded_at,
            data=msgspec.json.decode(event.data),
        )


class EventTypeAnswer(BaseModel):
    """A type of event that is understood."""

    type: str
    summary: str
    json_schema: dict[str, Any] = Field(alias="schema", description="The JSON Schema of its data.")


class EventTypeList(BaseModel):
    """The catalogue of events."""

    items: list[EventTypeAnswer]


class StatusAnswer(BaseModel):
    """That all is well."""

    status: Literal["ok"]


class EventPage(BaseModel):
    """Events by time; `next` is the cursor of the next page."""

    items: list[EventAnswer]
    next: str | None


class FaultAnswer(BaseModel):
    """What is wrong with a field."""

    pointer: str
    detail: str


class EventResult(BaseModel):
    """What became of one event."""

    index: int
    id: str | None
    source: str | None
    status: Outcome
    errors: list[FaultAnswer] = []


class IngestAnswer(BaseModel):
    """What became of the events, one by one and counted."""

    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    invalid: int = 0
    aborted: int = 0
    results: list[EventResult]


def result(answer: Answer) -> dict[str, Any]:
    """One event's result as JSON."""
    found: dict[str, Any] = {
        "index": answer.index,
        "id": answer.id,
        "source": answer.source,
        "status": answer.outcome.value,
    }
    if answer.faults:
        found["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in answer.faults]
    return found


def score_fields(client_id: str, viewpoint: Viewpoint, found: Assessment) -> dict[str, Any]:
    """The fields of a score, for the answers that have more."""
    return {
        "client_id": client_id,
        "score": found.score,
        "interval": Interval(low=found.interval.low, high=found.interval.high),
        "verdict": found.verdict,
        "deal_breakers": [DealBreakerAnswer.of(one) for one in found.deal_breakers],
        "evidence_level": found.evidence_level,
        "as_of": found.as_of,
        "known_at": viewpoint.known_at,
        "policy_version": found.policy_version,
    }
