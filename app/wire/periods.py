"""Periods of whole days, as people write them (7d, 2w) and as ISO 8601 does (P7D, P2W)."""

import re
from typing import Final

__all__ = ["PERIOD_PATTERN", "read_period"]

_MOST_DAYS: Final = 30
_EXPECTED: Final = f"expected 1 to {_MOST_DAYS} days or whole weeks of them, such as 7d, 2w, P7D or P2W"
_DAYS: Final = "[1-9]|[12][0-9]|30"
_WEEKS: Final = "[1-4]"
PERIOD_PATTERN: Final = f"^(?:(?:{_DAYS})d|(?:{_WEEKS})w|P(?:(?:{_DAYS})D|(?:{_WEEKS})W))$"
_PERIOD: Final = re.compile(rf"P?({_DAYS})D|P?({_WEEKS})W", re.IGNORECASE | re.ASCII)


def read_period(text: str) -> int:
    """Read a period: how many days.

    Raises:
        ValueError: it is none, or too long a one.
    """
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise ValueError(_EXPECTED)
    return int(found[1]) if found[1] else 7 * int(found[2])
