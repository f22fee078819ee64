"""The trend: how the score stood a month and a quarter ago, and which signs moved it since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.core.assessment import Assessment
from app.core.course import course_of
from app.core.difference import Difference, difference_between
from app.core.events import Event
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.verdict import Verdict

__all__ = ["Trend", "with_trends"]

_LOOKS_BACK: Final = (30, 90)
"""Days."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Now against then: so many days ago, as we know it now, and held against today's portfolio."""

    days: int
    score: float
    verdict: Verdict
    since: Difference


def with_trends(
    events: Sequence[Event], policy: Policy, portfolio: Portfolio, as_of: datetime, known_at: datetime | None = None
) -> tuple[Assessment, tuple[Trend, ...]]:
    """Assess one client, and compare with 30 and 90 days (of 24 hours) ago."""
    instants = [*(as_of - timedelta(days=days) for days in reversed(_LOOKS_BACK)), as_of]
    *past, now = course_of(events, policy, portfolio, instants, known_at)
    return now, tuple(
        Trend(days, then.score, then.verdict, difference_between(then, now))
        for days, then in zip(_LOOKS_BACK, reversed(past), strict=True)
    )
