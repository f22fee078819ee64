"""The tenant's working calendar: its zone, its hours on each weekday and its public holidays."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

import holidays
from annotated_types import Len

__all__ = ["WorkingCalendar", "WorkingHours"]

_NINE_TO_SIX = (time(9), time(18))


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Hours of one weekday, local time: `opens <= t < closes`."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        if self.opens >= self.closes or self.opens.tzinfo or self.closes.tzinfo:
            raise ValueError("a working day opens before it closes, at local times")


@lru_cache(maxsize=10_000)
def _span(zone: str, day: date, hours: WorkingHours) -> tuple[float, float]:
    """When a local day opens and closes, in seconds of Unix time."""
    opens, closes = (datetime.combine(day, at, _zone(zone)) for at in (hours.opens, hours.closes))
    return opens.timestamp(), closes.timestamp()


def _weekdays() -> tuple[WorkingHours | None, ...]:
    return (*[WorkingHours(*_NINE_TO_SIX)] * 5, None, None)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=512)
def _holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """When the tenant works.

    Attributes:
        zone: IANA name of the tenant's time zone.
        week: hours of Monday to Sunday; None is a day off.
        country: ISO 3166-1 alpha-2 code whose public holidays are days off, or None for no holidays.
        subdivision: a region of the country with holidays of its own.
        days_off: further days off.
    """

    zone: str = "UTC"
    week: tuple[WorkingHours | None, ...] = field(default_factory=_weekdays)
    country: str | None = None
    subdivision: str | None = None
    days_off: Annotated[frozenset[date], Len(0, 1000)] = frozenset()

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise ValueError("a week has seven days, Monday first")
        try:
            _zone(self.zone)
        except (KeyError, ValueError, OSError):
            raise ValueError("zone must name an IANA time zone, such as Europe/Berlin") from None
        if self.subdivision is not None and self.country is None:
            raise ValueError("a subdivision needs its country")
        if self.country is not None:
            try:
                _holidays(self.country, self.subdivision, 2026)
            except NotImplementedError:
                raise ValueError("no public holidays are known for this country and subdivision") from None

    def local(self, instant: datetime) -> datetime:
        """The tenant's wall clock at an instant."""
        return instant.astimezone(_zone(self.zone))

    def day_of(self, instant: datetime) -> date:
        """The tenant's local day at an instant."""
        return instant.astimezone(_zone(self.zone)).date()

    def end_of(self, day: date) -> datetime:
        """The last microsecond of a local day, as an instant; days of 23 and 25 hours included."""
        midnight = datetime.combine(day + timedelta(days=1), time(), _zone(self.zone))
        return midnight.astimezone(_zone("UTC")) - timedelta(microseconds=1)

    def hours_on(self, day: date) -> WorkingHours | None:
        """The working hours of a local day, or None when it is a day off."""
        if day in self.days_off:
            return None
        if self.country and day in _holidays(self.country, self.subdivision, day.year):
            return None
        return self.week[day.weekday()]

    def is_open(self, instant: datetime) -> bool:
        """Whether the tenant works at an instant."""
        local = instant.astimezone(_zone(self.zone))
        hours = self.hours_on(local.date())
        return hours is not None and hours.opens <= local.time() < hours.closes

    def working_hours_between(self, start: datetime, end: datetime, at_most: float) -> float:
        """Working hours from `start` to `end`, counted only up to `at_most`."""
        if end <= start:
            return 0.0
        day, last, total = self.day_of(start), self.day_of(end), 0.0
        begins, ends = start.timestamp(), end.timestamp()
        while day <= last and total < at_most:
            hours = self.hours_on(day)
            if hours is not None:
                opens, closes = _span(self.zone, day, hours)
                total += max(min(closes, ends) - max(opens, begins), 0.0) / 3600.0
            day += timedelta(days=1)
        return min(total, at_most)
