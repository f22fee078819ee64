"""Priors fitted to the portfolio: found again where they are known, bounded, and the policy's while there is little."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.decibans import Beta
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, HabitPriors
from app.core.portfolio import portfolio_of
from app.core.priors import Counts, fitted_to
from app.core.shares import share_of
from tests.core.strategies import NOW, histories
from tests.core.telling import NOW as MONDAY
from tests.core.telling import evidence, invoice, reason_of

POLICY = DEFAULT_POLICY
LATE = POLICY.late.priors
counts = st.builds(Counts, st.floats(0, 50), st.floats(0, 50))


def drawn(truth: Beta, clients: int, occasions: int = 40) -> list[Counts]:
    """Clients whose shares come from a Beta distribution."""
    rng = random.Random(1)
    found = []
    for _ in range(clients):
        share = rng.betavariate(truth.a, truth.b)
        bad = sum(rng.random() < share for _ in range(occasions))
        found.append(Counts(bad, occasions - bad))
    return found


@pytest.mark.parametrize("truth", [Beta(0.9, 8.1), Beta(0.6, 3.4), Beta(1.2, 10.8)])
def test_what_the_clients_were_drawn_from_is_found_again(truth: Beta):
    found = fitted_to(drawn(truth, 400), HabitPriors(ordinary=Beta(1, 5), habit=Beta(60, 0.5)), POLICY).priors.ordinary
    assert found.mean == pytest.approx(truth.mean, rel=0.15)
    assert found.a + found.b == pytest.approx(truth.a + truth.b, rel=0.3)


@given(st.lists(counts, max_size=30))
def test_what_is_fitted_keeps_evidence_monotone_and_within_bounds(clients: list[Counts]):
    found = fitted_to(clients, LATE, POLICY)
    ordinary, habit = found.priors.ordinary, found.priors.habit
    assert habit == LATE.habit
    assert (habit.a >= ordinary.a, habit.b <= ordinary.b) == (True, True)
    assert 0 < ordinary.a + ordinary.b <= 2 * 6 + 2
    assert found.clients in (0, sum(one.total > 0 for one in clients))


@given(st.lists(counts, max_size=2))
def test_of_few_clients_nothing_is_learned(clients: list[Counts]):
    assert fitted_to([*clients, Counts()], LATE, POLICY).priors == LATE


@given(st.lists(st.builds(Counts, st.just(0.0), st.floats(1, 50)), min_size=3, max_size=30))
def test_where_all_are_punctual_lateness_is_less_ordinary(clients: list[Counts]):
    assert fitted_to(clients, LATE, POLICY).priors.ordinary.mean < LATE.ordinary.mean


def test_a_habit_does_not_become_the_norm():
    punctual = [Counts(1, 19)] * 6
    before = fitted_to(punctual, LATE, POLICY).priors.ordinary.mean
    after = fitted_to([*punctual, *[Counts(20, 0)] * 6], LATE, POLICY).priors.ordinary.mean
    assert after < 1.3 * before


def test_a_client_is_held_against_what_is_ordinary_here():
    """The same lateness says less where everybody is a little late."""

    def held(paid: int) -> tuple[float, dict[str, float]]:
        shares = {}
        for client in range(6):
            bills = [e for n in range(8) for e in invoice(f"{client}-{n}", 300 - 30 * n, 300 - 30 * n - paid - n % 4)]
            shares[str(client)] = share_of(gather(bills, POLICY, MONDAY), POLICY)
        own = [e for n in range(8) for e in invoice(n, 300 - 30 * n, 300 - 30 * n - (28 if n % 2 else 40))]
        portfolio = portfolio_of(shares, POLICY)
        why = reason_of(own, "late", portfolio=portfolio)
        return evidence(own, "late", portfolio=portfolio), {
            name: figure.value for name, figure in why.held_against.items()
        }

    strict, against = held(20)
    lenient, against_lenient = held(29)
    assert strict > lenient
    assert against["late_share"] < against_lenient["late_share"]
    assert against["fitted_to_clients"] == 6


@given(histories(30))
def test_a_share_counts_each_occasion_once_whatever_was_told(history: list[Event]):
    found = share_of(gather(history, POLICY, NOW), POLICY).habits
    for one in (found.late, found.time, found.requests):
        assert 0 <= one.total <= len(history)
