"""Instants and days, as they are written."""

from datetime import UTC, date, datetime

import pytest

from app.wire.moments import EXPECTED_MOMENT, EXPECTED_YEAR, read_moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", date(1970, 1, 1)),
        ("2199-12-31", date(2199, 12, 31)),
        ("2199-12-31t23:59:59z", datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2200-01-01T00:30:00+01:00", datetime(2199, 12, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_moments(text: str, expected: datetime | date):
    assert read_moment(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9999-12-31", EXPECTED_YEAR),
        ("1969-12-31", EXPECTED_YEAR),
        ("9999-01-01T00:00:00Z", EXPECTED_YEAR),
        ("0001-01-01T00:00:00+01:00", EXPECTED_YEAR),
        ("9999-12-31T23:59:59-01:00", EXPECTED_YEAR),
        ("2026-02-30", EXPECTED_MOMENT),
        ("2026-02-01T25:00:00Z", EXPECTED_MOMENT),
        ("2026-02-01T00:00:00", EXPECTED_MOMENT),
        ("0000-01-01", EXPECTED_MOMENT),
        ("x", EXPECTED_MOMENT),
    ],
)
def test_what_is_no_moment_is_told_why(text: str, told: str):
    assert "1970 to 2199" in EXPECTED_YEAR
    with pytest.raises(ValueError, match="expected") as caught:
        read_moment(text)
    assert str(caught.value) == told
