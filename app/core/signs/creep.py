"""Creep: unpaid hours beyond what was agreed, period by period."""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from app.core.decibans import day_fading
from app.core.events import EventRef
from app.core.facts import Facts
from app.core.facts.work import Terms
from app.core.policy import Policy

__all__ = ["Creep", "Overrun", "creep_of"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_LEAST_AGREED = 8.0
"""Hours: a day's work."""


@dataclass(frozen=True, slots=True)
class Overrun:
    """One period that was agreed: hours unpaid beyond the agreed ones, weighted by telling, and how long ago.

    Attributes:
        share: unpaid hours as a share of the agreed ones, as if a day's work had been agreed at least.
        days_since_start: age of the period.
        days_since_last: age of its newest unpaid hour; that of the period where there is none.
    """

    share: float
    days_since_start: int
    days_since_last: int


@dataclass(frozen=True, slots=True)
class Creep:
    """What is *fresh* is faded by age and weighted by telling; the rest is plain hours, as a person would count them.

    Attributes:
        agreed_hours: what was agreed for the periods that have begun.
        unpaid_hours: what was worked beyond that and is not paid for.
        fresh_agreed_hours, fresh_unpaid_hours: the same, faded.
        recent_share: fresh unpaid hours as a share of the agreed ones, with a short memory.
        told_hours: how many unpaid hours came after the client was told what has to change, faded.
        overruns: period by period.
        unpaid: the unpaid hours by day.
        pull: how many hours each event adds.
    """

    agreed_hours: float
    unpaid_hours: float
    fresh_agreed_hours: float
    fresh_unpaid_hours: float
    recent_share: float
    told_hours: float
    overruns: tuple[Overrun, ...]
    unpaid: tuple[tuple[date, float], ...]
    pull: tuple[tuple[float, EventRef], ...]

    @property
    def share(self) -> float:
        """Unpaid hours as a share of the agreed ones."""
        return self.unpaid_hours / max(self.agreed_hours, _LEAST_AGREED)

    @property
    def fresh_share(self) -> float:
        """The same, faded."""
        return self.fresh_unpaid_hours / max(self.fresh_agreed_hours, _LEAST_AGREED)


@dataclass(slots=True)
class _Period:
    starts: date
    hours: float
    worked: float = 0.0
    unpaid: float = 0.0
    last: date | None = None

    def hours_beyond(self, hours: float) -> float:
        """Work some hours more, and return how many of them are beyond the agreed ones."""
        before = max(self.worked - self.hours, 0.0)
        self.worked += hours
        return self.worked - self.hours - before if self.worked > self.hours else 0.0

    def add(self, hours: float, day: date) -> None:
        """Note hours that are not paid for."""
        self.unpaid += hours
        if self.last is None or day > self.last:
            self.last = day


@dataclass(frozen=True, slots=True)
class _Beyond:
    """Hours beyond the agreement, from one effort."""

    day: date
    hours: float
    weight: float
    ref: EventRef


def creep_of(facts: Facts, policy: Policy) -> Creep:
    """Measure creep.

    An hour for a change that the client pays for is agreed, however much there is of them. In each period the agreed
    hours come first; what comes after them is beyond. An hour for a change that is not paid for is beyond at once.
    Hours before any agreement belong to none and are left out, but for those of a change.
    """
    agreed = _periods(facts)
    # What is done for an unpaid change where nothing was agreed at all belongs to a period without agreed hours.
    before = _Period(agreed[0].starts if agreed else facts.today, 0.0)
    found = list(_beyond(facts, policy, agreed, before))
    periods = [*agreed, before] if before.last else agreed

    ages = [facts.days_since(one.day) for one in found]
    began = [(period.hours, facts.days_since(period.starts)) for period in agreed]

    def faded(half_life: float) -> tuple[float, float]:
        unpaid = sum(
            [one.hours * one.weight * day_fading(age, half_life) for one, age in zip(found, ages, strict=True)]
        )
        return unpaid, sum([hours * day_fading(age, half_life) for hours, age in began])

    fresh_unpaid, fresh_agreed = faded(policy.half_life_days)
    recent, recently_agreed = faded(policy.scope.recent_half_life)
    fresh = [one.hours * day_fading(age, policy.half_life_days) for one, age in zip(found, ages, strict=True)]
    return Creep(
        agreed_hours=sum(period.hours for period in agreed),
        unpaid_hours=sum(one.hours for one in found),
        fresh_agreed_hours=fresh_agreed,
        fresh_unpaid_hours=fresh_unpaid,
        recent_share=recent / max(recently_agreed, _LEAST_AGREED),
        told_hours=sum(hours for one, hours in zip(found, fresh, strict=True) if one.weight > 1),
        overruns=tuple(
            Overrun(
                share=period.unpaid / max(period.hours, _LEAST_AGREED),
                days_since_start=facts.days_since(period.starts),
                days_since_last=facts.days_since(period.last or period.starts),
            )
            for period in periods
        ),
        unpaid=tuple((one.day, one.hours) for one in found),
        pull=tuple((hours * one.weight, one.ref) for one, hours in zip(found, fresh, strict=True)),
    )


def _beyond(facts: Facts, policy: Policy, agreed: list[_Period], before: _Period) -> Iterator[_Beyond]:
    paid = {change.id for change in facts.work.changes if change.is_paid_for}
    starts = [period.starts for period in agreed]
    told = facts.talks.expectations.get("scope")
    for effort in facts.work.efforts:
        if effort.change in paid:
            continue
        index = bisect_right(starts, effort.day) - 1
        period = agreed[index] if index >= 0 else before
        hours = effort.hours
        if effort.change is None:
            hours = period.hours_beyond(effort.hours) if index >= 0 else 0.0
        if hours > 0:
            weight = policy.told_weight if told is not None and told.at < effort.mark.at else 1.0
            period.add(hours * weight, effort.day)
            yield _Beyond(effort.day, hours, weight, effort.mark.ref)


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
