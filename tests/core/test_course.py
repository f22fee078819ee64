"""Time travel in the core: one pass over the events says the same as an assessment of its own for each instant."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.course import Pace, assessment_at, course_of, ends_of
from app.core.events import Event
from app.core.explanation import explain
from app.core.policy import DEFAULT_POLICY
from app.core.timeline import timeline_of
from app.core.working_calendar import WorkingCalendar
from tests.core.strategies import BEGIN, histories, instants
from tests.core.telling import NOW as MONDAY
from tests.core.telling import alone, assessed, told

POLICY = DEFAULT_POLICY


@given(histories(40), st.lists(instants(-5, 600), min_size=1, max_size=8), st.none() | instants())
def test_one_pass_says_what_each_instant_alone_would(
    history: list[Event], moments: list[datetime], known_at: datetime | None
):
    moments.sort()
    alike = list(course_of(history, POLICY, alone(), moments, known_at))
    for moment, found in zip(moments, alike, strict=True):
        assert found == assessment_at(history, POLICY, alone(), moment, known_at)


@given(histories(40), instants())
def test_a_trend_adds_up_to_the_change(history: list[Event], as_of: datetime):
    found = explain("acme", history, POLICY, alone(), as_of)
    now, trends = found.assessment, found.trends
    assert now == assessed(history, as_of=as_of)
    assert [trend.days for trend in trends] == [30, 90]
    for trend in trends:
        then = assessed(history, as_of=as_of - timedelta(days=trend.days))
        assert (trend.score, trend.verdict) == (then.score, then.verdict)
        assert trend.since.score == now.score - then.score
        assert abs(sum(one.points for one in trend.since.signs) - trend.since.score) < 1e-9
        assert abs(sum(one.decibans for one in trend.since.signs) - (now.total_decibans - then.total_decibans)) < 1e-9
        strength = [abs(one.decibans) for one in trend.since.moved]
        assert strength == sorted(strength, reverse=True)
        assert len(strength) == sum(1 for one in trend.since.signs if one.decibans)


@given(histories(), instants(), st.integers(1, 7))
def test_a_timeline_tells_each_event_once(history: list[Event], as_of: datetime, limit: int):
    ordered = sorted((e for e in history if e.time <= as_of), key=lambda event: (event.time, event.ref))
    pages, place = [], None
    while True:
        effects, place = timeline_of(history, POLICY, alone(), as_of, before=place, limit=limit)
        pages += effects
        if place is None:
            break
        assert len(effects) == limit
    assert [effect.event for effect in pages] == ordered[::-1]
    for count, effect in enumerate(pages[::-1], start=1):
        assert effect.after == assessed(ordered[:count], as_of=effect.event.time)
        before = assessed(ordered[: count - 1], as_of=effect.event.time)
        assert effect.moved.score == effect.after.score - before.score
        assert abs(sum(one.points for one in effect.moved.signs) - effect.moved.score) < 1e-9


def test_an_event_that_is_taken_back_has_its_effect_until_then():
    refused = told("rate.refused", 20)
    effects, further = timeline_of(
        [refused, told("event.voided", 10, source="test", id=refused.id)], POLICY, alone(), MONDAY
    )
    taken_back, happened = effects
    assert further is None
    assert happened.moved.score > 0 > taken_back.moved.score
    assert taken_back.after.score == assessed([]).score


@pytest.mark.parametrize(
    ("pace", "first", "last", "days"),
    [
        (Pace.DAY, date(2024, 2, 28), date(2024, 3, 1), ["02-28", "02-29"]),
        (Pace.WEEK, date(2024, 2, 21), date(2024, 3, 11), ["02-25", "03-03", "03-10"]),
        (Pace.MONTH, date(2023, 12, 31), date(2024, 3, 15), ["12-31", "01-31", "02-29"]),
        (Pace.MONTH, date(2023, 2, 1), date(2023, 3, 1), ["02-28"]),
        (Pace.DAY, date(2024, 2, 28), date(2024, 2, 28), []),
    ],
)
def test_steps_end_with_their_days(pace: Pace, first: date, last: date, days: list[str]):
    noon = datetime(last.year, last.month, last.day, 12, tzinfo=UTC)
    *ends, as_of = ends_of(WorkingCalendar(), pace, first, noon)
    assert as_of == noon
    assert [f"{end:%m-%d}" for end in ends] == days


@pytest.mark.parametrize(("change", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_local_day_is_as_long_as_it_is(change: date, hours: int):
    berlin = WorkingCalendar(zone="Europe/Berlin")
    as_of = datetime(change.year, change.month, change.day, tzinfo=UTC) + timedelta(days=3)
    ends = list(ends_of(berlin, Pace.DAY, change - timedelta(days=2), as_of))[:-1]
    assert [berlin.day_of(end) for end in ends] == [change + timedelta(days=n) for n in (-2, -1, 0, 1, 2)]
    assert [(b - a).total_seconds() / 3600 for a, b in pairwise(ends)] == [24, hours, 24, 24]


@given(st.sampled_from(Pace), st.integers(0, 800), st.integers(0, 800))
def test_steps_cover_the_days_without_a_gap(pace: Pace, first: int, length: int):
    zone = WorkingCalendar(zone="America/New_York")
    begins = BEGIN.date() + timedelta(days=first)
    as_of = zone.end_of(begins + timedelta(days=length)) - timedelta(hours=7)
    ends = list(ends_of(zone, pace, begins, as_of))
    assert ends == sorted(set(ends))
    assert ends[-1] == as_of
    days = [zone.day_of(end) for end in ends]
    assert days[0] >= begins or len(days) == 1
    longest = {Pace.DAY: 1, Pace.WEEK: 7, Pace.MONTH: 31}[pace]
    assert all(0 <= (b - a).days <= longest for a, b in pairwise([begins, *days]))
