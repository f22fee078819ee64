"""Sums of what happened, each thing faded by its age, and what weighs most in them: what a long history comes to.

Ages are whole local days. The weight of a thing that is `a` days old is `0.5 ** (a / half_life)`, so that two things
keep their proportion for ever, and a sum of many fades as one.
"""

from bisect import insort
from dataclasses import dataclass, field
from math import inf, log2
from typing import Final, NamedTuple

from app.core.decibans import day_fading
from app.core.events import EventRef

__all__ = ["FadingSum", "Heaviest", "Pull"]

_MOST: Final = 16
"""So many are remembered, that five are left to name when some are taken back."""


@dataclass(slots=True)
class FadingSum:
    """A sum of weights, each faded by its age; it knows its last day.

    Attributes:
        total: what it came to on its day.
        day: the newest day of all that was added, as an ordinal.
        count: how many weights it has.
    """

    total: float = 0.0
    day: int = 0
    count: int = 0

    def add(self, day: int, weight: float, half_life: float) -> None:
        """Add a weight on a day; nothing is no weight."""
        if not weight:
            return
        if not self.count:
            self.total, self.day = weight, day
        elif day > self.day:
            self.total = self.total * day_fading(day - self.day, half_life) + weight
            self.day = day
        else:
            self.total += weight * day_fading(self.day - day, half_life)
        self.count += 1

    def take(self, day: int, weight: float, half_life: float) -> None:
        """Take back what was added."""
        if not weight:
            return
        self.count -= 1
        self.total = self.total - weight * day_fading(self.day - day, half_life) if self.count else 0.0

    def clear(self) -> None:
        """Begin anew: nothing is left of what was added."""
        self.total, self.day, self.count = 0.0, 0, 0

    def move(self, day: int, weight: float, half_life: float, sign: int) -> None:
        """Add a weight, or take it back where the sign is -1."""
        if sign > 0:
            self.add(day, weight, half_life)
        else:
            self.take(day, weight, half_life)

    def on(self, today: int, half_life: float) -> float:
        """What is left of it on a day that is not before the last one."""
        return self.total * day_fading(today - self.day, half_life) if self.count else 0.0

    def copy(self) -> "FadingSum":
        """The same, to go on with apart."""
        return FadingSum(self.total, self.day, self.count)


class Pull(NamedTuple):
    """How hard an event pulls: its place among all (which no time changes), its day and its weight then."""

    place: float
    day: int
    weight: float
    ref: EventRef


@dataclass(slots=True)
class Heaviest:
    """The events that weigh most; what fades alike keeps its order, so that the lightest can be forgotten."""

    kept: list[Pull] = field(default_factory=list)

    def add(self, day: int, weight: float, ref: EventRef, half_life: float = inf) -> None:
        """Remember an event that weighs so much on a day, if it is among the heaviest."""
        if weight <= 0:
            return
        # Rounded, so that equals are in the order of their names.
        place = -round(log2(weight) + day / half_life, 9)
        kept = self.kept
        if len(kept) < _MOST or place <= kept[-1].place:
            insort(kept, Pull(place, day, weight, ref))
            del kept[_MOST:]

    def take(self, ref: EventRef) -> None:
        """Forget an event."""
        for place, pull in enumerate(self.kept):
            if pull.ref == ref:
                del self.kept[place]
                return

    def on(self, today: int, half_life: float = inf) -> list[tuple[float, EventRef]]:
        """What each weighs on a day, heaviest first."""
        return [(one.weight * day_fading(today - one.day, half_life), one.ref) for one in self.kept]

    def copy(self) -> "Heaviest":
        """The same, to go on with apart."""
        return Heaviest(list(self.kept))
