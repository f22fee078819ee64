"""Arithmetic of evidence, against values worked out by hand."""

from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.decibans import (
    Beta,
    beta_bayes_factor,
    fading,
    points_of,
    quantised,
    saturated,
    score_of,
    virtual_evidence,
)

ORDINARY, HABIT = Beta(1, 5), Beta(4, 2)


def test_the_score_is_the_odds_put_back():
    assert score_of(0) == 50
    assert score_of(10) == pytest.approx(100 * 10 / 11)
    assert score_of(-10) == pytest.approx(100 / 11)


def test_one_hit_is_the_ratio_of_the_means():
    """The first observation of a Beta-binomial has the prior's mean as its probability."""
    assert beta_bayes_factor(1, 0, HABIT, ORDINARY) == pytest.approx(10 * log10((4 / 6) / (1 / 6)))
    assert beta_bayes_factor(0, 1, HABIT, ORDINARY) == pytest.approx(10 * log10((2 / 6) / (5 / 6)))
    assert beta_bayes_factor(0, 0, HABIT, ORDINARY) == pytest.approx(0)


def test_two_hits_multiply_what_is_learned_between_them():
    expected = 10 * log10((4 / 6 * 5 / 7) / (1 / 6 * 2 / 7))
    assert beta_bayes_factor(2, 0, HABIT, ORDINARY) == pytest.approx(expected)


@given(st.floats(0, 500), st.floats(0, 500), st.floats(0, 50))
def test_a_hit_never_reassures_and_a_miss_never_worries(hits: float, misses: float, more: float):
    before = beta_bayes_factor(hits, misses, HABIT, ORDINARY)
    assert beta_bayes_factor(hits + more, misses, HABIT, ORDINARY) >= before - 1e-9
    assert beta_bayes_factor(hits, misses + more, HABIT, ORDINARY) <= before + 1e-9


def test_uncertain_evidence_lies_between_nothing_and_all_of_it():
    assert virtual_evidence(0, 300) == 0
    assert virtual_evidence(1, 300) == pytest.approx(10 * log10(300))
    assert virtual_evidence(0.5, 3) == pytest.approx(10 * log10(2))


@given(st.floats(-1e6, 1e6), st.floats(0.1, 50), st.floats(0.1, 50))
def test_saturation_keeps_the_sign_and_the_caps(decibans: float, cap: float, reassurance: float):
    found = saturated(decibans, cap, reassurance)
    assert -reassurance <= found <= cap
    assert found * decibans >= 0


def test_fading_halves():
    assert fading(0, 180) == 1
    assert fading(-5, 180) == 1
    assert fading(180, 180) == pytest.approx(0.5)
    assert fading(540, 180) == pytest.approx(0.125)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=8), st.floats(-20, 20))
def test_points_are_an_exact_share(decibans: list[float], prior: float):
    points = points_of(decibans, prior)
    assert sum(points) == pytest.approx(score_of(prior + sum(decibans)) - score_of(prior), abs=1e-9)
    assert all(p * e >= 0 for p, e in zip(points, decibans, strict=True))


def test_points_where_the_evidence_cancels_out_are_the_slope():
    points = points_of([5.0, -5.0], 0.0)
    near = points_of([5.0, -5.0 + 1e-4], 0.0)
    assert points == pytest.approx(near, abs=1e-3)


def test_the_last_bits_are_cut_and_there_is_no_minus_zero():
    assert quantised(0.1 + 0.2) == 0.3
    assert str(quantised(-1e-12)) == "0.0"


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 0), (-1, 1)])
def test_a_beta_has_positive_parameters(a: float, b: float):
    with pytest.raises(ValueError, match="above 0"):
        Beta(a, b)
