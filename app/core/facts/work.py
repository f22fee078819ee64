"""What the events say of the work: hours worked, what was agreed, and the changes that were asked for."""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from app.core.events import Event, EventRef, Mark
from app.core.events import agreement as agreed
from app.core.events import change as changed
from app.core.events.effort import TimeLogged
from app.core.events.relationship import ExpectationStated
from app.core.facts.change import Beyond, Change
from app.core.facts.hours import Hours, HoursBook, HoursState
from app.core.facts.terms import Terms, Timetable
from app.core.fading import FadingSum, Heaviest
from app.core.occasions import HabitSums, HabitTally, Occasion
from app.core.policy import Policy

__all__ = ["AGREEMENTS", "BEFORE", "InPeriod", "Unpaid", "Work", "WorkBook", "WorkState", "terms_of"]

BEFORE: Final = 0
"""Names the time before the first agreement among the periods."""
_MOST_CHANGES: Final = 32
"""So many changes that something may still come of are kept one by one."""


class InPeriod(NamedTuple):
    """What was done in a period: hours for no change, weighted unpaid hours beyond, of how many efforts, newest day."""

    worked: float = 0.0
    unpaid: float = 0.0
    efforts: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Hours beyond the agreement that nobody pays for; *fresh* is faded by age and weighted by telling.

    Attributes:
        hours: plain hours.
        fresh, lasting, recent: faded: weighted by telling, plain, and plain with a short memory.
        told: of the fresh ones, what came after the client was told; plain.
        pull: the events that add most, heaviest first.
    """

    hours: float
    fresh: float
    lasting: float
    recent: float
    told: float
    pull: tuple[tuple[float, EventRef], ...]


@dataclass(frozen=True, slots=True)
class Work:
    """All the work for one client, as it stands on a day.

    Attributes:
        hours: what was worked.
        unpaid_efforts: the largest efforts that are not billable, heaviest first.
        first_day: the first day of work, as an ordinal; None where there was none.
        last_at: when work was told of last.
        timetable: what was agreed.
        periods: what was done in each period that anything was done in, by its first day.
        unpaid: hours beyond the agreement.
        unpaid_when_billed: plain unpaid hours, as they were when the last invoice was issued.
        changes: the newest of those that something may still come of, by time.
        requests: how many changes there were; `unpaid_requests` of them are not paid for.
        habit: each change as an occasion that is paid for or not.
    """

    hours: Hours
    unpaid_efforts: tuple[tuple[float, EventRef], ...]
    first_day: int | None
    last_at: datetime | None
    timetable: Timetable = field(compare=False)
    periods: dict[int, InPeriod]
    unpaid: Unpaid
    unpaid_when_billed: float
    changes: tuple[Change, ...]
    requests: int
    unpaid_requests: int
    habit: HabitSums


@dataclass(slots=True)
class WorkState:
    """What is kept of work; see `Work` and `Unpaid`."""

    hours: HoursState = field(default_factory=HoursState)
    unpaid_efforts: Heaviest = field(default_factory=Heaviest)
    first_day: int | None = None
    last_day: int | None = None
    last_at: datetime | None = None
    terms: tuple[Terms, ...] = ()
    periods: dict[int, InPeriod] = field(default_factory=dict)
    unpaid_hours: float = 0.0
    unpaid_when_billed: float = 0.0
    fresh: FadingSum = field(default_factory=FadingSum)
    lasting: FadingSum = field(default_factory=FadingSum)
    recent: FadingSum = field(default_factory=FadingSum)
    told: FadingSum = field(default_factory=FadingSum)
    pull: Heaviest = field(default_factory=Heaviest)
    changes: dict[str, Change] = field(default_factory=dict)
    requests: int = 0
    unpaid_requests: int = 0
    habit: HabitTally = field(default_factory=HabitTally)
    told_at: datetime | None = None

    def copy(self) -> "WorkState":
        """The same, to go on with apart."""
        return WorkState(
            self.hours.copy(),
            self.unpaid_efforts.copy(),
            self.first_day,
            self.last_day,
            self.last_at,
            self.terms,
            dict(self.periods),
            self.unpaid_hours,
            self.unpaid_when_billed,
            self.fresh.copy(),
            self.lasting.copy(),
            self.recent.copy(),
            self.told.copy(),
            self.pull.copy(),
            dict(self.changes),
            self.requests,
            self.unpaid_requests,
            self.habit.copy(),
            self.told_at,
        )


class WorkBook:
    """Keeps the work."""

    _OF_CHANGES = (
        changed.ChangeRequested,
        changed.ChangeQuoted,
        changed.ChangeApproved,
        changed.ChangeRejected,
        changed.ChangeDelivered,
    )
    kinds = (TimeLogged, ExpectationStated, *_OF_CHANGES)

    def __init__(
        self,
        policy: Policy,
        state: WorkState,
        closed: MutableMapping[str, Change],
        worked: Callable[[int, float], None],
    ) -> None:
        """Go on from a state.

        Args:
            policy: whose local days count.
            state: what was kept.
            closed: changes that nothing is expected of any more, as far as anything new may be told of them.
            worked: is told of hours of a day, fewer than none where they are taken back.
        """
        self._policy = policy
        self._calendar = policy.calendar
        self._hours = HoursBook(policy, state.hours)
        self._closed = closed
        self._worked = worked
        self._timetable = Timetable(state.terms)
        self.state = state

    def agree(self, terms: Sequence[Terms]) -> bool:
        """Learn of all terms that are agreed; False where hours were entered already that they change the place of."""
        ordered = Timetable(terms)
        new = set(ordered.terms) - set(self.state.terms)
        last = self.state.last_day
        if last is not None and any(term.starts.toordinal() <= last for term in new):
            return False
        self.state.terms, self._timetable = ordered.terms, ordered
        return True

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        match event.data:
            case TimeLogged(hours=hours, billable=billable, day=day, change=change):
                today = self._calendar.day_of(event.time)
                # What is said to be of a day to come counts as of today.
                spent_on = min(day or today, today).toordinal()
                self._effort(spent_on, float(hours), billable=billable, mark=event.mark)
                if change is None:
                    self._beyond_agreed(spent_on, float(hours), event.mark)
                else:
                    self._log(change, spent_on, float(hours), event.mark)
            case ExpectationStated(sign=sign):
                if sign == "scope" and self.state.told_at is None:
                    self.state.told_at = event.time
            case _:
                assert isinstance(event.data, self._OF_CHANGES)
                self._change(event.data.change, event)

    def bill(self, day: int) -> None:
        """An invoice was issued on a day (an ordinal): it is for all hours up to then."""
        self._hours.bill(day)
        self.state.unpaid_when_billed = self.state.unpaid_hours

    def _effort(self, day: int, hours: float, *, billable: bool, mark: Mark) -> None:
        state = self.state
        self._hours.enter(day, hours, billable=billable)
        self._worked(day, hours)
        if hours < 0:
            state.unpaid_efforts.take(mark.ref)
            return
        if not billable:
            state.unpaid_efforts.add(day, hours, mark.ref)
        state.first_day = day if state.first_day is None else min(state.first_day, day)
        state.last_day = day if state.last_day is None else max(state.last_day, day)
        state.last_at = mark.at if state.last_at is None else max(state.last_at, mark.at)

    def _beyond_agreed(self, day: int, hours: float, mark: Mark) -> None:
        """In each period the agreed hours come first; what comes after them is beyond. Before any there is neither."""
        period = self._timetable.at(day)
        if period is None:
            return
        before = self.state.periods.get(period.starts, InPeriod())
        worked = before.worked + hours
        self.state.periods[period.starts] = before._replace(worked=worked)
        over = min(hours, worked - period.hours)
        if over > 0:
            self._put(Beyond(day, period.starts, over, self._weight(mark), mark.ref))

    def _weight(self, mark: Mark) -> float:
        told_at = self.state.told_at
        return self._policy.told_weight if told_at is not None and told_at < mark.at else 1.0

    def _put(self, beyond: Beyond, sign: int = 1) -> None:
        state, policy = self.state, self._policy
        day, period, hours, weight, ref = beyond
        state.unpaid_hours += sign * hours
        state.fresh.move(day, hours * weight, policy.half_life_days, sign)
        state.lasting.move(day, hours, policy.half_life_days, sign)
        state.recent.move(day, hours, policy.scope.recent_half_life, sign)
        if weight > 1:
            state.told.move(day, hours, policy.half_life_days, sign)
        before = state.periods.get(period, InPeriod())
        if sign > 0:
            state.pull.add(day, hours * weight, ref, policy.half_life_days)
            last = max(before.last, day)
        else:
            state.pull.take(ref)
            last = before.last
        efforts = before.efforts + sign
        unpaid = before.unpaid + sign * hours * weight if efforts else 0.0
        state.periods[period] = InPeriod(before.worked, unpaid, efforts, last if efforts else 0)

    def _log(self, name: str, day: int, hours: float, mark: Mark) -> None:
        change = self._known(name)
        change = change._replace(logged_hours=change.logged_hours + hours)
        if not change.is_paid_for:
            change = self._unpaid(change, day, hours, mark)
        self._keep(self._delivered(change))

    def _unpaid(self, change: Change, day: int, hours: float, mark: Mark) -> Change:
        period = self._timetable.at(day)
        beyond = Beyond(day, period.starts if period else BEFORE, hours, self._weight(mark), mark.ref)
        self._put(beyond)
        return change._replace(beyond=(*change.beyond, beyond))

    def _change(self, name: str, event: Event) -> None:
        before = self._known(name)
        change = before.after(event)
        if before.last is None:
            self.state.requests += 1
        else:
            self._weigh(before, -1)
        if change.is_paid_for:
            for beyond in change.beyond:
                self._put(beyond, -1)
            change = change._replace(beyond=())
        self._weigh(change, 1)
        self._keep(self._delivered(change))

    def _known(self, name: str) -> Change:
        return self.state.changes.get(name) or self._closed.get(name) or Change(name)

    def _delivered(self, change: Change) -> Change:
        """Hours of a delivery that were not logged are worked on its day; what is logged later takes their place."""
        day, hours, billable = change.unlogged
        made = change.delivered
        rest = max(change.hours - change.logged_hours, 0.0) if made is not None else 0.0
        if hours > 0:
            assert made is not None
            self._effort(day, -hours, billable=billable, mark=made)
        if made is None:
            return change
        kept = []
        for beyond in change.beyond:
            if beyond.ref == made.ref:
                self._put(beyond, -1)
            else:
                kept.append(beyond)
        change = change._replace(beyond=tuple(kept), unlogged=(0, 0.0, True))
        if rest > 0:
            day = self._calendar.day_of(made.at).toordinal()
            self._effort(day, rest, billable=change.is_paid_for, mark=made)
            change = change._replace(unlogged=(day, rest, change.is_paid_for))
            if not change.is_paid_for:
                change = self._unpaid(change, day, rest, made)
        return change

    def _weigh(self, change: Change, sign: int) -> None:
        """Every change is an occasion: the client pays for it or does not."""
        state, policy = self.state, self._policy
        mark = change.last
        assert mark is not None
        state.unpaid_requests += 0 if change.is_paid_for else sign
        day = self._calendar.day_of(mark.at).toordinal()
        occasion = _occasion(change, mark, self._weight(mark))
        if sign > 0:
            state.habit.add(day, occasion, policy.half_life_days)
        else:
            state.habit.take(day, occasion, policy.half_life_days)

    def _keep(self, change: Change) -> None:
        changes = self.state.changes
        if change.can_be_approved or change.is_owed or change.last is None:
            changes[change.id] = change
            if len(changes) > _MOST_CHANGES:
                oldest = min(changes.values(), key=lambda one: (one.last is not None, one.last or _NEVER, one.id))
                self._closed[oldest.id] = changes.pop(oldest.id)
        else:
            changes.pop(change.id, None)
            self._closed[change.id] = change

    def read(self, today: date) -> Work:
        """The work as it stands on a day."""
        state, half_life, day = self.state, self._policy.half_life_days, today.toordinal()
        return Work(
            hours=self._hours.read(day),
            unpaid_efforts=tuple(state.unpaid_efforts.on(day)),
            first_day=state.first_day,
            last_at=state.last_at,
            timetable=self._timetable,
            periods=dict(state.periods),
            unpaid=Unpaid(
                hours=state.unpaid_hours,
                fresh=state.fresh.on(day, half_life),
                lasting=state.lasting.on(day, half_life),
                recent=state.recent.on(day, self._policy.scope.recent_half_life),
                told=state.told.on(day, half_life),
                pull=tuple(state.pull.on(day, half_life)),
            ),
            unpaid_when_billed=state.unpaid_when_billed,
            changes=tuple(sorted((one for one in state.changes.values() if one.last), key=_by_time)),
            requests=state.requests,
            unpaid_requests=state.unpaid_requests,
            habit=state.habit.on(day, half_life),
        )


_NEVER: Final = Mark(datetime.min.replace(tzinfo=UTC), EventRef("", ""))


def _by_time(change: Change) -> tuple[Mark, str]:
    return change.last or _NEVER, change.id


def _occasion(change: Change, mark: Mark, weight: float) -> Occasion:
    if change.is_paid_for:
        return Occasion(0.0, 1.0, mark.ref)
    # A quote that the client rejects has told them what more costs: whatever of it is done after all weighs more.
    refused = change.rejected_by_client is not None
    bad = 1.0 if refused or change.delivered else 0.5
    return Occasion(bad, 0.0, mark.ref, weight, weight > 1 or (refused and change.quoted is not None))


AGREEMENTS: Final = (agreed.AgreementMade, agreed.AgreementAmended)


def terms_of(event: Event, today: date) -> Terms:
    """The terms that an agreement of a day tells."""
    data = event.data
    assert isinstance(data, AGREEMENTS)
    return Terms(data.agreement, data.starts or today, float(data.hours), data.period, event.mark)
