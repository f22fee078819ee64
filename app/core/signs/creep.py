"""Creep: unpaid hours beyond what was agreed, period by period."""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from operator import mul
from typing import NamedTuple

from app.core.decibans import day_fading
from app.core.events import EventRef
from app.core.events.fields import Period
from app.core.facts import Facts, measured_once
from app.core.facts.work import Effort, Terms
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
        recent_unpaid_hours, recent_agreed_hours: plain hours, faded with a short memory.
        lasting_unpaid_hours: plain hours, faded with a long one.
        told_hours: how many unpaid hours came after the client was told what has to change, faded.
        overruns: period by period.
        unpaid: the unpaid hours by day.
        pull: how many hours each event adds.
    """

    agreed_hours: float
    unpaid_hours: float
    fresh_agreed_hours: float
    fresh_unpaid_hours: float
    recent_agreed_hours: float
    recent_unpaid_hours: float
    lasting_unpaid_hours: float
    told_hours: float
    overruns: tuple[Overrun, ...]
    unpaid: tuple[tuple[date, float], ...]
    pull: tuple[tuple[float, EventRef], ...]

    @property
    def share(self) -> float | None:
        """Unpaid hours as a share of the agreed ones; None where none were agreed."""
        return self.unpaid_hours / self.agreed_hours if self.agreed_hours > 0 else None

    @property
    def recent_share(self) -> float | None:
        """The same with a short memory."""
        return self.recent_unpaid_hours / self.recent_agreed_hours if self.recent_agreed_hours > 0 else None

    @property
    def accelerates(self) -> bool:
        """Whether the share with a short memory is a quarter above the lasting one."""
        recent = self.recent_unpaid_hours / max(self.recent_agreed_hours, _LEAST_AGREED)
        return recent > 1.25 * self.lasting_unpaid_hours / max(self.fresh_agreed_hours, _LEAST_AGREED)


@dataclass(slots=True)
class _Period:
    """An agreed period: what is beyond in it, weighted by telling, and the newest day of that."""

    starts: date
    hours: float
    unpaid: float = 0.0
    last: date | None = None


class _Beyond(NamedTuple):
    """Hours beyond the agreement, from one effort in a period."""

    effort: Effort
    hours: float
    period: _Period


@measured_once
def creep_of(facts: Facts, policy: Policy) -> Creep:
    """Measure creep.

    An hour for a change that the client pays for is agreed, however much there is of them. In each period the agreed
    hours come first; what comes after them is beyond. An hour for a change that is not paid for is beyond at once.
    Hours before any agreement belong to none and are left out, but for those of a change.
    """
    agreed = _periods(facts)
    # What is done for an unpaid change where nothing was agreed at all belongs to a period without agreed hours.
    before = _Period(agreed[0].starts if agreed else facts.today, 0.0)
    found = [*_over_agreed(facts, agreed), *_for_changes(facts, agreed, before)]
    # One pass for each figure, most of it in C: a client has hundreds of efforts.
    today, half_life, short = facts.today, policy.half_life_days, policy.scope.recent_half_life
    ages = [(today - effort.day).days for effort, _, _ in found]
    hours = [beyond for _, beyond, _ in found]
    told = _told(facts, policy, found)
    fresh = [day_fading(age, half_life) for age in ages]
    weighted = list(map(mul, hours, told))
    pull = list(map(mul, weighted, fresh))
    for (effort, _, period), unpaid in zip(found, weighted, strict=True):
        period.unpaid += unpaid
        if period.last is None or effort.day > period.last:
            period.last = effort.day
    began = [facts.days_since(period.starts) for period in agreed]
    agreed_hours = [period.hours for period in agreed]
    recently_agreed = sum(map(mul, agreed_hours, [day_fading(age, short) for age in began]))
    return Creep(
        agreed_hours=sum(agreed_hours),
        unpaid_hours=sum(hours),
        fresh_agreed_hours=sum(map(mul, agreed_hours, [day_fading(age, half_life) for age in began])),
        fresh_unpaid_hours=sum(pull),
        recent_agreed_hours=recently_agreed,
        recent_unpaid_hours=sum(map(mul, hours, [day_fading(age, short) for age in ages])),
        lasting_unpaid_hours=sum(map(mul, hours, fresh)),
        told_hours=sum([one * share for one, share, weight in zip(hours, fresh, told, strict=True) if weight > 1]),
        overruns=tuple(
            Overrun(
                share=period.unpaid / max(period.hours, _LEAST_AGREED),
                days_since_start=facts.days_since(period.starts),
                days_since_last=facts.days_since(period.last or period.starts),
            )
            for period in ([*agreed, before] if before.last else agreed)
        ),
        unpaid=tuple([(effort.day, beyond) for effort, beyond, _ in found]),
        pull=tuple(zip(pull, [effort.mark.ref for effort, _, _ in found], strict=True)),
    )


def _told(facts: Facts, policy: Policy, found: list[_Beyond]) -> list[float]:
    """How much each counts: more once the client had been told what has to change."""
    told = facts.talks.expectations.get("scope")
    if told is None:
        return [1.0] * len(found)
    return [policy.told_weight if told.at < one.effort.mark.at else 1.0 for one in found]


def _over_agreed(facts: Facts, agreed: list[_Period]) -> Iterator[_Beyond]:
    """What comes after the agreed hours of each period."""
    efforts = [effort for effort in facts.work.efforts if effort.change is None]
    days = [effort.day for effort in efforts]
    # A period ends where the next one begins.
    first = bisect_left(days, agreed[0].starts) if agreed else 0
    for number, period in enumerate(agreed, 1):
        end = bisect_left(days, agreed[number].starts, lo=first) if number < len(agreed) else len(days)
        worked = list(accumulate([effort.hours for effort in efforts[first:end]]))
        within = bisect_right(worked, period.hours)
        if within < len(worked):
            yield _Beyond(efforts[first + within], worked[within] - period.hours, period)
            for effort in efforts[first + within + 1 : end]:
                yield _Beyond(effort, effort.hours, period)
        first = end


def _for_changes(facts: Facts, agreed: list[_Period], before: _Period) -> Iterator[_Beyond]:
    """What was worked for changes that the client does not pay for."""
    paid = {change.id for change in facts.work.changes if change.is_paid_for}
    starts = [period.starts for period in agreed]
    for effort in facts.work.efforts:
        if effort.change is not None and effort.hours > 0 and effort.change not in paid:
            index = bisect_right(starts, effort.day) - 1
            yield _Beyond(effort, effort.hours, agreed[index] if index >= 0 else before)


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
        day = _nth(term.starts, term.period, number)
    return found


@lru_cache(maxsize=20_000)
def _nth(starts: date, period: Period, number: int) -> date:
    if period == "week":
        return starts + timedelta(weeks=number)
    months = starts.year * 12 + starts.month - 1 + number * _MONTHS[period]
    year, month = divmod(months, 12)
    return date(year, month + 1, min(starts.day, monthrange(year, month + 1)[1]))
