"""The difference between two assessments of one client: by how much each sign moved the score."""

from dataclasses import dataclass

from app.core.assessment import Assessment
from app.core.decibans import points_of, quantised
from app.core.signs import Sign

__all__ = ["Difference", "SignDifference", "difference_between"]


@dataclass(frozen=True, slots=True)
class SignDifference:
    """What one sign added to the evidence and to the score."""

    sign: Sign
    decibans: float
    points: float


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the score moved, and each sign's part of that, in the order of the mission.

    The signs' decibans add up to the difference of the totals and their points to `score`, to 1e-9.
    """

    score: float
    signs: tuple[SignDifference, ...]

    @property
    def moved(self) -> tuple[SignDifference, ...]:
        """The signs that moved the score, what moved it most first."""
        return tuple(sorted((one for one in self.signs if one.decibans), key=lambda one: -abs(one.decibans)))


def difference_between(before: Assessment, after: Assessment) -> Difference:
    """Share out the way from one score to the other; see `decibans.points_of`, with the first as the prior.

    Both must rest on the same prior, as assessments with one policy do.
    """
    decibans = [quantised(new.decibans - old.decibans) for old, new in zip(before.signs, after.signs, strict=True)]
    points = points_of(decibans, before.total_decibans)
    return Difference(
        score=after.score - before.score,
        signs=tuple(SignDifference(part.sign, e, p) for part, e, p in zip(after.signs, decibans, points, strict=True)),
    )
