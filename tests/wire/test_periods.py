"""Periods as people and ISO 8601 write them; what the schema takes is what is read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.periods import PERIOD_PATTERN, read_period


@pytest.mark.parametrize(
    ("text", "days"), [("1d", 1), ("7d", 7), ("30d", 30), ("P7D", 7), ("P30D", 30), ("1w", 7), ("P4W", 28)]
)
def test_a_period_is_so_many_days(text: str, days: int):
    assert read_period(text) == days
    assert re.search(PERIOD_PATTERN, text)


@pytest.mark.parametrize(
    "text", ["", "0d", "31d", "07d", "5w", "P", "PT7D", "7", "d", "-1d", "7d\n", "٧d", "P1M", "P1Y"]
)
def test_what_is_none_is_refused(text: str):
    with pytest.raises(ValueError, match="1 to 30 days"):
        read_period(text)


@given(st.from_regex(PERIOD_PATTERN.removesuffix("$") + r"\Z"))
def test_what_the_schema_takes_is_read(text: str):
    assert 1 <= read_period(text) <= 30
