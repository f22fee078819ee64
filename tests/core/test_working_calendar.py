"""The tenant's calendar: local days of 23 and 25 hours, holidays, other zones."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.working_calendar import WorkingCalendar, WorkingHours

BERLIN = WorkingCalendar(zone="Europe/Berlin", country="DE", subdivision="BE")


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-03-27T09:00", True),
        ("2026-03-27T08:59:59", False),
        ("2026-03-27T17:59:59", True),
        ("2026-03-27T18:00", False),
        ("2026-03-28T12:00", False),  # a Saturday
        ("2026-04-03T12:00", False),  # Good Friday
        ("2026-03-30T09:00", True),  # the first working hour of summer time
        ("2026-10-26T09:00", True),  # and of winter time
        ("2024-02-29T12:00", True),
    ],
)
def test_it_is_open_by_local_time(local: str, is_open: bool):
    assert BERLIN.is_open(at(local)) is is_open


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_ends_with_its_last_microsecond(day: str, hours: int):
    end = BERLIN.end_of(date.fromisoformat(day))
    before = BERLIN.end_of(date.fromisoformat(day) - timedelta(days=1))
    assert (end - before).total_seconds() == hours * 3600
    assert BERLIN.day_of(end) == date.fromisoformat(day)
    assert BERLIN.day_of(end + timedelta(microseconds=1)) > date.fromisoformat(day)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-27T16:00", "2026-03-30T10:00", 3),  # over the weekend when clocks go forward
        ("2026-10-23T16:00", "2026-10-26T10:00", 3),  # and back
        ("2026-04-02T17:00", "2026-04-07T10:00", 2),  # over Easter
        ("2026-03-27T18:00", "2026-03-27T23:00", 0),
        ("2026-03-27T12:00", "2026-03-27T11:00", 0),
        ("2026-03-23T00:00", "2026-03-28T00:00", 20),  # no more than asked for
    ],
)
def test_working_hours_are_counted_in_local_time(start: str, end: str, hours: float):
    assert BERLIN.working_hours_between(at(start), at(end), 20) == hours


def test_hours_of_a_night_shift_over_the_change_of_clocks():
    """Hours from midnight to six have five real ones when clocks go forward, and seven when they go back."""
    nights = WorkingCalendar(zone="Europe/Berlin", week=(WorkingHours(time(0), time(6)),) * 7)
    assert nights.working_hours_between(at("2026-03-29T00:00"), at("2026-03-29T23:00"), 99) == 5
    assert nights.working_hours_between(at("2026-10-25T00:00"), at("2026-10-25T23:00"), 99) == 7


def test_days_off():
    calendar = WorkingCalendar(days_off=frozenset({date(2026, 3, 27)}))
    assert not calendar.is_open(datetime(2026, 3, 27, 12, tzinfo=UTC))


def test_a_week_has_seven_days():
    with pytest.raises(ValueError, match="seven"):
        WorkingCalendar(week=(None,))


@given(
    st.integers(0, 60 * 24 * 3650).map(lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.integers(0, 60 * 24 * 20),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_working_hours_add_up(start: datetime, minutes: int, zone: str):
    calendar = WorkingCalendar(zone=zone)
    end = start + timedelta(minutes=minutes)
    middle = start + timedelta(minutes=minutes // 3)
    parts = calendar.working_hours_between(start, middle, 1e9) + calendar.working_hours_between(middle, end, 1e9)
    assert calendar.working_hours_between(start, end, 1e9) == pytest.approx(parts)
    assert parts <= minutes / 60 + 1e-9
