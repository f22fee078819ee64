"""What an assessment comes to in short, and which changes of it are worth telling."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.core.verdict import Verdict

__all__ = ["STEP", "Aspect", "Reading", "changed_aspects"]

STEP: Final = 10
"""Points of a score step: 0 to below 10, 10 to below 20, and so on; the last one includes 100."""


class Aspect(StrEnum):
    """What may change."""

    VERDICT = "verdict"
    CLIENT_TYPE = "client_type"
    SCORE_STEP = "score_step"


@dataclass(frozen=True, slots=True)
class Reading:
    """An assessment in short."""

    score: float
    verdict: Verdict
    client_type: str

    @property
    def step(self) -> int:
        """The step that the score is in, from 0 to 9."""
        return min(int(self.score // STEP), 100 // STEP - 1)


def changed_aspects(before: Reading | None, after: Reading) -> frozenset[Aspect]:
    """What is worth telling of a change; everything of a client's first reading, nothing where none is.

    Args:
        before: the reading before; None for none.
        after: the present one.
    """
    if before is None:
        return frozenset(Aspect)
    found = set()
    if before.verdict is not after.verdict:
        found.add(Aspect.VERDICT)
    if before.client_type != after.client_type:
        found.add(Aspect.CLIENT_TYPE)
    if before.step != after.step:
        found.add(Aspect.SCORE_STEP)
    return frozenset(found)
