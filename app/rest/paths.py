"""Ids in paths: a percent-encoded slash is a part of an id and not the end of it (RFC 3986, 2.2)."""

import re
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Path, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.rest.parameters import NAME_PATTERN

__all__ = ["ClientIdPath", "EventIdPath", "SlashesInIds", "id_in_path", "shown_path"]

_SLASH = "\ufdd0"
"""Stands for an encoded slash between the server, which decodes paths too soon, and the route; a code point that
Unicode keeps for such internal use and that is never interchanged."""
_not_utf8 = re.compile("[\ud800-\udfff]")
_encoded_slash = re.compile("%2f", re.IGNORECASE)


class SlashesInIds:
    """ASGI middleware that tells routes `%2F` from `/`."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%" in raw:
            text = _encoded_slash.sub(_SLASH, raw.partition(b"?")[0].decode("latin-1"))
            # What is no UTF-8 would become the same sign whatever it was, and ids fall together.
            head = [
                _not_utf8.sub("\0", _without_slash(unquote(part, errors="surrogateescape")))
                for part in text.split(_SLASH)
            ]
            scope = {**scope, "path": _SLASH.join(head)}
        elif scope["type"] == "http" and _SLASH in scope["path"]:
            scope = {**scope, "path": _without_slash(scope["path"])}
        await self._app(scope, receive, send)


def _without_slash(text: str) -> str:
    """Let nobody write our stand-in: an id that has it is refused as one with a control character is."""
    return text.replace(_SLASH, "\0")


def _id_in_path(description: str, example: str) -> Any:
    return Path(min_length=1, max_length=200, pattern=NAME_PATTERN, description=description, examples=[example])


def _client_id(client_id: Annotated[str, _id_in_path("Your own id of the client.", "acme")]) -> str:
    return client_id.replace(_SLASH, "/")


def _event_id(event_id: Annotated[str, _id_in_path("The CloudEvents `id`.", "INV-17-issued")]) -> str:
    return event_id.replace(_SLASH, "/")


def shown_path(request: Request) -> str:
    """The path of a request for people, with encoded slashes as they were sent."""
    return request.url.path.replace(_SLASH, "%2F")


def id_in_path(request: Request, name: str) -> str:
    """An id in the path of a request; whether it can be one, the route checks."""
    found: str = request.path_params[name]
    return found.replace(_SLASH, "/")


ClientIdPath = Annotated[str, Depends(_client_id)]
EventIdPath = Annotated[str, Depends(_event_id)]
