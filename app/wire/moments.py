"""Moments as people and programs write them: an RFC 3339 instant, or a day."""

import re
from datetime import date, datetime

__all__ = ["EXPECTED_MOMENT", "read_moment"]

EXPECTED_MOMENT = "expected a day such as 2026-03-31 or an RFC 3339 instant such as 2026-03-31T12:00:00Z"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEARS = (1970, 2199)


def read_moment(text: str) -> datetime | date:
    """Read an instant or a day.

    Raises:
        ValueError: it is neither, has no offset, or lies outside the years 1970 to 2199.
    """
    found = date.fromisoformat(text) if _DAY.fullmatch(text) else datetime.fromisoformat(text)
    if not _YEARS[0] <= found.year <= _YEARS[1] or (isinstance(found, datetime) and found.tzinfo is None):
        raise ValueError(EXPECTED_MOMENT)
    return found
