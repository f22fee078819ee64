"""How a long-running command ends: Ctrl-C, SIGTERM and a closed terminal all mean the same, and clean up."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """Somebody asked the command to end."""


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Turn the signals that end a process into an exception that unwinds it; the block then ends quietly.

    The first one unwinds. Later ones are ignored, so that an impatient second Ctrl-C does not leave Postgres
    behind.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Ended

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    except Ended:
        pass
    except BaseExceptionGroup as group:
        # It may have been raised in one of many tasks; what else went wrong in them is told.
        faults = group.split(Ended)[1]
        if faults is not None:
            raise faults from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Do something in a loop until it is done, or a signal ends it: it is cancelled, once.

    An exception that a signal raises in a callback of the loop would be told to the loop alone, and nothing would end.
    """
    task = asyncio.ensure_future(work)
    is_told = False

    def end() -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            task.cancel()

    for number in SIGNALS:
        # The loop forgets them as it closes.
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        await task
    except asyncio.CancelledError:
        if not is_told:
            raise
