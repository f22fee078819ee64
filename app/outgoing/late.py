"""A sender that is made when it is first asked for: it belongs to a loop, and most processes send nothing."""

from collections.abc import Callable, Sequence

from app.outgoing.sender import HttpSender
from app.ports.sending import Message, Sent

__all__ = ["LateSender"]


class LateSender:
    """Keeps the promise of `app.ports.sending.Sender`."""

    def __init__(self, make: Callable[[], HttpSender]) -> None:
        """Make the sender itself later."""
        self._make = make
        self._made: HttpSender | None = None

    def check(self, url: str) -> None:
        """See the port."""
        self._sender().check(url)

    async def send(self, url: str, message: Message, secrets: Sequence[bytes]) -> Sent:
        """See the port."""
        return await self._sender().send(url, message, secrets)

    async def close(self) -> None:
        """Close it, where it was made."""
        if self._made is not None:
            await self._made.close()
            self._made = None

    def _sender(self) -> HttpSender:
        if self._made is None:
            self._made = self._make()
        return self._made
