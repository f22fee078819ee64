"""How much is taken in at once: whoever comes beyond that is told to come again, before anything of it is read."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from app.ports.ledger import StoreBusyError

__all__ = ["Held", "Intake"]

LEAST_BYTES = 16 * 1024
"""What any request costs in memory, however little it sends."""


class Held:
    """The bytes that one request has in memory."""

    def __init__(self, intake: "Intake") -> None:
        """Begin with none."""
        self._intake = intake
        self._bytes = 0

    def grow(self, to: int) -> None:
        """Hold so many bytes from now on, if it is more than before.

        Raises:
            StoreBusyError: there is no room for them.
        """
        more = max(to, LEAST_BYTES) - self._bytes
        if more > 0:
            self._intake.take(more)
            self._bytes += more

    def end(self) -> None:
        """Hold nothing any more."""
        self._intake.take(-self._bytes)
        self._bytes = 0


class Intake:
    """Room for what waits to be written, and turns for what is written."""

    def __init__(self, most_bytes: int, turns: int, patience: float) -> None:
        """Set the limits.

        Args:
            most_bytes: of all requests together.
            turns: how many batches are decoded and written at once.
            patience: seconds that one waits for its turn.
        """
        self._left = most_bytes
        self._turns = asyncio.Semaphore(turns)
        self._patience = patience

    def take(self, size: int) -> None:
        """Take so many bytes of the room, or give them back where it is less than zero.

        Raises:
            StoreBusyError: there are not so many left.
        """
        if size > self._left:
            raise StoreBusyError("too many events wait to be written; send them again later")
        self._left -= size

    @contextmanager
    def held(self, size: int) -> Iterator[Held]:
        """Hold bytes for as long as the block lasts.

        Raises:
            StoreBusyError: there is no room for them.
        """
        found = Held(self)
        try:
            found.grow(size)
            yield found
        finally:
            found.end()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as the block lasts.

        Raises:
            StoreBusyError: it did not come in time.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreBusyError("events before these are not written yet; send these again later") from None
        try:
            yield
        finally:
            self._turns.release()
