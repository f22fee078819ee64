"""What is deprecated, in one table, and the headers that say so: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import parse_qsl

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["DEPRECATIONS", "Deprecated", "Deprecation"]


@dataclass(frozen=True, slots=True)
class Deprecation:
    """An operation that is not to be used any more, or a part of one. Instants are in UTC."""

    operation: str
    """Method and path template, as in `app.scopes`."""
    since: datetime
    instead: str
    """What to use instead; a sentence for the document."""
    sunset: datetime | None = None
    """From when on it may be gone."""
    part: str = ""
    """`?name` for a query parameter, `Schema.field` for a field of bodies; nothing for the whole operation."""
    page: str = ""
    """Where people read more, as a URI reference."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What an answer says of it."""
        found = [(b"deprecation", b"@%d" % self.since.timestamp())]
        if self.sunset is not None:
            found.append((b"sunset", format_datetime(self.sunset.astimezone(UTC), usegmt=True).encode()))
        if self.page:
            found.append((b"link", f'<{self.page}>; rel="deprecation"; type="text/html"'.encode()))
        return found


DEPRECATIONS: Final[tuple[Deprecation, ...]] = ()
"""A row is added when something is to go, at the latest half a year before its sunset, and stays until it is gone."""


class Deprecated:
    """ASGI middleware that says in each answer of a deprecated operation that it is; not needed where nothing is."""

    def __init__(self, app: ASGIApp, table: Sequence[Deprecation]) -> None:
        """Wrap an application."""
        self._app = app
        self._rows = []
        for row in table:
            method, _, path = row.operation.partition(" ")
            # Fields of bodies are told in the document alone: who reads an answer may not read them.
            if not row.part or row.part.startswith("?"):
                self._rows.append((method, compile_path(path)[0], row.part[1:], row.headers()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        more = self._headers(scope) if scope["type"] == "http" else []

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, saying if more else send)

    def _headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        found = [
            (name, headers)
            for method, pattern, name, headers in self._rows
            if method == scope["method"] and pattern.match(scope["path"])
        ]
        if not found:
            return []
        asked = {name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)}
        # The whole operation before its parts: a header is said once.
        told = sorted((name, headers) for name, headers in found if not name or name in asked)
        return told[0][1] if told else []
