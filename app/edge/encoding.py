"""Answers in a content coding, where the client takes one and it is worth it.

Nothing here is for one page to guess from the length of what another one sent: keys do not travel by themselves, as
cookies do, so no page can make a browser ask in somebody else's name.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from starlette.types import Message, Scope, Send

from app.edge.cors import Header
from app.wire.codings import CODINGS, Encoder, Wanted

__all__ = ["Encoded", "without_codings"]

_LEAST_BYTES: Final = 1000
"""What is shorter fits into one packet anyway."""
_LONG_BYTES: Final = 128 * 1024
"""What is longer is encoded beside the loop."""
_STREAM: Final = b"application/x-ndjson"
_TEXTUAL: Final = re.compile(
    rb"(text/(?!event-stream)[^;]+|application/(json|javascript|xml|x-ndjson|openmetrics-text|[^;]+\+(json|xml))|image/svg\+xml)(;.*)?",
    re.I,
)
_BODILESS: Final = frozenset({204, 205, 206, 304})
_coded_tag: Final = re.compile(rb'"([^"]*)-(%b)"' % "|".join(CODINGS).encode())
_CONDITIONS: Final = (b"if-none-match", b"if-match")


def without_codings(scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[Scope, dict[bytes, bytes]]:
    """A request whose conditions name tags as the application knows them, and the tags that were changed."""
    if b"if-none-match" not in headers and b"if-match" not in headers:
        return scope, {}
    tags = {
        b'"%b"' % found[1]: found[0]
        for name in _CONDITIONS
        if name in headers
        for found in _coded_tag.finditer(headers[name])
    }
    if not tags:
        return scope, tags
    changed = [
        (name, _coded_tag.sub(rb'"\1"', value) if name in _CONDITIONS else value) for name, value in scope["headers"]
    ]
    return {**scope, "headers": changed}, tags


class Encoded:
    """Sends an answer in a coding; whole ones with their length, streams as they come."""

    def __init__(self, send: Send, wanted: Wanted, tags: Mapping[bytes, bytes]) -> None:
        """Encode for `send`, or not at all; a client that asked by one of these tags is answered by it."""
        self._send = send
        self._coding = wanted.coding
        self._takes_plain = wanted.takes_plain
        self._tags = tags
        self._start: Message | None = None
        self._encoder: Encoder | None = None

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] != "http.response.body":
            await self._send(message)
        elif self._start is not None:
            await self._first(message)
        elif self._encoder is not None:
            await self._next(message)
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        headers = dict(message["headers"])
        if message["status"] == 304 and headers.get(b"etag") in self._tags:
            tag = self._tags[headers[b"etag"]]
            await self._send({**message, "headers": _with(message["headers"], etag=tag)})
        elif (
            self._coding is None
            or not _can_be_encoded(message["status"], headers)
            or (self._takes_plain and not _is_worth_it(headers))
        ):
            await self._send(message)
        elif headers.get(b"content-type", b"").startswith(_STREAM):
            await self._send(self._encoding(message, None))
        else:
            self._start = message

    async def _first(self, message: Message) -> None:
        start, self._start = self._start, None
        assert start is not None
        assert self._coding is not None
        if message.get("more_body", False):
            await self._send(self._encoding(start, None))
            await self._next(message)
            return
        body: bytes = message.get("body", b"")
        if body and (len(body) >= _LEAST_BYTES or not self._takes_plain):
            encoder = Encoder(self._coding)
            body = await _fed(encoder, body, is_last=True)
            start, message = self._encoding(start, len(body)), {**message, "body": body}
        await self._send(start)
        await self._send(message)

    async def _next(self, message: Message) -> None:
        assert self._encoder is not None
        has_more: bool = message.get("more_body", False)
        body: bytes = message.get("body", b"")
        if body or not has_more:
            body = await _fed(self._encoder, body, is_last=not has_more)
        await self._send({**message, "body": body})

    def _encoding(self, start: Message, length: int | None) -> Message:
        assert self._coding is not None
        if length is None:
            self._encoder = Encoder(self._coding)
        tag = dict(start["headers"]).get(b"etag", b"")
        # A strong tag names bytes: other bytes, another tag.
        strong = b'%b-%b"' % (tag[:-1], self._coding.encode()) if tag.startswith(b'"') else tag
        headers = _with(start["headers"], etag=strong, length=length)
        return {**start, "headers": [*headers, (b"content-encoding", self._coding.encode())]}


def _can_be_encoded(status: int, headers: Mapping[bytes, bytes]) -> bool:
    return (
        status >= 200
        and status not in _BODILESS
        and b"content-encoding" not in headers
        and b"no-transform" not in headers.get(b"cache-control", b"")
    )


def _is_worth_it(headers: Mapping[bytes, bytes]) -> bool:
    length = headers.get(b"content-length")
    return _TEXTUAL.fullmatch(headers.get(b"content-type", b"")) is not None and (
        length is None or int(length) >= _LEAST_BYTES
    )


_UNKNOWN: Final = -1


def _with(headers: list[Header], *, etag: bytes, length: int | None = _UNKNOWN) -> list[Header]:
    """The headers of an answer with another tag and length."""
    found = []
    for name, value in headers:
        if name == b"etag":
            found.append((name, etag))
        elif name == b"content-length" and length != _UNKNOWN:
            if length is not None:
                found.append((name, b"%d" % length))
        elif name != b"accept-ranges" or length == _UNKNOWN:
            found.append((name, value))
    return found


async def _fed(encoder: Encoder, body: bytes, *, is_last: bool) -> bytes:
    if len(body) < _LONG_BYTES:
        return encoder.feed(body, is_last=is_last)
    return await asyncio.to_thread(encoder.feed, body, is_last=is_last)
