"""Client types and the payment scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.client_type import client_type_of
from app.core.events import Event
from app.core.payment_scale import payment_index
from app.core.signs import SIGNS
from tests.core.strategies import NOW, histories
from tests.core.telling import assessed

NAMES = [sign.client_type for sign in SIGNS]


def test_every_sign_makes_a_type_of_its_own():
    assert len(set(NAMES)) == len(SIGNS)


@given(histories())
def test_probabilities_add_up_and_the_likeliest_comes_first(history: list[Event]):
    found = assessed(history, as_of=NOW).client_type
    assert set(found.probabilities) == {*NAMES, "reliable_partner"}
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-8)
    values = list(found.probabilities.values())
    assert values == sorted(values, reverse=True)
    assert found.name in (next(iter(found.probabilities)), "unknown")


@given(st.lists(st.floats(-3, 28), min_size=6, max_size=6), st.integers(0, 5), st.floats(0, 10))
def test_more_evidence_makes_its_type_likelier(evidence: list[float], which: int, more: float):
    def probability(decibans: list[float]) -> float:
        return client_type_of(list(zip(NAMES, decibans, strict=True)), known=True).probabilities[NAMES[which]]

    stronger = [e + more if n == which else e for n, e in enumerate(evidence)]
    assert probability(stronger) >= probability(evidence) - 1e-9


def test_of_whom_nothing_is_known_the_type_is_unknown():
    found = assessed([]).client_type
    assert (found.name, found.probability) == ("unknown", 0.0)
    assert found.probabilities["reliable_partner"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("days", "index"),
    [
        *[(-60, 100), (-30, 100), (-25, 95), (-20, 90), (0, 80), (7.5, 75), (15, 70), (22, 60), (30, 50), (45, 45)],
        *[(60, 40), (90, 30), (120, 20), (150, 10), (177, 1), (9999, 1)],
    ],
)
def test_the_payment_scale(days: float, index: float):
    assert payment_index(days) == pytest.approx(index)


@given(st.floats(-500, 500), st.floats(0, 100))
def test_later_is_never_better(days: float, more: float):
    assert payment_index(days + more) <= payment_index(days)
