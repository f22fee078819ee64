"""Which changes of an assessment are worth telling."""

import pytest

from app.core.reading import Aspect, Reading, changed_aspects
from app.core.verdict import Verdict

BEFORE = Reading(41.0, Verdict.WATCH, "slow_payer")


def test_a_first_reading_is_news_in_all_aspects():
    assert changed_aspects(None, BEFORE) == set(Aspect)


@pytest.mark.parametrize(
    ("after", "aspects"),
    [
        (Reading(41.0, Verdict.WATCH, "slow_payer"), set()),
        (Reading(49.9999, Verdict.WATCH, "slow_payer"), set()),
        (Reading(50.0, Verdict.WATCH, "slow_payer"), {Aspect.SCORE_STEP}),
        (Reading(39.9999, Verdict.WATCH, "slow_payer"), {Aspect.SCORE_STEP}),
        (Reading(41.0, Verdict.KEEP, "slow_payer"), {Aspect.VERDICT}),
        (Reading(41.0, Verdict.WATCH, "non_payer"), {Aspect.CLIENT_TYPE}),
        (Reading(90.0, Verdict.PART, "non_payer"), set(Aspect)),
    ],
)
def test_what_changed_is_told(after: Reading, aspects: set[Aspect]):
    assert changed_aspects(BEFORE, after) == aspects


@pytest.mark.parametrize(
    ("score", "step"), [(0.0, 0), (9.99, 0), (10.0, 1), (89.9, 8), (90.0, 9), (99.9, 9), (100.0, 9)]
)
def test_steps_are_of_ten_points_and_the_last_one_includes_its_end(score: float, step: int):
    assert Reading(score, Verdict.KEEP, "").step == step
