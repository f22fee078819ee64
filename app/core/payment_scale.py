"""Days beyond terms on the payment scale that credit managers know."""

from bisect import bisect_right
from typing import Final

__all__ = ["payment_index"]

_POINTS: Final = ((-30, 100), (-20, 90), (0, 80), (15, 70), (22, 60), (30, 50), (60, 40), (90, 30), (120, 20))
_PER_DAY_BEYOND: Final = 10 / 30
_LEAST: Final = 1.0


def payment_index(days_beyond_terms: float) -> float:
    """Put days beyond terms on Dun & Bradstreet's published PAYDEX scale, linear between its points.

    100 is 30 days sooner than terms, 80 on terms, 50 a month late, 20 four months; beyond that it goes on falling as
    between the last two points, down to 1.
    """
    days = max(days_beyond_terms, float(_POINTS[0][0]))
    if days >= _POINTS[-1][0]:
        return max(_POINTS[-1][1] - (days - _POINTS[-1][0]) * _PER_DAY_BEYOND, _LEAST)
    place = bisect_right(_POINTS, days, key=lambda point: point[0])
    (day0, index0), (day1, index1) = _POINTS[place - 1], _POINTS[place]
    return index0 + (index1 - index0) * (days - day0) / (day1 - day0)
