"""From when one looks: what was true at an instant, as far as it had been told by another."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Viewpoint"]


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Two-fold time travel.

    Attributes:
        as_of: what happened after this instant is passed over.
        known_at: what was told after this instant is passed over; None for all that is known.
    """

    as_of: datetime
    known_at: datetime | None = None
