"""Bodies of requests, read within limits."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.rest.problem_types import CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE
from app.rest.problems import HttpError
from app.use_cases.intake import Held

__all__ = ["JsonRoute", "announced_size", "read_body", "refuse_all_but_json", "refuse_encoded"]

MOST_BYTES = 8 * 1024 * 1024


def refuse_encoded(request: Request) -> None:
    """Refuse a body that is compressed.

    Raises:
        HttpError: 415, when it is.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        raise HttpError(UNSUPPORTED_MEDIA_TYPE, f"expected a body without Content-Encoding, got {encoding[:40]}")


def refuse_all_but_json(request: Request) -> None:
    """Refuse a body that is not said to be JSON, or is compressed.

    Raises:
        HttpError: 415, when it is so.
    """
    refuse_encoded(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise HttpError(UNSUPPORTED_MEDIA_TYPE, f"expected Content-Type application/json; got {media[:100] or 'none'}")


class JsonRoute(APIRoute):
    """A route whose body the framework reads, once it is known to be JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Handle a request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def checked(request: Request) -> Response:
            refuse_all_but_json(request)
            return await handle(request)

        return checked


def announced_size(request: Request) -> int:
    """How many bytes a request says that it has; 0 where it does not say so.

    Raises:
        HttpError: 413, when it is too many.
    """
    size = request.headers.get("content-length", "")
    return _within_limit(int(size)) if size.isascii() and size.isdigit() else 0


async def read_body(request: Request, held: Held | None = None) -> bytes:
    """Read a whole body; what it takes is held.

    Raises:
        HttpError: 413, as soon as it is too long.
        StoreBusyError: there is no room for more.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size = _within_limit(size + len(chunk))
        if held is not None:
            held.grow(size)
        chunks.append(chunk)
    return b"".join(chunks)


def _within_limit(size: int) -> int:
    if size > MOST_BYTES:
        detail = f"expected at most {MOST_BYTES} bytes; a stream of events may have any length"
        raise HttpError(CONTENT_TOO_LARGE, detail)
    return size
