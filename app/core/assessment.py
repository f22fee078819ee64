"""The assessment: what the signs say together, and the verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import sqrt

from app.core.client_type import ClientType, client_type_of
from app.core.deal_breakers import Broken, broken_deals
from app.core.decibans import points_of, quantised, score_of
from app.core.facts import Facts
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs import SIGNS, Sign, Weight
from app.core.verdict import Standing, Verdict, verdict_of

__all__ = ["Assessment", "EvidenceLevel", "Interval", "SignAssessment", "assess", "standing_of"]

_NORMAL_90 = 1.6448536269514722
"""Half the width of a 90 % interval, in standard deviations."""


class EvidenceLevel(StrEnum):
    """How much the score rests on."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Interval:
    """The 90 % interval of the score."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SignAssessment:
    """One sign's part in the assessment: `decibans` and `points` as they add up."""

    sign: Sign
    decibans: float
    points: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer for one client at one instant.

    Attributes:
        score: 0 (keep) to 100 (part).
        interval: the 90 % interval of the score.
        verdict: what to do.
        deal_breakers: what the policy names as reason enough to part, and holds.
        evidence_level: how much it rests on.
        as_of: the instant that it holds for.
        policy_version: the policy that it was made with.
        client_type: what kind of client this is.
        prior_decibans, total_decibans: what was believed before and after the signs were weighed.
        signs: each sign's part; decibans add up to total - prior and points to score - score(prior), to 1e-9.
    """

    score: float
    interval: Interval
    verdict: Verdict
    deal_breakers: tuple[Broken, ...]
    evidence_level: EvidenceLevel
    as_of: datetime
    policy_version: str
    client_type: ClientType
    prior_decibans: float
    total_decibans: float
    signs: tuple[SignAssessment, ...]

    @property
    def leading_sign(self) -> str | None:
        """The sign that weighs most; None where none worries."""
        part = max(self.signs, key=lambda part: part.decibans)
        return part.sign.name if part.decibans > 0 else None

    @property
    def standing(self) -> Standing:
        """What its verdict goes by."""
        return Standing(self.score, self.interval.low)


def assess(facts: Facts, policy: Policy, portfolio: Portfolio, lately: Iterable[Standing] = ()) -> Assessment:
    """Weigh all signs.

    Args:
        facts: one client's facts, as of an instant.
        policy: the tenant's settings.
        portfolio: what is known of the tenant's clients together, at the same instant.
        lately: how it stood on the last days, for the verdict; see `course.py`, which knows.

    Returns:
        The same assessment for the same input, on any machine.
    """
    weights = [sign.weigh(facts, policy, portfolio) for sign in SIGNS]
    decibans = [quantised(one.decibans) for one in weights]
    total, interval = _sum(weights, facts.event_count, policy)
    points = points_of(decibans, policy.prior_decibans)
    score = score_of(total)
    level = _evidence_level(weights, facts)
    broken = broken_deals(facts, policy)
    standing = Standing(score, interval.low)
    made = [(sign.client_type, e) for sign, e in zip(SIGNS, decibans, strict=True)]
    return Assessment(
        score=score,
        interval=interval,
        verdict=Verdict.PART if broken else verdict_of(standing, policy.thresholds, lately),
        deal_breakers=broken,
        evidence_level=level,
        as_of=facts.as_of,
        policy_version=policy.version,
        client_type=client_type_of(made, known=level is not EvidenceLevel.NONE),
        prior_decibans=policy.prior_decibans,
        total_decibans=total,
        signs=tuple(SignAssessment(sign, e, p) for sign, e, p in zip(SIGNS, decibans, points, strict=True)),
    )


def standing_of(weights: Iterable[Weight], event_count: int, policy: Policy) -> Standing:
    """How a client stands whose signs weigh so much, in the order of `SIGNS`, and rest on so many events."""
    total, interval = _sum(weights, event_count, policy)
    return Standing(score_of(total), interval.low)


def _sum(weights: Iterable[Weight], event_count: int, policy: Policy) -> tuple[float, Interval]:
    """The total, and the interval: the signs' own spread, and what so few events may be mistaken by, as variances."""
    found = list(weights)
    total = policy.prior_decibans + sum([quantised(one.decibans) for one in found])
    own = sum([one.spread**2 for one in found])
    half = quantised(_NORMAL_90 * sqrt(own + policy.model_spread**2 / max(event_count, 1)))
    return total, Interval(score_of(total - half), score_of(total + half))


def _evidence_level(weighed: list[Weight], facts: Facts) -> EvidenceLevel:
    occasions = sum(one.occasions for one in weighed)
    if facts.event_count == 0 or occasions <= 0:
        return EvidenceLevel.NONE
    if occasions < 5:
        return EvidenceLevel.LOW
    return EvidenceLevel.MEDIUM if occasions < 20 else EvidenceLevel.HIGH
