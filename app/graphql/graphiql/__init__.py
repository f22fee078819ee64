"""GraphiQL, the page on which people try queries: served by us, so that it works offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

__all__ = ["GraphiQL"]

_FOLDER: Final = Path(__file__).parent
_ASSETS: Final = "/graphql/assets/"
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".txt": "text/plain; charset=utf-8",
}
# The editor sets styles of its own; scripts are only ours.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'"
)


class GraphiQL:
    """Serves the page and its assets."""

    def __init__(self) -> None:
        """Know which files there are; nothing else is served."""
        self._files = {path.name: path for path in _FOLDER.iterdir() if path.suffix in _TYPES}

    def serves(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request is for the page or an asset, rather than an operation."""
        if scope["path"].startswith(_ASSETS):
            return True
        if scope["method"] not in ("GET", "HEAD"):
            return False
        wants_page = b"text/html" in headers.get(b"accept", b"") and b"query=" not in scope["query_string"]
        return scope["path"] == "/graphql" and wants_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file."""
        name = scope["path"].removeprefix(_ASSETS) if scope["path"].startswith(_ASSETS) else "index.html"
        path = self._files.get(name)
        response: Response
        if path is not None and scope["method"] not in ("GET", "HEAD"):
            response = Response("these are files", 405, {"Allow": "GET, HEAD"}, "text/plain")
        elif path is None:
            response = Response("there is nothing here", 404, media_type="text/plain")
        else:
            response = FileResponse(path, media_type=_TYPES[path.suffix])
            response.headers["Content-Security-Policy"] = _POLICY
            response.headers["X-Content-Type-Options"] = "nosniff"
        await response(scope, receive, send)
