"""Sending messages to addresses that tenants name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.ports.webhooks import Attempt

__all__ = ["Message", "Sender", "Sent", "UnfitUrlError"]


class UnfitUrlError(ValueError):
    """Nothing is ever sent to such a URL; the message says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Attributes:
        message_id: `webhook-id`.
        body: JSON.
    """

    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a try.

    Attributes:
        attempt: what is kept of it.
        again_after: seconds after which the receiver wants to be asked again; None where it does not say.
    """

    attempt: Attempt
    again_after: float | None = None


class Sender(Protocol):
    """Sends signed messages; it never raises for what a receiver does."""

    def check(self, url: str) -> None:
        """Look whether a URL may be sent to, as far as it says so itself; its addresses are looked at each time.

        Raises:
            UnfitUrlError: never.
        """
        ...

    async def send(self, url: str, message: Message, secrets: Sequence[bytes]) -> Sent:
        """Try once, signed with each of some secrets."""
        ...
