"""One long relationship of 1,000 events of every common type, always the same: what the core is measured with."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.core.events import CATALOGUE, Event

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
_DAYS = 700
_SHARES = {
    "message.received": 38,
    "time.logged": 26,
    "call.received": 8,
    "invoice": 6,
    "change": 3,
    "deadline.requested": 3,
    "meeting.moved": 2,
    "reminder.sent": 1,
    "rate.refused": 1,
}


def relationship(count: int = 1_000, now: datetime = NOW, pace: float = 1.0) -> list[Event]:
    """Some events of the years until an instant, oldest first; terms of payment are 30 days times a pace."""
    rng = random.Random(4711)
    told: list[Event] = []
    for kind, data, at in _happenings(rng, now, pace):
        told.append(Event("bench", str(len(told)), kind, "acme", at, CATALOGUE[kind].data(**data), at))
        if len(told) == count:
            break
    return sorted(told, key=lambda event: event.time)


def _some_time(rng: random.Random, begin: datetime) -> datetime:
    """In office hours nine times of ten."""
    day = begin + timedelta(days=rng.randrange(_DAYS - 55))
    if rng.random() < 0.1:
        return day.replace(hour=rng.randrange(24))
    return (
        day.replace(hour=9, minute=0)
        - timedelta(days=max(day.weekday() - 4, 0))
        + timedelta(minutes=rng.randrange(540))
    )


def _happenings(rng: random.Random, now: datetime, pace: float) -> Iterator[tuple[str, dict[str, Any], datetime]]:
    begin = now - timedelta(days=_DAYS)
    yield "contract.sent", {}, begin
    yield "contract.signed", {}, begin + timedelta(days=9)
    yield "agreement.made", {"hours": Decimal(30), "period": "month"}, begin + timedelta(days=9)
    kinds, weights = list(_SHARES), list(_SHARES.values())
    for number in itertools.count():
        at = _some_time(rng, begin)
        match rng.choices(kinds, weights)[0]:
            case "message.received":
                yield "message.received", {"urgent": rng.random() < 0.1}, at
            case "call.received":
                yield "call.received", {"urgent": rng.random() < 0.2}, at
            case "time.logged":
                yield "time.logged", {"hours": Decimal(rng.randrange(1, 16)) / 2}, at
            case "invoice":
                name = f"INV-{number}"
                due = (at + timedelta(days=30) * pace).date()
                issued = {"invoice": name, "amount": Decimal(1000), "currency": "USD", "due_date": due}
                yield "invoice.issued", issued, at
                yield "invoice.paid", {"invoice": name}, at + timedelta(days=rng.randrange(20, 50)) * pace
            case "change":
                yield "change.requested", {"change": f"C{number}", "hours": Decimal(4)}, at
                yield "change.delivered", {"change": f"C{number}"}, at + timedelta(days=3)
            case "deadline.requested":
                yield "deadline.requested", {"due_at": at + timedelta(hours=rng.randrange(4, 90))}, at
            case "meeting.moved":
                yield "meeting.moved", {"scheduled_at": at + timedelta(hours=rng.randrange(1, 60))}, at
            case "reminder.sent":
                yield "reminder.sent", {"invoice": f"INV-{number - 1}"}, at
            case kind:
                yield kind, {}, at
