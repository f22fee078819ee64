"""What was agreed from a day on, and the periods that follow from it."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from app.core.events import Mark
from app.core.events.fields import Period

__all__ = ["Agreed", "Terms", "Timetable"]

_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed from a day on: `hours` of effort, once or in every period."""

    agreement: str
    starts: date
    hours: float
    period: Period
    mark: Mark


class Agreed(NamedTuple):
    """One period that was agreed: its first day as an ordinal, and its hours."""

    starts: int
    hours: float


class Timetable:
    """The periods of some terms. A period ends where the next one begins, whichever agreement that is of."""

    def __init__(self, terms: Sequence[Terms]) -> None:
        """Put terms in order; the terms of an agreement end where newer ones of it begin."""
        self.terms = tuple(sorted(terms, key=lambda term: (term.starts, term.mark)))
        self._ends = [
            next((later.starts for later in self.terms[number + 1 :] if later.agreement == term.agreement), None)
            for number, term in enumerate(self.terms)
        ]
        self._found: dict[int, Agreed | None] = {}

    def at(self, day: int) -> Agreed | None:
        """The period that a day belongs to, or None before the first."""
        if day not in self._found:
            self._found[day] = self._at(date.fromordinal(day))
        return self._found[day]

    def until(self, today: date) -> list[Agreed]:
        """Every period that has begun by a day, oldest first; of those that begin together the last counts."""
        found = [
            Agreed(day.toordinal(), term.hours)
            for term, ends in zip(self.terms, self._ends, strict=True)
            for day in _starts(term, today, ends)
        ]
        return sorted(found, key=lambda period: period.starts)

    def _at(self, day: date) -> Agreed | None:
        found: Agreed | None = None
        for term, ends in zip(self.terms, self._ends, strict=True):
            if term.starts > day:
                break
            if ends is not None and ends <= term.starts:
                continue
            last = min(day, ends - timedelta(days=1)) if ends is not None else day
            starts = _latest(term, last).toordinal()
            if found is None or starts >= found.starts:
                found = Agreed(starts, term.hours)
        return found


def _starts(term: Terms, today: date, ends: date | None) -> Iterator[date]:
    day, number = term.starts, 0
    while day <= today and (ends is None or day < ends):
        yield day
        number += 1
        if term.period == "project":
            break
        day = _nth(term.starts, term.period, number)


def _latest(term: Terms, day: date) -> date:
    """The start of the newest period that began by a day, which is not before the first."""
    match term.period:
        case "project":
            return term.starts
        case "week":
            return term.starts + timedelta(weeks=(day - term.starts).days // 7)
        case period:
            months = (day.year - term.starts.year) * 12 + day.month - term.starts.month
            number = months // _MONTHS[period]
            starts = _nth(term.starts, period, number)
            return starts if starts <= day else _nth(term.starts, period, number - 1)


@lru_cache(maxsize=20_000)
def _nth(starts: date, period: Period, number: int) -> date:
    if period == "week":
        return starts + timedelta(weeks=number)
    months = starts.year * 12 + starts.month - 1 + number * _MONTHS[period]
    year, month = divmod(months, 12)
    return date(year, month + 1, min(starts.day, monthrange(year, month + 1)[1]))
