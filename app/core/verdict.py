"""The verdict: what to do about a client, and how it changes without flapping."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.core.policy import Thresholds

__all__ = ["Standing", "Verdict", "verdict_of"]


class Verdict(StrEnum):
    """What to do, from best to worst."""

    KEEP = "keep"
    WATCH = "watch"
    RENEGOTIATE = "renegotiate"
    PART = "part"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a verdict goes by: the score, and the lower end of its interval."""

    score: float
    low: float


def verdict_of(now: Standing, thresholds: Thresholds, lately: Iterable[Standing] = ()) -> Verdict:
    """The verdict, with hysteresis: near a threshold the last days decide, and in doubt one talks.

    - `part` is given once the lower end of the interval is over the threshold by the margin, or has been over it on
      each of the last days. Thin evidence never parts (axiom 10).
    - `watch` and `renegotiate` are left once the score is below the threshold by the margin, or has been below it on
      each of the last days.

    Nothing is remembered from one verdict to the next: the same facts give the same verdict, whoever asked before.

    Args:
        now: how it stands.
        thresholds: the policy's, with the margin.
        lately: how it stood at the ends of the last days, read only near a threshold; none to go by `now` alone.
    """
    if now.low >= thresholds.part and (
        now.low >= thresholds.part + thresholds.margin or all(one.low >= thresholds.part for one in lately)
    ):
        return Verdict.PART

    def holds(threshold: float) -> bool:
        return now.score >= threshold or (
            now.score >= threshold - thresholds.margin and any(one.score >= threshold for one in lately)
        )

    if holds(thresholds.renegotiate):
        return Verdict.RENEGOTIATE
    return Verdict.WATCH if holds(thresholds.watch) else Verdict.KEEP
