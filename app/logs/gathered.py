"""A log for what is said with every request: lines are put together and written some at once, a moment later.

Writing each one by itself would cost the hottest route several times as much.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

__all__ = ["GatheredLog", "Said"]

About = TypeVar("About")
Said = tuple[float, str, str, About, dict[str, Any]]
"""When, how bad, what, about what, and the rest."""

_SECONDS: Final = 0.05
_MOST: Final = 1_000
"""Lines that are kept until they are written."""


class GatheredLog(Generic[About]):
    """Keeps the promise of `app.edge.access_lines.Log`; for the thread of the loop, or where none runs."""

    def __init__(
        self,
        level: int,
        now: Callable[[], float],
        about: Callable[[], About],
        write: Callable[[Sequence[Said[About]]], None],
    ) -> None:
        """Gather lines.

        Args:
            level: from which on lines are written.
            now: the time, in seconds since 1970.
            about: what the line is about, known only as it is said.
            write: is given the lines, in the order in which they were said.
        """
        self._informs = level <= logging.INFO
        self._whispers = level <= logging.DEBUG
        self._now = now
        self._about = about
        self._write = write
        self._said: list[Said[About]] = []

    def info(self, event: str, **fields: Any) -> None:
        """Say something."""
        if self._informs:
            self._say("info", event, fields)

    def debug(self, event: str, **fields: Any) -> None:
        """Say something that few want to know."""
        if self._whispers:
            self._say("debug", event, fields)

    def flush(self) -> None:
        """Write what was said until now."""
        if self._said:
            said, self._said = self._said, []
            self._write(said)

    def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self._said.append((self._now(), level, event, self._about(), fields))
        count = len(self._said)
        if count == 1:
            try:
                asyncio.get_running_loop().call_later(_SECONDS, self.flush)
            except RuntimeError:
                self.flush()
        elif count >= _MOST:
            self.flush()
