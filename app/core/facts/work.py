"""What the events say of the work: hours worked, what was agreed, and the changes that were asked for."""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from app.core.events import Event, Mark
from app.core.events import agreement as agreed
from app.core.events import change as changed
from app.core.events.effort import TimeLogged
from app.core.events.fields import Period
from app.core.facts.files import NOTHING, Files
from app.core.working_calendar import WorkingCalendar

__all__ = ["Change", "Effort", "Terms", "Work", "WorkBook"]


class Effort(NamedTuple):
    """Hours worked on one local day, perhaps for a change."""

    day: date
    hours: float
    billable: bool
    change: str | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed from a day on: `hours` of effort, once or in every period."""

    agreement: str
    starts: date
    hours: float
    period: Period
    mark: Mark


@dataclass(frozen=True, slots=True)
class Change:
    """One request beyond the agreement, and what became of it."""

    id: str
    requested: Mark | None
    quoted: Mark | None
    approved: Mark | None
    rejected_by_client: Mark | None
    rejected_by_us: Mark | None
    delivered: Mark | None
    last: Mark
    hours: float

    @property
    def is_paid_for(self) -> bool:
        """Whether the client agreed to pay for it."""
        return self.approved is not None


@dataclass(frozen=True, slots=True)
class Work:
    """All the work for one client: each part by day or by time."""

    efforts: tuple[Effort, ...]
    terms: tuple[Terms, ...]
    changes: tuple[Change, ...]


class WorkBook:
    """Keeps the work."""

    _OF_CHANGES = (
        changed.ChangeRequested,
        changed.ChangeQuoted,
        changed.ChangeApproved,
        changed.ChangeRejected,
        changed.ChangeDelivered,
    )
    kinds = (
        TimeLogged,
        agreed.AgreementMade,
        agreed.AgreementAmended,
        *_OF_CHANGES,
    )

    def __init__(self, calendar: WorkingCalendar) -> None:
        """Nothing is known; the calendar's local days count."""
        self._calendar = calendar
        self._efforts: list[Effort] = []
        self._terms: list[Terms] = []
        self._changes = Files(_change)
        self._logged: dict[str, float] = {}

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        match event.data:
            case TimeLogged(hours=hours, billable=billable, day=day, change=change):
                effort = Effort(day or self._calendar.day_of(event.time), float(hours), billable, change, event.mark)
                # Most are told day by day, and what comes later has a later mark.
                if self._efforts and effort.day < self._efforts[-1].day:
                    insort(self._efforts, effort, key=_by_day)
                else:
                    self._efforts.append(effort)
                if change is not None:
                    self._logged[change] = self._logged.get(change, 0.0) + effort.hours
            case agreed.AgreementMade() | agreed.AgreementAmended():
                data = event.data
                starts = data.starts or self._calendar.day_of(event.time)
                self._terms.append(Terms(data.agreement, starts, float(data.hours), data.period, event.mark))
            case _:
                assert isinstance(event.data, self._OF_CHANGES)
                self._changes.enter(event.data.change, event)

    def read(self, supposed: Mapping[str, Sequence[Event]] = NOTHING) -> Work:
        """The work as it stands; see `Files.read` for what is supposed of changes."""
        changes = list(self._changes.read(supposed))
        efforts = list(self._efforts)
        for made in changes:
            unlogged = made.hours - self._logged.get(made.id, 0.0)
            if made.delivered is not None and unlogged > 0:
                day = self._calendar.day_of(made.delivered.at)
                effort = Effort(day, unlogged, made.is_paid_for, made.id, made.delivered)
                insort(efforts, effort, key=_by_day)
        return Work(
            tuple(efforts),
            tuple(sorted(self._terms, key=lambda term: (term.starts, term.mark))),
            tuple(sorted(changes, key=lambda change: (change.last.at, change.id))),
        )


def _by_day(effort: Effort) -> tuple[date, Mark]:
    return effort.day, effort.mark


def _change(name: str, history: list[Event]) -> Change:
    requested = quoted = approved = by_client = by_us = delivered = None
    asked_hours = quoted_hours = delivered_hours = None
    for event in history:
        mark = event.mark
        match event.data:
            case changed.ChangeRequested(hours=hours):
                requested, asked_hours = requested or mark, hours or asked_hours
            case changed.ChangeQuoted(hours=hours):
                quoted, quoted_hours = mark, hours or quoted_hours
            case changed.ChangeApproved():
                approved = mark
            case changed.ChangeRejected(by=by):
                by_client, by_us = (mark, by_us) if by == "client" else (by_client, mark)
            case changed.ChangeDelivered(hours=hours):
                delivered, delivered_hours = delivered or mark, hours or delivered_hours
            case _:
                pass
    last = max(mark for mark in (requested, quoted, approved, by_client, by_us, delivered) if mark is not None)
    effort = float(delivered_hours or quoted_hours or asked_hours or 0)
    return Change(name, requested, quoted, approved, by_client, by_us, delivered, last, effort)
