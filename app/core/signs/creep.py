"""Creep: unpaid hours beyond what was agreed, period by period."""

from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.core.decibans import day_fading
from app.core.events import EventRef
from app.core.events.fields import Period
from app.core.facts import Facts, measured_once
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
    left: float
    unpaid: float = 0.0
    last: date | None = None


class _Beyond(NamedTuple):
    """Hours beyond the agreement, from one effort: weighted by telling, faded by age, and how old they are."""

    day: date
    hours: float
    weight: float
    fresh: float
    age: int
    ref: EventRef


@measured_once
def creep_of(facts: Facts, policy: Policy) -> Creep:
    """Measure creep.

    An hour for a change that the client pays for is agreed, however much there is of them. In each period the agreed
    hours come first; what comes after them is beyond. An hour for a change that is not paid for is beyond at once.
    Hours before any agreement belong to none and are left out, but for those of a change.
    """
    agreed = _periods(facts)
    # What is done for an unpaid change where nothing was agreed at all belongs to a period without agreed hours.
    before = _Period(agreed[0].starts if agreed else facts.today, 0.0, 0.0)
    found = _beyond(facts, policy, agreed, before)
    periods = [*agreed, before] if before.last else agreed
    began = [(period.hours, facts.days_since(period.starts)) for period in agreed]
    lately = policy.scope.recent_half_life
    pull = [(one.hours * one.weight * one.fresh, one.ref) for one in found]
    recent = sum([one.hours * one.weight * day_fading(one.age, lately) for one in found])
    recently_agreed = sum([hours * day_fading(age, lately) for hours, age in began])
    return Creep(
        agreed_hours=sum(period.hours for period in agreed),
        unpaid_hours=sum([one.hours for one in found]),
        fresh_agreed_hours=sum([hours * day_fading(age, policy.half_life_days) for hours, age in began]),
        fresh_unpaid_hours=sum([hours for hours, _ in pull]),
        recent_share=recent / max(recently_agreed, _LEAST_AGREED),
        told_hours=sum([one.hours * one.fresh for one in found if one.weight > 1]),
        overruns=tuple(
            Overrun(
                share=period.unpaid / max(period.hours, _LEAST_AGREED),
                days_since_start=facts.days_since(period.starts),
                days_since_last=facts.days_since(period.last or period.starts),
            )
            for period in periods
        ),
        unpaid=tuple([(one.day, one.hours) for one in found]),
        pull=tuple(pull),
    )


def _beyond(facts: Facts, policy: Policy, agreed: list[_Period], before: _Period) -> list[_Beyond]:
    paid = {change.id for change in facts.work.changes if change.is_paid_for}
    starts = [period.starts for period in agreed]
    told = facts.talks.expectations.get("scope")
    half_life = policy.half_life_days
    found: list[_Beyond] = []
    # Efforts are in order of their days.
    for day, hours, _, change, mark in facts.work.efforts:
        if change in paid:
            continue
        index = bisect_right(starts, day) - 1
        period = agreed[index] if index >= 0 else before
        beyond = hours
        if change is None:
            if index < 0:
                continue
            beyond -= min(period.left, hours)
            period.left -= hours - beyond
        if beyond > 0:
            weight = policy.told_weight if told is not None and told.at < mark.at else 1.0
            period.unpaid += beyond * weight
            period.last = day
            age = facts.days_since(day)
            found.append(_Beyond(day, beyond, weight, day_fading(age, half_life), age, mark.ref))
    return found


def _periods(facts: Facts) -> list[_Period]:
    """Every agreed period that has begun, oldest first."""
    found: list[_Period] = []
    terms = facts.work.terms
    for number, term in enumerate(terms):
        ends = next((later.starts for later in terms[number + 1 :] if later.agreement == term.agreement), None)
        found.extend(_Period(day, term.hours, term.hours) for day in _starts(term, facts.today, ends))
    return sorted(found, key=lambda period: period.starts)


def _starts(term: Terms, today: date, ends: date | None) -> list[date]:
    found: list[date] = []
    day, number = term.starts, 0
    while day <= today and (ends is None or day < ends):
        found.append(day)
        number += 1
        if term.period == "project":
            break
        day = _nth(term.starts, term.period, number)
    return found


@lru_cache(maxsize=20_000)
def _nth(starts: date, period: Period, number: int) -> date:
    if period == "week":
        return starts + timedelta(weeks=number)
    months = starts.year * 12 + starts.month - 1 + number * _MONTHS[period]
    year, month = divmod(months, 12)
    return date(year, month + 1, min(starts.day, monthrange(year, month + 1)[1]))
