"""Creep: unpaid hours beyond what was agreed, period by period."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import mul

from app.core.decibans import day_fading
from app.core.events import EventRef
from app.core.facts import Facts, measured_once
from app.core.facts.terms import Agreed
from app.core.facts.work import BEFORE, InPeriod
from app.core.policy import Policy

__all__ = ["Creep", "Overrun", "creep_of"]

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
        pull: how many hours each of the events adds that add most, heaviest first.
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


@measured_once
def creep_of(facts: Facts, policy: Policy) -> Creep:
    """Measure creep.

    An hour for a change that the client pays for is agreed, however much there is of them. In each period the agreed
    hours come first, in the order in which work was told; what comes after them is beyond. An hour for a change that is
    not paid for is beyond at once. Hours before any agreement belong to none and are left out, but for those of a
    change.
    """
    work, today = facts.work, facts.today.toordinal()
    agreed = work.timetable.until(facts.today)
    ages = [max(today - period.starts, 0) for period in agreed]
    hours = [period.hours for period in agreed]
    half_life, short = policy.half_life_days, policy.scope.recent_half_life
    unpaid = work.unpaid
    return Creep(
        agreed_hours=sum(hours),
        unpaid_hours=unpaid.hours,
        fresh_agreed_hours=sum(map(mul, hours, [day_fading(age, half_life) for age in ages])),
        fresh_unpaid_hours=unpaid.fresh,
        recent_agreed_hours=sum(map(mul, hours, [day_fading(age, short) for age in ages])),
        recent_unpaid_hours=unpaid.recent,
        lasting_unpaid_hours=unpaid.lasting,
        told_hours=unpaid.told,
        overruns=tuple(_overruns(work.periods, agreed, today)),
        pull=unpaid.pull,
    )


def _overruns(done: Mapping[int, InPeriod], agreed: list[Agreed], today: int) -> Iterator[Overrun]:
    """Every agreed period, and what was done before any; of those that begin together the last has what was done."""
    for number, period in enumerate(agreed):
        last = number + 1 == len(agreed) or agreed[number + 1].starts != period.starts
        yield _overrun(done.get(period.starts, InPeriod()) if last else InPeriod(), period, today)
    before = done.get(BEFORE)
    if before is not None and before.efforts:
        starts = agreed[0].starts if agreed else today
        yield _overrun(before, Agreed(starts, 0.0), today)


def _overrun(done: InPeriod, period: Agreed, today: int) -> Overrun:
    return Overrun(
        share=done.unpaid / max(period.hours, _LEAST_AGREED),
        days_since_start=max(today - period.starts, 0),
        days_since_last=max(today - (done.last or period.starts), 0),
    )
