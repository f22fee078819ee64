"""How much is taken in at once: whoever comes beyond that is told to come again, before anything of it is read."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from app.ports.ledger import StoreBusyError
from app.use_cases.fairness import Turns

__all__ = ["Held", "Intake"]

LEAST_BYTES = 16 * 1024
"""What any request costs in memory, however little it sends."""


class Held:
    """The bytes that one request has in memory."""

    def __init__(self, intake: "Intake", tenant_id: str) -> None:
        """Begin with none."""
        self._intake = intake
        self._tenant_id = tenant_id
        self._bytes = 0

    def grow(self, to: int) -> None:
        """Hold so many bytes from now on, if it is more than before.

        Raises:
            StoreBusyError: there is no room for them.
        """
        more = max(to, LEAST_BYTES) - self._bytes
        if more > 0:
            self._intake.take(self._tenant_id, more)
            self._bytes += more

    def end(self) -> None:
        """Hold nothing any more."""
        self._intake.take(self._tenant_id, -self._bytes)
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
        self.most_bytes = most_bytes
        self._left = most_bytes
        self._most = most_bytes - most_bytes // 4
        self._held: Counter[str] = Counter()
        self._turns = Turns(turns, turns // 4)
        self._patience = patience

    @property
    def held_bytes(self) -> int:
        """How many bytes are held at present."""
        return self.most_bytes - self._left

    def take(self, tenant_id: str, size: int) -> None:
        """Take so many bytes of the room, or give them back where it is less than zero.

        Raises:
            StoreBusyError: there are not so many left, or only those that one tenant leaves to others.
        """
        held = self._held[tenant_id] + size
        if size > 0 and (size > self._left or held > self._most):
            raise StoreBusyError("too many events wait to be written; send them again later")
        self._left -= size
        if held:
            self._held[tenant_id] = held
        else:
            del self._held[tenant_id]

    @contextmanager
    def held(self, tenant_id: str, size: int) -> Iterator[Held]:
        """Hold bytes of a tenant for as long as the block lasts.

        Raises:
            StoreBusyError: there is no room for them.
        """
        found = Held(self, tenant_id)
        try:
            found.grow(size)
            yield found
        finally:
            found.end()

    @asynccontextmanager
    async def turn(self, tenant_id: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as the block lasts; tenants take turns.

        Raises:
            StoreBusyError: it did not come in time.
        """
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._turns.turn(tenant_id, self._patience))
            except TimeoutError:
                raise StoreBusyError("events before these are not written yet; send these again later") from None
            yield
