"""Canonical stories: clients whom everyone can picture. They are tests, the demo portfolio and the documentation."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from app.stories.bargain_hunter import BARGAIN_HUNTER
from app.stories.contract_dodger import CONTRACT_DODGER
from app.stories.exception import EXCEPTION
from app.stories.firefighter import FIREFIGHTER
from app.stories.healthy import HEALTHY
from app.stories.mended import MENDED
from app.stories.newcomer import NEWCOMER
from app.stories.non_payer import NON_PAYER
from app.stories.scope_stretcher import SCOPE_STRETCHER
from app.stories.slow_payer import SLOW_PAYER
from app.stories.story import Ahead, Happening, Outcome, Story

__all__ = ["STORIES", "Outcome", "Story", "events_of", "monday_of"]

STORIES: Final[tuple[Story, ...]] = (
    CONTRACT_DODGER,
    SCOPE_STRETCHER,
    FIREFIGHTER,
    BARGAIN_HUNTER,
    SLOW_PAYER,
    NON_PAYER,
    HEALTHY,
    NEWCOMER,
    EXCEPTION,
    MENDED,
)
"""One for each sign of the mission, in its order, and four more."""


def monday_of(day: date) -> date:
    """The first day of a day's week, from which the weeks of a story are counted."""
    return day - timedelta(days=day.weekday())


def events_of(story: Story, monday: date) -> Iterator[bytes]:
    """Tell a story as CloudEvents in JSON, oldest first; the same week gives the same events.

    Args:
        story: the story.
        monday: the first day of the week in which it is told; everything happened before it.
    """
    happened = sorted(story.happenings, key=lambda happening: happening.at(monday))
    for number, happening in enumerate(happened, 1):
        event = {
            "specversion": "1.0",
            "id": f"{story.client_id}-{number}",
            "source": "/stories",
            "type": happening.type,
            "subject": story.client_id,
            "time": happening.at(monday).isoformat(),
            "data": {name: _value(value, happening, monday) for name, value in happening.data.items()},
        }
        yield json.dumps(event).encode()


def _value(value: Any, happening: Happening, monday: date) -> Any:
    if isinstance(value, Ahead):
        at = happening.at(monday)
        if value.days is not None:
            return (at.date() + timedelta(days=value.days)).isoformat()
        return (at + timedelta(hours=value.hours or 0)).isoformat()
    return str(Decimal(str(value))) if isinstance(value, float) else value
