"""The course of a relationship: how it stood at several instants, from one pass over the events."""

from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from app.core.assessment import Assessment, assess
from app.core.facts import Facts
from app.core.history import Reader, Told
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.verdict import Standing
from app.core.working_calendar import WorkingCalendar

__all__ = ["Pace", "Recollection", "assessment_at", "course_of", "ends_of", "readings_of"]


class Pace(StrEnum):
    """How far apart the instants are; weeks end on Sundays."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Recollection:
    """How a relationship stood on the days before, for verdicts that do not flap.

    Reads forward on its own and only when a verdict asks, which is when the score is near a threshold.
    """

    def __init__(self, told: Told, policy: Policy, portfolio: Portfolio, known_at: datetime | None = None) -> None:
        """Recollect one client's history, held against one portfolio."""
        self._told = told
        self._policy = policy
        self._portfolio = portfolio
        self._known_at = known_at
        self._seen: dict[date, Standing] = {}

    def before(self, as_of: datetime) -> Iterable[Standing]:
        """How it stood at the ends of the last local days before an instant; instants are asked for in order."""
        return _LastDays(self._at, self._policy.calendar.day_of(as_of), self._policy.thresholds.settling_days)

    def _at(self, day: date) -> Standing:
        found = self._seen.get(day)
        if found is None:
            facts = self._reader.facts(self._policy.calendar.end_of(day))
            found = self._seen[day] = assess(facts, self._policy, self._portfolio).standing
        return found

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._told, self._policy, self._known_at)


@dataclass(frozen=True, slots=True)
class _LastDays:
    """Some days, oldest first, each looked at when it is reached; they can be gone through again."""

    at: Callable[[date], Standing]
    today: date
    count: int

    def __iter__(self) -> Iterator[Standing]:
        return (self.at(self.today - timedelta(days=back)) for back in range(self.count, 0, -1))


def readings_of(
    told: Told,
    policy: Policy,
    portfolio: Portfolio,
    instants: Iterable[datetime],
    known_at: datetime | None = None,
) -> Iterator[tuple[Facts, Assessment]]:
    """Read and assess one client at instants in order of time, reading each event once.

    Every instant is held against the same portfolio, so that what moves is this client and not the others.
    """
    reader = Reader(told, policy, known_at)
    recollection = Recollection(told, policy, portfolio, known_at)
    for instant in instants:
        facts = reader.facts(instant)
        yield facts, assess(facts, policy, portfolio, recollection.before(instant))


def course_of(
    told: Told,
    policy: Policy,
    portfolio: Portfolio,
    instants: Iterable[datetime],
    known_at: datetime | None = None,
) -> Iterator[Assessment]:
    """The assessments alone."""
    return (assessment for _, assessment in readings_of(told, policy, portfolio, instants, known_at))


def assessment_at(
    told: Told, policy: Policy, portfolio: Portfolio, as_of: datetime, known_at: datetime | None = None
) -> Assessment:
    """Assess one client at one instant."""
    return next(course_of(told, policy, portfolio, [as_of], known_at))


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
