"""Verdicts: thresholds, hysteresis, deal-breakers."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.course import Pace, course_of, ends_of
from app.core.deal_breakers import DEAL_BREAKERS
from app.core.events import Event
from app.core.policy import DEFAULT_POLICY, DealBreaker, Thresholds
from app.core.verdict import Standing, Verdict, verdict_of
from tests.core.strategies import NOW, histories
from tests.core.telling import NOW as MONDAY
from tests.core.telling import alone, assessed, invoice, told

THRESHOLDS = DEFAULT_POLICY.thresholds
ORDER = list(Verdict)


def sure(score: float) -> Standing:
    return Standing(score, score)


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        (19.9, [], Verdict.KEEP),
        (20, [], Verdict.WATCH),
        (40, [], Verdict.RENEGOTIATE),
        (80, [], Verdict.PART),
        (19.9, [20], Verdict.WATCH),
        (19.9, [19] * 7, Verdict.KEEP),
        (17.1, [19, 45, 19], Verdict.WATCH),
        (16.9, [45] * 7, Verdict.KEEP),
        (37, [40], Verdict.RENEGOTIATE),
        (36.9, [90], Verdict.WATCH),
        (80, [80] * 7, Verdict.PART),
        (82.9, [80, 79.9, 90], Verdict.RENEGOTIATE),
        (83, [10] * 7, Verdict.PART),
        (79.9, [99] * 7, Verdict.RENEGOTIATE),
    ],
)
def test_near_a_threshold_the_last_days_decide(now: float, before: list[float], verdict: Verdict):
    assert verdict_of(sure(now), THRESHOLDS, [sure(score) for score in before]) is verdict


def test_part_goes_by_the_lower_end():
    assert verdict_of(Standing(99, 79), THRESHOLDS, [Standing(99, 99)]) is Verdict.RENEGOTIATE


def test_the_days_before_are_not_looked_at_far_from_a_threshold():
    class Never:
        def __iter__(self) -> Iterator[Standing]:
            raise AssertionError("looked")

    for score in (0, 16, 23, 36, 43, 79, 84, 100):
        verdict_of(sure(score), THRESHOLDS, Never())


@given(st.lists(st.floats(70, 90), min_size=30, max_size=60), st.sampled_from([Verdict.WATCH, Verdict.RENEGOTIATE]))
def test_a_score_that_wobbles_within_the_margin_does_not_flap(wobbles: list[float], upper: Verdict):
    """Less than the margin about a threshold, what is entered is not left before it has settled."""
    threshold = {Verdict.WATCH: THRESHOLDS.watch, Verdict.RENEGOTIATE: THRESHOLDS.renegotiate}[upper]
    scores = [sure(threshold + (wobble - 80) * 0.25) for wobble in wobbles]
    verdicts = [verdict_of(score, THRESHOLDS, scores[max(n - 7, 0) : n]) for n, score in enumerate(scores)]
    left = [n for n in range(1, len(verdicts)) if verdicts[n - 1] is upper and verdicts[n] is not upper]
    entered = [n for n in range(1, len(verdicts)) if verdicts[n] is upper and verdicts[n - 1] is not upper]
    for begin, end in [(a, b) for a in entered for b in left if b > a]:
        assert end - begin > THRESHOLDS.settling_days


@given(histories(30))
def test_each_day_goes_by_the_days_before_it(history: list[Event]):
    """The verdicts of a course are those that its own standings would give, looked at one by one."""
    policy = dataclasses.replace(DEFAULT_POLICY, thresholds=Thresholds(margin=15))
    days = list(ends_of(policy.calendar, Pace.DAY, (NOW - timedelta(days=40)).date(), NOW + timedelta(seconds=-1)))
    found = list(course_of(history, policy, alone(policy), days))
    for n in range(7, len(found)):
        lately = [one.standing for one in found[n - 7 : n]]
        assert found[n].verdict is verdict_of(found[n].standing, policy.thresholds, lately)
    assert found[-1] == assessed(history, policy=policy, as_of=days[-1])


BREAKERS: dict[DealBreaker, tuple[list[Event], Event]] = {
    "contract_refused": (
        [told("contract.sent", 60), told("contract.explained", 50), told("contract.declined", 40)],
        told("contract.signed", 1),
    ),
    "payment_charged_back": (
        [*invoice(1, 60, 40), told("payment.charged_back", 20, invoice="INV-1")],
        told("invoice.paid", 1, invoice="INV-1"),
    ),
    "debt_written_off": (
        [*invoice(1, 300), told("invoice.written_off", 20, invoice="INV-1")],
        told("invoice.paid", 1, invoice="INV-1"),
    ),
    "long_unpaid": (
        [*invoice(1, 125), told("reminder.sent", 60, invoice="INV-1")],
        told("invoice.paid", 1, invoice="INV-1"),
    ),
}


@pytest.mark.parametrize("name", DEAL_BREAKERS)
def test_a_deal_breaker_parts_until_it_is_settled(name: DealBreaker):
    history, settled = BREAKERS[name]
    policy = dataclasses.replace(DEFAULT_POLICY, deal_breakers=frozenset([name]))
    found = assessed(history, policy=policy)
    assert found.verdict is Verdict.PART
    (broken,) = found.deal_breakers
    assert broken.name == name
    assert broken.event in {event.ref for event in history}
    assert assessed([*history, settled], policy=policy).deal_breakers == ()
    assert assessed(history).deal_breakers == (), "by default there is none"
    others = dataclasses.replace(DEFAULT_POLICY, deal_breakers=frozenset(DEAL_BREAKERS) - {name})
    assert assessed(history, policy=others).deal_breakers == ()


@pytest.mark.parametrize(
    ("name", "history"),
    [
        (
            "contract_refused",
            [told("contract.sent", 60), told("contract.declined", 50), told("contract.explained", 40)],
        ),
        ("long_unpaid", invoice(1, 300)),
        ("long_unpaid", [*invoice(1, 119), told("reminder.sent", 60, invoice="INV-1")]),
        ("long_unpaid", [*invoice(1, 300), told("reminder.sent", 6, invoice="INV-1")]),
    ],
)
def test_what_is_not_quite_a_deal_breaker(name: DealBreaker, history: list[Event]):
    policy = dataclasses.replace(DEFAULT_POLICY, deal_breakers=frozenset([name]))
    assert assessed(history, policy=policy, as_of=MONDAY).deal_breakers == ()


@pytest.mark.parametrize(
    "wrong",
    [{"margin": -1}, {"margin": 20}, {"watch": 40}, {"part": 100}, {"watch": 0}, {"renegotiate": 22, "margin": 2}],
)
def test_thresholds_that_cannot_be(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="threshold"):
        Thresholds(**wrong)
