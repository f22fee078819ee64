"""A mark: that something happened at an instant, and which event says so."""

from datetime import datetime
from typing import NamedTuple

from app.core.events import EventRef

__all__ = ["Mark"]


class Mark(NamedTuple):
    """One thing that happened; `at` is an instant in UTC. Marks are in order of time."""

    at: datetime
    ref: EventRef
