"""The line that each request leaves in the log: how it went, and nothing of what was sent or answered."""

from typing import Any, Final, Protocol

from app.edge.observed import Exchange

__all__ = ["LOGGER", "AccessLines", "Log"]

LOGGER: Final = "partwise.access"
_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds, by machines alone: a line where all is well would only hide others."""


class Log(Protocol):
    """Where lines are written to."""

    def info(self, event: str, **fields: Any) -> None:
        """Say something."""
        ...

    def debug(self, event: str, **fields: Any) -> None:
        """Say something that few want to know."""
        ...


class AccessLines:
    """Keeps the promise of `app.edge.observed.Observer`: by lines of a log."""

    def __init__(self, log: Log) -> None:
        """Write to a log."""
        self._write = log.info
        self._whisper = log.debug

    def began(self, exchange: Exchange) -> None:
        """There is nothing to tell yet."""

    def ended(self, exchange: Exchange) -> None:
        """Tell how it went."""
        write = self._whisper if exchange.route in _PROBES and exchange.status < 400 else self._write
        write(
            "request",
            method=exchange.method,
            route=exchange.route,
            status=exchange.status,
            seconds=round(exchange.seconds, 6),
        )
