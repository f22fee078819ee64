"""The process itself: what runs, whether it takes work, and whether its event loop keeps up."""

import asyncio
import platform
from collections.abc import Callable
from typing import Final

import app as partwise
from app.metrics.catalogue import BUILD, LOOP_LAG, READY
from app.metrics.meters import Meters

__all__ = ["ProcessMetrics"]

_LOOK: Final = 0.25
"""Seconds between two looks at the loop."""


class ProcessMetrics:
    """Tells of the process."""

    def __init__(self, meters: Meters, commit: str, is_ending: Callable[[], bool]) -> None:
        """Tell what runs, and whether it was told to end."""
        build = {"version": partwise.__version__, "python": platform.python_version(), "commit": commit}
        meters.info(BUILD).info(build)
        meters.gauge(READY).set_function(lambda: 0 if is_ending() else 1)
        self._lag = meters.histogram(LOOP_LAG)

    async def watch_loop(self) -> None:
        """Look for ever how late the loop comes to what it is to do."""
        now = asyncio.get_running_loop().time
        while True:
            expected = now() + _LOOK
            await asyncio.sleep(_LOOK)
            self._lag.observe(max(0.0, now() - expected))
