"""When a delivery that failed is tried again."""

import random
from collections.abc import Sequence
from typing import Final

__all__ = ["RETRIES", "delay_before"]

RETRIES: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds before each try after the first: three days and three hours in all."""
_JITTER: Final = 0.2


def delay_before(tries: int, retries: Sequence[float] = RETRIES, again_after: float | None = None) -> float | None:
    """Seconds until the next try; None where there is none.

    Args:
        tries: that were made.
        retries: seconds before each try after the first.
        again_after: how long the receiver wants to be left alone.
    """
    if tries > len(retries):
        return None
    # Those that failed together are not to come together again.
    delay = retries[tries - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
    return max(delay, again_after or 0.0)
