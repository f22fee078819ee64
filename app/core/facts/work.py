"""What the events say of the work: hours worked, what was agreed, and the changes that were asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from app.core.events import Event
from app.core.events import agreement as agreed
from app.core.events import change as changed
from app.core.events.effort import TimeLogged
from app.core.events.fields import Period
from app.core.facts.marks import Mark
from app.core.working_calendar import WorkingCalendar

__all__ = ["Change", "Effort", "Terms", "Work", "work_of"]


@dataclass(frozen=True, slots=True)
class Effort:
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
    hours: float

    @property
    def is_paid_for(self) -> bool:
        """Whether the client agreed to pay for it."""
        return self.approved is not None

    @property
    def last(self) -> Mark:
        """The newest thing that happened to it."""
        marks = (
            self.requested,
            self.quoted,
            self.approved,
            self.rejected_by_client,
            self.rejected_by_us,
            self.delivered,
        )
        return max((mark for mark in marks if mark is not None), key=lambda mark: (mark.at, mark.ref))


@dataclass(frozen=True, slots=True)
class Work:
    """All the work for one client: each part by day or by time."""

    efforts: tuple[Effort, ...]
    terms: tuple[Terms, ...]
    changes: tuple[Change, ...]


_OF_CHANGES = (
    changed.ChangeRequested,
    changed.ChangeQuoted,
    changed.ChangeApproved,
    changed.ChangeRejected,
    changed.ChangeDelivered,
)


def work_of(events: Iterable[Event], calendar: WorkingCalendar) -> Work:
    """Put together the work.

    Args:
        events: one client's events, oldest first; those of other subjects are passed over.
        calendar: whose local days count.
    """
    efforts: list[Effort] = []
    terms: list[Terms] = []
    by_change: dict[str, list[Event]] = {}
    for event in events:
        mark = Mark(event.time, event.ref)
        match event.data:
            case TimeLogged(hours=hours, billable=billable, day=day, change=change):
                efforts.append(Effort(day or calendar.day_of(event.time), float(hours), billable, change, mark))
            case agreed.AgreementMade() | agreed.AgreementAmended():
                data = event.data
                starts = data.starts or calendar.day_of(event.time)
                terms.append(Terms(data.agreement, starts, float(data.hours), data.period, mark))
            case _ if isinstance(event.data, _OF_CHANGES):
                by_change.setdefault(event.data.change, []).append(event)
            case _:
                pass
    changes = [_change(name, history) for name, history in by_change.items()]
    logged: dict[str | None, float] = {}
    for effort in efforts:
        logged[effort.change] = logged.get(effort.change, 0.0) + effort.hours
    for made in changes:
        unlogged = made.hours - logged.get(made.id, 0.0)
        if made.delivered is not None and unlogged > 0:
            efforts.append(
                Effort(calendar.day_of(made.delivered.at), unlogged, made.is_paid_for, made.id, made.delivered)
            )
    return Work(
        tuple(sorted(efforts, key=lambda effort: (effort.day, effort.mark.at, effort.mark.ref))),
        tuple(sorted(terms, key=lambda term: (term.starts, term.mark.at, term.mark.ref))),
        tuple(sorted(changes, key=lambda change: (change.last.at, change.id))),
    )


def _change(name: str, history: list[Event]) -> Change:
    requested = quoted = approved = by_client = by_us = delivered = None
    asked_hours = quoted_hours = delivered_hours = None
    for event in history:
        mark = Mark(event.time, event.ref)
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
    effort = float(delivered_hours or quoted_hours or asked_hours or 0)
    return Change(name, requested, quoted, approved, by_client, by_us, delivered, effort)
