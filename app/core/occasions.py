"""Occasions of a habit: each went well or badly; entered one by one, they are summed up and never listed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.events import EventRef
from app.core.fading import FadingSum, Heaviest

__all__ = ["HabitSums", "HabitTally", "Occasion"]


class Occasion(NamedTuple):
    """One occasion.

    Attributes:
        bad, good: how bad and how good it was, 0 or more.
        ref: the event that says so.
        weight: how many times what was bad counts.
        told: whether the client had been told before.
    """

    bad: float
    good: float
    ref: EventRef
    weight: float = 1.0
    told: bool = False


@dataclass(frozen=True, slots=True)
class HabitSums:
    """Occasions of a habit: what they come to on a day, faded.

    Attributes:
        bad, good: weighted counts of what went wrong and well; what went wrong after the client was told weighs more.
        after_telling: of the bad, what came after the client was told.
        counted: the bad, each counted once whenever it came.
        worst, best: the events that weigh most, heaviest first.
    """

    bad: float = 0.0
    good: float = 0.0
    after_telling: float = 0.0
    counted: float = 0.0
    worst: tuple[tuple[float, EventRef], ...] = ()
    best: tuple[tuple[float, EventRef], ...] = ()

    def plus(self, more: Iterable[Occasion]) -> "HabitSums":
        """With occasions that do not fade."""
        bad, good, after, counted = self.bad, self.good, self.after_telling, self.counted
        worst, best = list(self.worst), list(self.best)
        for one in more:
            weighed = one.bad * one.weight
            bad += weighed
            good += one.good
            after += weighed if one.told else 0.0
            counted += one.bad
            worst.append((weighed, one.ref))
            best.append((one.good, one.ref))
        return HabitSums(bad, good, after, counted, tuple(worst), tuple(best))


@dataclass(slots=True)
class HabitTally:
    """Occasions of a habit, entered one by one and never listed."""

    bad: FadingSum = field(default_factory=FadingSum)
    good: FadingSum = field(default_factory=FadingSum)
    after_telling: FadingSum = field(default_factory=FadingSum)
    counted: FadingSum = field(default_factory=FadingSum)
    worst: Heaviest = field(default_factory=Heaviest)
    best: Heaviest = field(default_factory=Heaviest)

    def add(self, day: int, occasion: Occasion, half_life: float) -> None:
        """Enter an occasion of a day."""
        self._move(day, occasion, half_life, 1)
        self.worst.add(day, occasion.bad * occasion.weight, occasion.ref, half_life)
        self.best.add(day, occasion.good, occasion.ref, half_life)

    def take(self, day: int, occasion: Occasion, half_life: float) -> None:
        """Take an occasion back."""
        self._move(day, occasion, half_life, -1)
        self.worst.take(occasion.ref)
        self.best.take(occasion.ref)

    def _move(self, day: int, occasion: Occasion, half_life: float, sign: int) -> None:
        bad, good, _, weight, told = occasion
        if bad:
            weighed = bad * weight
            self.bad.move(day, weighed, half_life, sign)
            self.counted.move(day, bad, half_life, sign)
            if told:
                self.after_telling.move(day, weighed, half_life, sign)
        if good:
            self.good.move(day, good, half_life, sign)

    def on(self, today: int, half_life: float) -> HabitSums:
        """What they come to on a day."""
        return HabitSums(
            self.bad.on(today, half_life),
            self.good.on(today, half_life),
            self.after_telling.on(today, half_life),
            self.counted.on(today, half_life),
            tuple(self.worst.on(today, half_life)),
            tuple(self.best.on(today, half_life)),
        )

    def copy(self) -> "HabitTally":
        """The same, to go on with apart."""
        return HabitTally(
            self.bad.copy(),
            self.good.copy(),
            self.after_telling.copy(),
            self.counted.copy(),
            self.worst.copy(),
            self.best.copy(),
        )
