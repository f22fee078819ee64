"""Scores: how a relationship stands."""

from datetime import datetime
from enum import Enum
from typing import Self

import strawberry

from app.core.assessment import Assessment, EvidenceLevel
from app.core.client_type import ClientType
from app.core.difference import SignDifference
from app.core.verdict import Verdict
from app.graphql.fields import described
from app.use_cases.viewpoint import Viewpoint

__all__ = ["Moved", "Score", "SignName", "TypeOfClient"]

strawberry.enum(Verdict, description="What to do about a client, from best to worst.")
strawberry.enum(EvidenceLevel, description="How much a score rests on.")


@strawberry.enum(description="The six signs that a relationship costs more than it brings.")
class SignName(Enum):
    """The six signs, as the core names them."""

    CONTRACT = "contract"
    SCOPE = "scope"
    TIME = "time"
    RATE = "rate"
    LATE = "late"
    NONPAYMENT = "nonpayment"


@strawberry.type(description="The 90 % interval of a score.")
class Interval:
    """The 90 % interval of a score."""

    low: float = described("Its lower end; `part` goes by it.")
    high: float = described("Its upper end.")


@strawberry.type(name="DealBreaker", description="A fact that the policy names as reason enough to part.")
class DealBreakerType:
    """A fact that the policy names as reason enough to part."""

    name: str = described("Which deal-breaker.")
    subject: str = described("The contract or invoice.")
    event: str = described("The id of the event that says so.")


@strawberry.type(description="What kind of client this is, by Bayes' rule from the six signs.")
class TypeOfClient:
    """What kind of client this is."""

    name: str = described("The likeliest type; `unknown` where nothing is known.")
    probability: float = described("How likely it is.")
    probabilities: list["TypeProbability"] = described("Every type, the likeliest first; they add up to 1.")

    @classmethod
    def of(cls, found: ClientType) -> Self:
        """Make it from what the core found."""
        every = [TypeProbability(name=name, probability=share) for name, share in found.probabilities.items()]
        return cls(name=found.name, probability=found.probability, probabilities=every)


@strawberry.type(description="How likely one type of client is.")
class TypeProbability:
    """How likely one type of client is."""

    name: str = described("The type.")
    probability: float = described("0 to 1.")


@strawberry.type(description="By how much one sign changed, and its part of the change of a score.")
class Moved:
    """By how much one sign changed."""

    sign: SignName = described("Which sign.")
    decibans: float = described("The change of its evidence.")
    points: float = described("Its part of the change of the score; all parts add up.")

    @classmethod
    def of(cls, found: SignDifference) -> Self:
        """Make it from a difference."""
        return cls(sign=SignName(found.sign.name), decibans=found.decibans, points=found.points)


@strawberry.type(description="How a relationship stands: 0 is keep, 100 is part.")
class Score:
    """How a relationship stands."""

    score: float = described("0 (keep) to 100 (part).")
    interval: Interval = described("The 90 % interval of the score.")
    verdict: Verdict = described("What to do.")
    deal_breakers: list[DealBreakerType] = described("What the policy names as reason enough to part, and holds.")
    evidence_level: EvidenceLevel = described("How much the score rests on.")
    client_type: TypeOfClient = described("What kind of client this is.")
    leading_sign: SignName | None = described("The sign that weighs most; null where none worries.")
    as_of: datetime = described("What happened later is not counted.")
    known_at: datetime | None = described("What was told later is not counted; null for all that is known.")
    policy_version: str = described("The policy that it was made with.")

    @classmethod
    def of(cls, viewpoint: Viewpoint, found: Assessment) -> Self:
        """Make it from an assessment."""
        return cls(
            score=found.score,
            interval=Interval(low=found.interval.low, high=found.interval.high),
            verdict=found.verdict,
            deal_breakers=[
                DealBreakerType(name=one.name, subject=one.subject, event=one.event.id) for one in found.deal_breakers
            ],
            evidence_level=found.evidence_level,
            client_type=TypeOfClient.of(found.client_type),
            leading_sign=None if found.leading_sign is None else SignName(found.leading_sign),
            as_of=found.as_of,
            known_at=viewpoint.known_at,
            policy_version=found.policy_version,
        )
