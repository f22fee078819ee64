"""Priors of ordinary clients, fitted to the tenant's own portfolio: empirical Bayes, bounded.

The mean and the precision of a Beta-binomial by moments (J. C. Kleinman, *Proportions with Extraneous Variance: Single
and Independent Samples*, JASA 68, 1973). Each client counts by the probability that it is an ordinary one, as the
policy's own priors see it (one E-step; Dempster, Laird & Rubin 1977), so that a habit does not become the norm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final

from app.core.decibans import Beta, beta_bayes_factor, score_of
from app.core.policy import HabitPriors, Policy

__all__ = ["Counts", "Fitted", "HabitCounts", "OrdinaryPriors", "fitted_to"]

_MOST_PRECISION: Final = 2.0
"""The fitted precision is at most so many times that of the policy, and at least its inverse."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One client's occasions of a habit, faded: how many went wrong and how many well; telling adds no weight here."""

    bad: float = 0.0
    good: float = 0.0

    @property
    def total(self) -> float:
        """All occasions."""
        return self.bad + self.good


@dataclass(frozen=True, slots=True)
class HabitCounts:
    """One client's occasions of each habit."""

    late: Counts = Counts()
    time: Counts = Counts()
    requests: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Fitted:
    """Priors, and to how many clients they were fitted; 0 for the policy's own."""

    priors: HabitPriors
    clients: int = 0


@dataclass(frozen=True, slots=True)
class OrdinaryPriors:
    """For each habit, what a client is held against."""

    late: Fitted
    time: Fitted
    requests: Fitted

    @classmethod
    def learned(cls, clients: Sequence[HabitCounts], policy: Policy) -> "OrdinaryPriors":
        """Fit all to a portfolio."""
        return cls(
            late=fitted_to([one.late for one in clients], policy.late.priors, policy),
            time=fitted_to([one.time for one in clients], policy.time.priors, policy),
            requests=fitted_to([one.requests for one in clients], policy.scope.priors, policy),
        )


def fitted_to(clients: Sequence[Counts], priors: HabitPriors, policy: Policy) -> Fitted:
    """Fit the prior of ordinary clients.

    Args:
        clients: each client's counts, in an order that does not depend on chance.
        priors: the policy's; the habit stays as it is, and bounds the other so that evidence stays monotone.
        policy: says how many clients are the fewest, and how many its own priors count as.

    Returns:
        The policy's priors while there is little, else a compromise, nearer to the portfolio with each client.
    """
    settings = policy.empirical
    known = [one for one in clients if one.total > 0]
    if len(known) < settings.fewest_clients:
        return Fitted(priors)
    ordinary = [_ordinary(one, priors) for one in known]
    trust = sum(ordinary) / (sum(ordinary) + settings.policy_clients)
    weights = [likely * one.total for likely, one in zip(ordinary, known, strict=True)]
    if sum(weights) <= 0:
        return Fitted(priors)
    policy_mean, policy_precision = priors.ordinary.mean, priors.ordinary.a + priors.ordinary.b
    own_mean = sum(w * one.bad / one.total for w, one in zip(weights, known, strict=True)) / sum(weights)
    mean = policy_mean + trust * (own_mean - policy_mean)
    mean = min(max(mean, policy_mean / settings.most_change), policy_mean * settings.most_change)
    ratio = _precision(known, weights, own_mean) / policy_precision
    ratio = min(max(ratio, 1 / _MOST_PRECISION), _MOST_PRECISION)
    precision = policy_precision * exp(trust * log(ratio))
    ordinary_prior = Beta(min(mean * precision, priors.habit.a), max((1 - mean) * precision, priors.habit.b))
    return Fitted(HabitPriors(ordinary=ordinary_prior, habit=priors.habit), len(known))


def _ordinary(counts: Counts, priors: HabitPriors) -> float:
    """The probability that a client is an ordinary one, at even odds before."""
    decibans = beta_bayes_factor(counts.bad, counts.good, priors.habit, priors.ordinary)
    return score_of(-decibans) / 100.0


def _precision(clients: Sequence[Counts], weights: Sequence[float], mean: float) -> float:
    """Kleinman's estimate of `a + b` from how much shares differ beyond what chance alone would make them."""
    total = sum(weights)
    pairs = list(zip(weights, clients, strict=True))
    apart = sum(w * (one.bad / one.total - mean) ** 2 for w, one in pairs)
    by_chance = sum(w / one.total * (1 - w / total) for w, one in pairs)
    room = mean * (1 - mean) * (sum(w * (1 - w / total) for w in weights) - by_chance)
    spare = apart - mean * (1 - mean) * by_chance
    if spare <= 0 or room <= 0:
        return float("inf")
    return max(room / spare - 1.0, 1e-6)
