"""Bodies of requests in a content coding: the application reads them as if they were in none."""

import asyncio
from collections.abc import Iterator
from typing import Final

from starlette.types import Message, Receive, Scope

from app.wire.codings import Coding, Decoder, UnknownCodingError, coding_of

__all__ = ["decoded"]

_OF_THE_CODED: Final = (b"content-encoding", b"content-length")


def decoded(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """A request as it would be without its coding.

    What cannot be decoded is an error when it is read (see `app.wire.codings`), so that whoever reads answers it.
    """
    try:
        coding = coding_of([value for name, value in scope["headers"] if name == b"content-encoding"])
    except UnknownCodingError as error:
        return scope, _Unreadable(error)
    scope = {**scope, "headers": [one for one in scope["headers"] if one[0] not in _OF_THE_CODED]}
    return scope, receive if coding is None else _Decoded(receive, coding)


class _Unreadable:
    """Receives nothing."""

    def __init__(self, error: UnknownCodingError) -> None:
        self._error = error

    async def __call__(self) -> Message:
        raise self._error


class _Decoded:
    """Receives a body decoded, piece by piece."""

    def __init__(self, receive: Receive, coding: Coding) -> None:
        self._receive = receive
        self._decoder = Decoder(coding)
        self._pieces: Iterator[bytes] = iter(())
        self._has_more = True
        self._is_over = False

    async def __call__(self) -> Message:
        while not self._is_over:
            piece = next(self._pieces, None)
            if piece is not None:
                # A few bytes may stand for much, and many for nothing: others have their turn in between.
                await asyncio.sleep(0)
                if not piece:
                    continue
                return {"type": "http.request", "body": piece, "more_body": True}
            if not self._has_more:
                self._is_over = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._has_more = message.get("more_body", False)
            self._pieces = self._decoder.feed(message.get("body", b""), is_last=not self._has_more)
        return await self._receive()
