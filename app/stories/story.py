"""How a story is told: what happened, so many weeks ago, on which weekday and at what time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal

__all__ = ["Ahead", "Happening", "Outcome", "Story", "billed", "month_of_work", "on"]

Weekday = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Ahead:
    """A day or an instant counted from the event that names it: whole days give a date, hours an instant."""

    days: int | None = None
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a story, in UTC."""

    weeks_ago: int
    weekday: Weekday
    clock: time
    type: str
    data: Mapping[str, Any]

    def at(self, monday: date) -> datetime:
        """When it happened, for a story told in the week that begins on a Monday."""
        day = monday - timedelta(weeks=self.weeks_ago) + timedelta(days=_WEEKDAYS.index(self.weekday))
        return datetime.combine(day, self.clock, UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sensible owner of a studio would say.

    Attributes:
        verdict: what to do.
        leading_sign: the sign that weighs most, or None where none does.
        client_type: what kind of client this is.
        recourse: what the client could do that would lead to a better verdict, in words; None where nothing is needed.
        action: what of that can be done today, as the service names it; None where only time can show it.
        reaches: the best verdict that it leads to.
    """

    verdict: str
    leading_sign: str | None
    client_type: str
    recourse: str | None
    action: str | None = None
    reaches: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """One client's story.

    Attributes:
        client_id: how the client is called.
        title: in a few words.
        paragraph: what happened.
        happenings: the same as events.
        outcome: what is to come out.
    """

    client_id: str
    title: str
    paragraph: str
    happenings: tuple[Happening, ...]
    outcome: Outcome


def on(weeks_ago: int, weekday: Weekday, clock: str, type: str, **data: Any) -> Happening:  # noqa: A002 - as in events
    """Something happened; `clock` is like 14:30."""
    return Happening(weeks_ago, weekday, time.fromisoformat(clock), type, data)


def billed(number: int, weeks_ago: int, amount: int, paid_weeks_later: int | None, terms: int = 30) -> list[Happening]:
    """An invoice in dollars, issued on a Monday and paid on a Tuesday so many weeks later, if it was paid."""
    name = f"INV-{number}"
    due = Ahead(days=terms)
    issued = on(weeks_ago, "Mon", "10:00", "invoice.issued", invoice=name, amount=amount, currency="USD", due_date=due)
    if paid_weeks_later is None:
        return [issued]
    return [issued, on(weeks_ago - paid_weeks_later, "Tue", "11:00", "invoice.paid", invoice=name)]


def month_of_work(first_week: int, hours: int, weeks: int = 4) -> Iterator[Happening]:
    """Hours of work spread evenly over the Thursdays of some weeks."""
    for week in range(weeks):
        yield on(first_week - week, "Thu", "17:00", "time.logged", hours=hours / weeks)
