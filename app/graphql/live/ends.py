"""Why subscriptions end, and how that is told."""

from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["CLOSE", "Close", "End", "Transport"]


class Transport(StrEnum):
    """What a subscription is told over."""

    WEBSOCKET = "websocket"
    SSE = "sse"


class End(StrEnum):
    """Why a subscription ended."""

    DONE = "done"
    """Who asked wants no more, or has gone."""
    FAILED = "failed"
    """It could not begin or not go on: the errors that were answered say why."""
    KEY = "key"
    """The key was revoked or has expired, or may do less."""
    SLOW = "slow"
    """What came was not taken in time."""
    SHUTDOWN = "shutdown"
    """The process is about to end."""
    UNAVAILABLE = "unavailable"
    """Nobody could be asked for a while whether the key counts still."""


class Close(NamedTuple):
    """How a WebSocket is closed: 4xxx as graphql-transport-ws has them, 1xxx as all WebSockets do."""

    code: int
    reason: str


INVALID: Final = 4400
UNAUTHORISED: Final = 4401
FORBIDDEN: Final = 4403
SUBPROTOCOL: Final = 4406
INIT_TIMEOUT: Final = 4408
ID_IN_USE: Final = 4409
INIT_TWICE: Final = 4429
INTERNAL: Final = 4500
RESTART: Final = 1012
TRY_AGAIN: Final = 1013

CLOSE: Final = {
    End.SLOW: Close(TRY_AGAIN, "too slow: go on from the last cursor"),
    End.SHUTDOWN: Close(RESTART, "the server is about to end: go on from the last cursor"),
    End.UNAVAILABLE: Close(TRY_AGAIN, "the database is away: go on from the last cursor"),
}
"""Of those that concern a connection as a whole, whoever it is."""
