"""The tenant's working calendar: its zone, its hours on each weekday and its public holidays."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

import holidays
from annotated_types import Len

from app.core.setting_error import SettingError

__all__ = ["Openings", "WorkingCalendar", "WorkingHours", "time_zones"]

_MOST_DAYS: Final = 20_000
"""Kept at hand for a calendar."""
_NINE_TO_SIX: Final = (time(9), time(18))


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


@cache
def time_zones() -> frozenset[str]:
    """The names of all IANA time zones; not `Factory`, for machines that have none yet, nor a machine's own zone."""
    return frozenset(available_timezones()) - {"Factory", "localtime"}


@cache
def _countries() -> dict[str, list[str]]:
    """Countries whose public holidays are known, by ISO 3166-1 alpha-2 code, with their subdivisions."""
    found: dict[str, list[str]] = holidays.list_supported_countries(include_aliases=False)
    return found


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
            raise SettingError("a week has seven days, Monday first", "week")
        if not any(self.week):
            raise SettingError("a week has a working day at least", "week")
        if self.zone not in time_zones():
            raise SettingError("expected the name of an IANA time zone, such as Europe/Berlin", "zone")
        if self.country is not None and self.country not in _countries():
            raise SettingError("expected the ISO 3166-1 alpha-2 code of a country, such as DE", "country")
        if self.subdivision is not None:
            if self.country is None:
                raise SettingError("a subdivision needs its country", "subdivision")
            known = _countries()[self.country]
            if self.subdivision not in known:
                raise SettingError(f"expected one of {', '.join(known) or 'none'}", "subdivision")

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
        """Whether the tenant works at an instant in UTC."""
        return self.openings.has(instant)

    @property
    def openings(self) -> "Openings":
        """The same for many instants: quicker from the second one of a day on."""
        return _openings(self)

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


class Openings:
    """When a calendar is open, by days of UTC, each worked out once."""

    def __init__(self, calendar: WorkingCalendar) -> None:
        """Look at a calendar."""
        self._calendar = calendar
        self._spans: dict[date, tuple[tuple[datetime, datetime], ...]] = {}

    def has(self, instant: datetime) -> bool:
        """Whether an instant in UTC is in working hours."""
        day = instant.date()
        spans = self._spans.get(day)
        if spans is None:
            if len(self._spans) >= _MOST_DAYS:
                self._spans.clear()
            spans = self._spans[day] = tuple(self._around(day))
        for opens, closes in spans:  # noqa: SIM110 - a generator takes three times as long
            if opens <= instant < closes:
                return True
        return False

    def _around(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The working hours of the local days that a day of UTC is part of."""
        first = day.toordinal() - 1
        for ordinal in range(max(first, 1), min(first + 3, date.max.toordinal())):
            local = date.fromordinal(ordinal)
            hours = self._calendar.hours_on(local)
            if hours is not None:
                opens, closes = (datetime.fromtimestamp(at, UTC) for at in _span(self._calendar.zone, local, hours))
                if opens.date() <= day <= closes.date():
                    yield opens, closes


@lru_cache(maxsize=256)
def _openings(calendar: WorkingCalendar) -> Openings:
    return Openings(calendar)
