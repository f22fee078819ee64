"""Arithmetic of evidence: decibans, Bayes factors, saturation and fading.

A deciban is a tenth of the base-ten logarithm of an odds ratio (I. J. Good, *Probability and the Weighing of
Evidence*, 1950, after Turing). Evidence adds up; the score is the total put back on a probability scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, lgamma, log, log10, tanh
from typing import Annotated, Final

from annotated_types import Ge, Le

__all__ = [
    "DECIBANS_PER_NAT",
    "Beta",
    "beta_bayes_factor",
    "day_fading",
    "fading",
    "points_of",
    "quantised",
    "saturated",
    "saturating_share",
    "score_of",
    "virtual_evidence",
]

DECIBANS_PER_NAT: Final = 10.0 / log(10.0)

_DIGITS: Final = 10
_FORGOTTEN: Final = 64
"""Half-lives."""
_MOST_NATS: Final = 700.0
"""Evidence beyond this says no more: its odds are no number any longer."""


@dataclass(frozen=True, slots=True)
class Beta:
    """A Beta distribution of a share: `a` weighs for, `b` against."""

    a: Annotated[float, Ge(0.01), Le(1000)]
    b: Annotated[float, Ge(0.01), Le(1000)]

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.b > 0):
            raise ValueError("both parameters of a Beta distribution must be above 0")

    @property
    def mean(self) -> float:
        """The expected share."""
        return self.a / (self.a + self.b)


def quantised(value: float) -> float:
    """Round to 1e-10, so that the last bits of a machine's `libm` never reach an answer (axiom 8)."""
    return round(value, _DIGITS) + 0.0  # + 0.0 turns -0.0 into 0.0


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def beta_bayes_factor(hits: float, misses: float, habit: Beta, ordinary: Beta) -> float:
    """Weigh counts as evidence for a habit against an exception, in decibans.

    The ratio of two Beta-binomial marginal likelihoods (Gelman et al., *Bayesian Data Analysis*, 3rd ed., 2.4); the
    binomial coefficients cancel. A hit never lowers it and a miss never raises it when `habit.a >= ordinary.a` and
    `habit.b <= ordinary.b`, which `Policy` demands.

    Args:
        hits: weighted count of what would be the habit, 0 or more.
        misses: weighted count of the opposite, 0 or more.
        habit: the share of hits among those who have the habit.
        ordinary: the share of hits among ordinary clients.
    """
    habitual = _log_beta(habit.a + hits, habit.b + misses) - _log_beta(habit.a, habit.b)
    exceptional = _log_beta(ordinary.a + hits, ordinary.b + misses) - _log_beta(ordinary.a, ordinary.b)
    return DECIBANS_PER_NAT * (habitual - exceptional)


def virtual_evidence(probability: float, bayes_factor: float) -> float:
    """Weigh something that holds only with some probability, in decibans.

    J. Pearl, *Probabilistic Reasoning in Intelligent Systems* (1988), 2.2.2: evidence that is itself uncertain enters
    by its expected likelihood ratio.

    Args:
        probability: how likely it is that the thing holds, 0 to 1.
        bayes_factor: how strongly it would speak if it held, above 1.
    """
    return 10.0 * log10(1.0 + probability * (bayes_factor - 1.0))


def saturated(decibans: float, cap: float, reassurance_cap: float) -> float:
    """Bound evidence smoothly: `W tanh(e / W)`, with one cap for what worries and one for what reassures."""
    limit = cap if decibans >= 0 else reassurance_cap
    return limit * tanh(decibans / limit) if limit > 0 else 0.0


def fading(age_days: float, half_life_days: float) -> float:
    """The weight of something that is `age_days` old: 1 today, a half after each half-life."""
    if age_days <= 0:
        return 1.0
    half_lives = age_days / half_life_days
    # What is left after so long is nothing, and no number so small that dividing by it overflows.
    return 0.5**half_lives if half_lives < _FORGOTTEN else 0.0


day_fading = lru_cache(maxsize=50_000)(fading)
"""The same for whole days, of which there are few different ones."""


def score_of(total_decibans: float) -> float:
    """The score, 0 (keep) to 100 (part): the total as a probability in per cent."""
    return 100.0 / (1.0 + exp(min(-total_decibans / DECIBANS_PER_NAT, _MOST_NATS)))


def points_of(decibans: Sequence[float], prior: float) -> tuple[float, ...]:
    """Share out `score(total) - score(prior)` among pieces of evidence, exactly.

    The Aumann-Shapley value along the straight path from the prior (Aumann & Shapley, *Values of Non-Atomic Games*,
    1974; Sundararajan et al., *Axiomatic Attribution for Deep Networks*, 2017). For a sum it is the piece's share of
    the total evidence; where the evidence cancels out, the slope of the score takes the place of the quotient.
    """
    span = sum(decibans)
    if abs(span) < 1e-6:
        middle = score_of(prior + span / 2.0)
        slope = middle * (100.0 - middle) / 100.0 / DECIBANS_PER_NAT
    else:
        slope = (score_of(prior + span) - score_of(prior)) / span
    return tuple(e * slope for e in decibans)


def saturating_share(amount: float, half: float) -> float:
    """How much of something counts as much: 0 at nothing, 0.63 at `half`, towards 1."""
    return -expm1(-max(amount, 0.0) / half)
