"""Durations as ISO 8601 has them, of weeks, days, hours, minutes and seconds: others are of no certain length."""

import re
from datetime import timedelta
from typing import Final

__all__ = ["DURATION_PATTERN", "read_duration"]

_EXPECTED: Final = "expected seconds, or an ISO 8601 duration such as P7D or PT1H30M"
_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:(?P<weeks>[0-9]{1,4})W|(?:(?P<days>[0-9]{1,5})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,8})M)?(?:(?P<seconds>[0-9]{1,9})S)?)?)"
)
DURATION_PATTERN: Final = (
    "^P(?=[0-9T])([0-9]{1,4}W|([0-9]{1,5}D)?(T(?=[0-9])([0-9]{1,6}H)?([0-9]{1,8}M)?([0-9]{1,9}S)?)?)$"
)
"""The same, for a schema."""
_MOST_SECONDS: Final = 10**9


def read_duration(given: object) -> timedelta:
    """Read a duration.

    Raises:
        ValueError: it is none.
    """
    if isinstance(given, int) and not isinstance(given, bool):
        if not 0 <= given <= _MOST_SECONDS:
            raise ValueError(_EXPECTED)
        return timedelta(seconds=given)
    found = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError(_EXPECTED)
    return timedelta(**{name: int(value) for name, value in found.groupdict().items() if value is not None})
