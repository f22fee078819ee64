"""The cache keeps its bound and its newest."""

from hypothesis import given
from hypothesis import strategies as st

from app.use_cases.recent import Recent


def test_the_one_asked_for_longest_ago_makes_room():
    kept: Recent[str, int] = Recent(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]


def test_what_is_put_again_takes_its_own_place():
    kept: Recent[str, int] = Recent(10)
    kept.put("a", 1, weight=6)
    kept.put("a", 2, weight=7)
    kept.put("b", 3, weight=3)
    assert (kept.get("a"), kept.get("b")) == (2, 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1))
def test_the_bound_holds_and_the_newest_stays(puts: list[tuple[int, int]]):
    kept: Recent[int, int] = Recent(10)
    weights = {}
    for key, weight in puts:
        kept.put(key, weight, weight)
        weights[key] = weight
        assert kept.get(key) == weight
        there = [weights[one] for one in range(6) if kept.get(one) is not None]
        assert sum(there) <= 10 or there == [weight]
