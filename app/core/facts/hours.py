"""Hours worked: those up to the last invoice as a sum, those since then day by day while they are new."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.core.decibans import day_fading
from app.core.fading import FadingSum
from app.core.policy import Policy

__all__ = ["Hours", "HoursBook", "HoursState", "Spent"]

_MOST_DAYS: Final = 64
_NEXT_TO_NOTHING: Final = 1e-9
"""Hours that are only what rounding leaves."""


class Spent(NamedTuple):
    """Plain hours: all of them, and how many of them are not billable."""

    hours: float = 0.0
    unpaid: float = 0.0

    def plus(self, hours: float, unpaid: float) -> "Spent":
        """With some more."""
        return Spent(self.hours + hours, self.unpaid + unpaid)


NO_HOURS: Final = Spent()


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours worked, as they stand on a day.

    Attributes:
        total: all of them.
        due: those of the days whose hours are billed or should be: up to the last invoice, or up to the policy's lag
            while there is none.
        fresh: the same, faded.
        since: those after the last invoice; all of them while there is none.
    """

    total: Spent
    due: Spent
    fresh: float
    since: Spent


@dataclass(slots=True)
class HoursState:
    """What is kept of hours.

    Attributes:
        billed: up to the last invoice; `billed_fresh` is the same, faded.
        waiting: after it and no longer new; `waiting_fresh` is the same, faded.
        days: the rest by day, as ordinals.
        last: the day of the last invoice.
    """

    billed: Spent = NO_HOURS
    billed_fresh: FadingSum = field(default_factory=FadingSum)
    waiting: Spent = NO_HOURS
    waiting_fresh: FadingSum = field(default_factory=FadingSum)
    days: dict[int, Spent] = field(default_factory=dict)
    last: int | None = None

    def copy(self) -> "HoursState":
        """The same, to go on with apart."""
        return HoursState(
            self.billed, self.billed_fresh.copy(), self.waiting, self.waiting_fresh.copy(), dict(self.days), self.last
        )


class HoursBook:
    """Keeps hours."""

    def __init__(self, policy: Policy, state: HoursState) -> None:
        """Go on from a state."""
        self._half_life = policy.half_life_days
        self._lag = policy.rate.billing_lag_days
        self.state = state

    def enter(self, day: int, hours: float, *, billable: bool) -> None:
        """Enter hours of a day; fewer than none take hours back that were entered."""
        state, unpaid = self.state, 0.0 if billable else hours
        if state.last is not None and day <= state.last:
            state.billed = self._sum_up(state.billed, state.billed_fresh, day, Spent(hours, unpaid))
        elif hours < 0 and day not in state.days:
            state.waiting = self._sum_up(state.waiting, state.waiting_fresh, day, Spent(hours, unpaid))
        else:
            state.days[day] = state.days.get(day, Spent()).plus(hours, unpaid)
            if len(state.days) > _MOST_DAYS + self._lag:
                self._let_wait(day)

    def bill(self, day: int) -> None:
        """An invoice was issued: it is for all hours up to its day."""
        state = self.state
        if state.last is not None and day <= state.last:
            return
        state.last = day
        state.billed = state.billed.plus(*state.waiting)
        state.billed_fresh.add(state.waiting_fresh.day, state.waiting_fresh.total, self._half_life)
        state.waiting, state.waiting_fresh = Spent(), FadingSum()
        for spent_on in sorted(one for one in state.days if one <= day):
            state.billed = self._sum_up(state.billed, state.billed_fresh, spent_on, state.days.pop(spent_on))

    def _let_wait(self, day: int) -> None:
        """Days that no lag reaches any more are summed up: whatever comes, they are counted together."""
        state = self.state
        for spent_on in sorted(one for one in state.days if one < day - self._lag):
            state.waiting = self._sum_up(state.waiting, state.waiting_fresh, spent_on, state.days.pop(spent_on))

    def _sum_up(self, plain: Spent, fresh: FadingSum, day: int, more: Spent) -> Spent:
        """Add hours of a day, or take back where they are fewer than none, which may be but a part of what was added.

        So they are added as they are: `FadingSum.take` would end the sum with the last of its days.
        """
        fresh.add(day, more.hours, self._half_life)
        total = plain.plus(*more)
        if abs(total.hours) < _NEXT_TO_NOTHING:
            fresh.clear()
        return total

    def read(self, today: int) -> Hours:
        """Hours as they stand on a day."""
        state = self.state
        since = state.waiting
        for spent in state.days.values():
            since = since.plus(*spent)
        if state.last is not None:
            return Hours(
                total=state.billed.plus(*since),
                due=state.billed,
                fresh=state.billed_fresh.on(today, self._half_life),
                since=since,
            )
        due, fresh = state.waiting, state.waiting_fresh.on(today, self._half_life)
        for day, spent in sorted(state.days.items()):
            if day <= today - self._lag:
                due = due.plus(*spent)
                fresh += spent.hours * day_fading(today - day, self._half_life)
        return Hours(total=since, due=due, fresh=fresh, since=since)
