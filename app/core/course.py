"""The course of a relationship: how it stood at several instants, from one pass over the events."""

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum

from app.core.assessment import Assessment, assess
from app.core.events import Event
from app.core.facts import Chronicle
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.working_calendar import WorkingCalendar

__all__ = ["Pace", "course_of", "ends_of"]


class Pace(StrEnum):
    """How far apart the instants are; weeks end on Sundays."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def course_of(
    events: Iterable[Event],
    policy: Policy,
    portfolio: Portfolio,
    instants: Iterable[datetime],
    known_at: datetime | None = None,
) -> Iterator[Assessment]:
    """Assess one client at instants in order of time, reading each event once.

    Every instant is held against the same portfolio, so that what moves is this client and not the others.
    """
    chronicle = Chronicle(events, policy.calendar, known_at)
    for instant in instants:
        yield assess(chronicle.facts(instant), policy, portfolio)


def ends_of(calendar: WorkingCalendar, pace: Pace, first: date, as_of: datetime) -> Iterator[datetime]:
    """The ends of local days, weeks or months, from the one with the first day on; the last is `as_of` itself."""
    day = first
    while True:
        end = _last_day(pace, day)
        instant = calendar.end_of(end)
        if instant >= as_of:
            yield as_of
            return
        yield instant
        day = end + timedelta(days=1)


def _last_day(pace: Pace, day: date) -> date:
    match pace:
        case Pace.DAY:
            return day
        case Pace.WEEK:
            return day + timedelta(days=6 - day.weekday())
        case Pace.MONTH:
            return day.replace(day=monthrange(day.year, day.month)[1])
