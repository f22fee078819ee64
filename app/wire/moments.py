"""Moments as people and programs write them: an RFC 3339 instant, or a day."""

import re
from datetime import UTC, date, datetime

__all__ = ["EXPECTED_MOMENT", "EXPECTED_YEAR", "read_instant", "read_moment"]

EXPECTED_MOMENT = "expected a day such as 2026-03-31 or an RFC 3339 instant such as 2026-03-31T12:00:00Z"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})", re.IGNORECASE
)
_YEARS = (1970, 2199)
EXPECTED_YEAR = f"expected a year from {_YEARS[0]} to {_YEARS[1]}, in UTC"


def read_moment(text: str) -> datetime | date:
    """Read an instant or a day.

    Raises:
        ValueError: it is neither, has no offset, or lies outside the years 1970 to 2199 (in UTC); says which.
    """
    found = _read(text)
    try:
        year = (found.astimezone(UTC) if isinstance(found, datetime) else found).year
    except OverflowError:
        raise ValueError(EXPECTED_YEAR) from None
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise ValueError(EXPECTED_YEAR)
    return found


def _read(text: str) -> datetime | date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text.upper())
    except ValueError:  # a 30 February
        pass
    raise ValueError(EXPECTED_MOMENT)


def read_instant(text: str) -> datetime:
    """Read an instant.

    Raises:
        ValueError: it is none, or a day.
    """
    found = read_moment(text)
    if not isinstance(found, datetime):
        raise ValueError(EXPECTED_MOMENT)
    return found
