"""Habits: occasions that went well or badly, faded by age and weighed against two Beta priors."""

from dataclasses import dataclass
from math import sqrt

from app.core.decibans import Beta, beta_bayes_factor, score_of
from app.core.events import EventRef
from app.core.occasions import HabitSums
from app.core.policy import HabitPriors
from app.core.signs.sign import heaviest

__all__ = ["Habit", "events_behind", "habit_of"]


@dataclass(frozen=True, slots=True)
class Habit:
    """What the occasions say together.

    Attributes:
        decibans: the evidence for a habit against exceptions, not yet bounded.
        spread: its standard deviation from the number of occasions, in decibans.
        bad, good: weighted counts.
        after_telling: weighted count of bad occasions after the client was told.
    """

    decibans: float
    spread: float
    bad: float
    good: float
    after_telling: float

    @property
    def share(self) -> float:
        """Of all occasions, how many were bad; 0 where all are forgotten."""
        return self.bad / (self.bad + self.good) if self.bad else 0.0


def habit_of(sums: HabitSums, priors: HabitPriors) -> Habit:
    """Weigh occasions.

    One bad occasion is not yet a habit: evidence that worries is scaled by `k / (k + 1)`, k being the bad count, which
    keeps it monotone. The spread is that of the share of bad occasions, as the two posteriors see it together, put
    through the evidence one standard deviation to each side.
    """
    bad, good = sums.bad, sums.good
    decibans = _evidence(bad, good, priors)
    count = bad + good
    if count <= 0:
        return Habit(0.0, 0.0, 0.0, 0.0, 0.0)
    noise = count * _deviation(bad, good, priors)
    higher = _evidence(bad + noise, max(good - noise, 0.0), priors)
    lower = _evidence(max(bad - noise, 0.0), good + noise, priors)
    return Habit(decibans, (higher - lower) / 2, bad, good, sums.after_telling)


def _deviation(bad: float, good: float, priors: HabitPriors) -> float:
    """The standard deviation of the share of bad occasions, in closed form.

    A mixture of two Beta posteriors, ordinary and habitual, weighted by the evidence at even odds; its variance is the
    mean of theirs and the variance of their means (law of total variance).
    """
    habitual = score_of(beta_bayes_factor(bad, good, priors.habit, priors.ordinary)) / 100.0
    (m0, v0), (m1, v1) = (_moments(Beta(prior.a + bad, prior.b + good)) for prior in (priors.ordinary, priors.habit))
    return sqrt((1 - habitual) * v0 + habitual * v1 + habitual * (1 - habitual) * (m1 - m0) ** 2)


def _moments(beta: Beta) -> tuple[float, float]:
    total = beta.a + beta.b
    return beta.mean, beta.a * beta.b / (total**2 * (total + 1))


def events_behind(sums: HabitSums, habit: Habit) -> tuple[EventRef, ...]:
    """The events that say it: bad occasions, and where the evidence does not worry the good ones after them."""
    if habit.decibans > 0:
        return heaviest(sums.worst)
    return heaviest([*sums.worst, *((weight * 1e-6, ref) for weight, ref in sums.best)])


def _evidence(bad: float, good: float, priors: HabitPriors) -> float:
    decibans = beta_bayes_factor(bad, good, priors.habit, priors.ordinary)
    return decibans * bad / (bad + 1) if decibans > 0 else decibans
