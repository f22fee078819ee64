"""Medians without one client, against the plain way to work them out."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.rates import RateTable


def median(pairs: list[tuple[float, float]]) -> float:
    """The least value at which half of the weight is reached."""
    half, total = sum(weight for _, weight in pairs) / 2, 0.0
    for value, weight in sorted(pairs):
        total += weight
        if total >= half:
            return value
    raise AssertionError("there is always one")


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(-6, 6), st.integers(1, 5)), min_size=1))
def test_it_is_the_median_of_the_others(table: dict[str, tuple[int, int]]):
    rates = RateTable(table)
    for client in [*table, "nobody"]:
        others = [(float(value), float(weight)) for name, (value, weight) in table.items() if name != client]
        found = rates.without(client)
        if not others:
            assert found is None
            continue
        assert found is not None
        middle = median(others)
        assert found.clients == len(others)
        assert found.median == pytest.approx(exp(middle))
        assert found.spread == pytest.approx(1.4826 * median([(abs(value - middle), w) for value, w in others]))


def test_one_client_of_great_weight_is_the_median():
    found = RateTable({"a": (4.0, 1), "b": (5.0, 100), "c": (6.0, 1)}).without("nobody")
    assert found is not None
    assert found.median == pytest.approx(exp(5))
    assert found.spread == 0
