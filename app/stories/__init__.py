"""Canonical stories: clients that everyone can picture, as data; told relative to a day, so that they stay recent."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

__all__ = ["STORIES", "Story", "events_of"]


@dataclass(frozen=True, slots=True)
class Story:
    """A client's story: what happened, how many days ago, with which data."""

    name: str
    events: tuple[tuple[int, str, dict[str, Any]], ...]


def _invoice(number: int, ago: int, paid_after: int | None) -> tuple[tuple[int, str, dict[str, Any]], ...]:
    """One invoice on 30-day terms; `due` is given as days ago and turned into a day when the story is told."""
    name = f"INV-{number}"
    data = {"invoice": name, "amount": "1200", "currency": "USD", "due": ago - 30}
    issued = (ago, "invoice.issued", data)
    return (issued,) if paid_after is None else (issued, (ago - paid_after, "invoice.paid", {"invoice": name}))


STORIES = (
    Story(
        "healthy-client",
        ((400, "contract.signed", {}), *(e for n in range(12) for e in _invoice(n, 395 - 30 * n, 20))),
    ),
    Story("slow-payer", tuple(e for n in range(11) for e in _invoice(n, 395 - 30 * n, 65))),
    Story("non-payer", tuple(e for n in range(6) for e in _invoice(n, 300 - 30 * n, None))),
    Story(
        "contract-dodger",
        (
            (90, "contract.sent", {}),
            (80, "contract.explained", {}),
            (70, "contract.declined", {}),
            (60, "time.logged", {"hours": "40"}),
            (50, "contract.declined", {}),
            (5, "time.logged", {"hours": "20"}),
        ),
    ),
)


def events_of(story: Story, today: date) -> list[bytes]:
    """The story's events as CloudEvents, told as of a day; the same day gives the same events."""
    told = []
    for number, (ago, kind, given) in enumerate(story.events):
        data = dict(given)
        if "due" in data:
            data["due_date"] = (today - timedelta(days=data.pop("due"))).isoformat()
        at = datetime.combine(today - timedelta(days=ago), time(10), UTC)
        event = {"specversion": "1.0", "id": f"{story.name}-{today}-{number}", "source": "/stories", "type": kind}
        told.append(json.dumps({**event, "subject": story.name, "time": at.isoformat(), "data": data}).encode())
    return told
