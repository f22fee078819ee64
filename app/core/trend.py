"""The trend: how the score stood a month and a quarter ago, and which signs moved it since."""

from dataclasses import dataclass
from typing import Final

from app.core.assessment import Assessment
from app.core.difference import Difference, difference_between
from app.core.verdict import Verdict

__all__ = ["LOOKS_BACK", "Trend", "trend_since"]

LOOKS_BACK: Final = (30, 90)
"""Days (of 24 hours)."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Now against then: so many days ago, as we know it now, and held against today's portfolio."""

    days: int
    score: float
    verdict: Verdict
    since: Difference


def trend_since(days: int, then: Assessment, now: Assessment) -> Trend:
    """Compare two assessments of one client, so many days apart."""
    return Trend(days, then.score, then.verdict, difference_between(then, now))
