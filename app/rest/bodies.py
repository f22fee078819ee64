"""Bodies of requests, read within limits."""

import json
import math
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.rest.problem_types import CONTENT_TOO_LARGE, MALFORMED_REQUEST, UNSUPPORTED_MEDIA_TYPE
from app.rest.problems import HttpError
from app.rest.services import permitted
from app.use_cases.intake import Held
from app.wire.codings import CODINGS, BrokenCodingError, InflatedBodyError, UnknownCodingError, coding_of
from app.wire.faults import InvalidBodyError, MalformedBodyError
from app.wire.repeats import REPEATED, TOO_DEEP, repeated

__all__ = ["JsonRoute", "announced_size", "read_body", "refuse_all_but_json", "refuse_encoded"]

MOST_BYTES = 8 * 1024 * 1024
MOST_JSON_BYTES = 1024 * 1024
"""Of a body that is not events."""


def refuse_encoded(request: Request) -> None:
    """Refuse a body in a coding that is not read here, before anything is answered.

    Raises:
        HttpError: 415, when it is in one.
    """
    with _readable():
        # The edge has decoded all others.
        coding_of([value.encode("latin-1") for value in request.headers.getlist("content-encoding")])


@contextmanager
def _readable() -> Iterator[None]:
    """Refuse a body that cannot be decoded; middleware reads bodies too, where no handler of errors is."""
    try:
        yield
    except UnknownCodingError as error:
        headers = {"Accept-Encoding": ", ".join(CODINGS)}
        raise HttpError(UNSUPPORTED_MEDIA_TYPE, str(error), headers=headers) from None
    except InflatedBodyError as error:
        raise HttpError(CONTENT_TOO_LARGE, str(error)) from None
    except BrokenCodingError as error:
        raise HttpError(MALFORMED_REQUEST, str(error)) from None


def refuse_all_but_json(request: Request) -> None:
    """Refuse a body that is not said to be JSON.

    Raises:
        HttpError: 415, when it is so.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        detail = f"expected Content-Type application/json; got {media[:100] or 'none'}"
        raise HttpError(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept": "application/json"})


class JsonRoute(APIRoute):
    """A route whose body the framework reads, once it is known to be JSON, and of somebody who may send it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Handle a request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def checked(request: Request) -> Response:
            # The framework would read the body first.
            await permitted(request, request.app.state.services)
            refuse_all_but_json(request)
            body = await read_body(request, most=MOST_JSON_BYTES)
            refuse_repeated(body)
            return await handle(_JsonRequest(request, body))

        return checked


class _JsonRequest(Request):
    """A request whose body was read within limits."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._read = body

    async def body(self) -> bytes:
        return self._read

    async def json(self) -> Any:
        # As str: from bytes the library would guess encodings other than UTF-8.
        return json.loads(self._read.decode(), parse_int=_read_integer)


def _read_integer(text: str) -> int | float:
    """Reading an integer takes the square of its digits; none of ours has so many, and infinity is refused too."""
    return int(text) if len(text) < _MOST_DIGITS else math.inf


_MOST_DIGITS = 400


def refuse_repeated(body: bytes) -> None:
    """Refuse JSON that gives a name twice in one object; what is no JSON is left to others.

    Raises:
        InvalidBodyError: it does.
    """
    try:
        pointer = repeated(body)
    except RecursionError:
        raise MalformedBodyError(f"expected JSON: {TOO_DEEP}") from None
    except ValueError:
        return
    if pointer is not None:
        raise InvalidBodyError(pointer, REPEATED)


def announced_size(request: Request) -> int:
    """How many bytes a request says that it has; 0 where it does not say so.

    Raises:
        HttpError: 413, when it is too many.
    """
    size = request.headers.get("content-length", "")
    return _within_limit(int(size)) if size.isascii() and size.isdigit() else 0


async def read_body(request: Request, held: Held | None = None, most: int = MOST_BYTES) -> bytes:
    """Read a whole body; what it takes is held.

    Raises:
        HttpError: 413, as soon as it is too long; 400 or 415, where it cannot be decoded.
        StoreBusyError: there is no room for more.
    """
    chunks, size = [], 0
    with _readable():
        async for chunk in request.stream():
            size = _within_limit(size + len(chunk), most)
            if held is not None:
                held.grow(size)
            chunks.append(chunk)
    return b"".join(chunks)


def _within_limit(size: int, most: int = MOST_BYTES) -> int:
    if size > most:
        detail = f"expected at most {most} bytes; a stream of events may have any length"
        raise HttpError(CONTENT_TOO_LARGE, detail)
    return size
