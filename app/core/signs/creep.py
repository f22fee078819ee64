"""Creep: unpaid hours beyond what was agreed, period by period."""

from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from app.core.decibans import fading
from app.core.events import EventRef
from app.core.facts import Facts
from app.core.facts.work import Terms
from app.core.policy import Policy
from app.core.signs.sign import weight_after_telling

__all__ = ["Creep", "creep_of"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Creep:
    """Hours, faded by age.

    Attributes:
        agreed_hours: what was agreed for the periods that have begun.
        unpaid_hours: what was worked beyond that and is not paid for.
        told_hours: how much of that after the client was told what has to change.
        periods: how many periods there are to judge by.
        pull: how many hours each event adds.
    """

    agreed_hours: float
    unpaid_hours: float
    told_hours: float
    periods: int
    pull: tuple[tuple[float, EventRef], ...]

    @property
    def share(self) -> float:
        """Unpaid hours as a share of the agreed ones, as if a day's work had been agreed at least."""
        return self.unpaid_hours / max(self.agreed_hours, 8.0)


@dataclass(slots=True)
class _Period:
    starts: date
    hours: float
    worked: float = 0.0

    def hours_beyond(self, hours: float) -> float:
        """Work some hours more, and return how many of them are beyond the agreed ones."""
        before = max(self.worked - self.hours, 0.0)
        self.worked += hours
        return max(self.worked - self.hours, 0.0) - before


def creep_of(facts: Facts, policy: Policy, half_life_days: float) -> Creep:
    """Measure creep, what is older counting less by the half-life.

    An hour for a change that the client pays for is agreed, however much there is of them. In each period the agreed
    hours come first; what comes after them is beyond. An hour for a change that is not paid for is beyond at once.
    Hours before any agreement belong to none and are left out.
    """
    periods = _periods(facts)
    paid = {change.id for change in facts.work.changes if change.is_paid_for}
    starts = [period.starts for period in periods]
    unpaid = told = 0.0
    pull: list[tuple[float, EventRef]] = []
    for effort in facts.work.efforts:
        if effort.change in paid:
            continue
        index = bisect_right(starts, effort.day) - 1
        beyond = effort.hours
        if effort.change is None:
            beyond = periods[index].hours_beyond(effort.hours) if index >= 0 else 0.0
        if beyond <= 0:
            continue
        weight = weight_after_telling(facts, "scope", effort.mark, policy)
        hours = beyond * fading(facts.days_since(effort.day), half_life_days)
        unpaid += hours * weight
        told += hours if weight > 1 else 0.0
        pull.append((hours * weight, effort.mark.ref))
    agreed = sum(period.hours * fading(facts.days_since(period.starts), half_life_days) for period in periods)
    return Creep(agreed, unpaid, told, len(periods), tuple(pull))


def _periods(facts: Facts) -> list[_Period]:
    """Every agreed period that has begun, oldest first."""
    found: list[_Period] = []
    terms = facts.work.terms
    for number, term in enumerate(terms):
        ends = next((later.starts for later in terms[number + 1 :] if later.agreement == term.agreement), None)
        found.extend(_Period(day, term.hours) for day in _starts(term, facts.today, ends))
    return sorted(found, key=lambda period: period.starts)


def _starts(term: Terms, today: date, ends: date | None) -> list[date]:
    found: list[date] = []
    day, number = term.starts, 0
    while day <= today and (ends is None or day < ends):
        found.append(day)
        number += 1
        if term.period == "project":
            break
        day = _nth(term, number)
    return found


def _nth(term: Terms, number: int) -> date:
    if term.period == "week":
        return term.starts + timedelta(weeks=number)
    months = term.starts.year * 12 + term.starts.month - 1 + number * _MONTHS[term.period]
    year, month = divmod(months, 12)
    return date(year, month + 1, min(term.starts.day, monthrange(year, month + 1)[1]))
