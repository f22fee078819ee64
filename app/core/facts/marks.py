"""A mark: that something happened at an instant, and which event says so."""

from dataclasses import dataclass
from datetime import datetime

from app.core.events import EventRef

__all__ = ["Mark"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that happened; `at` is an instant in UTC."""

    at: datetime
    ref: EventRef
