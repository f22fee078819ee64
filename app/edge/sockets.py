"""WebSockets: an ASGI application on one side and frames on the other, within limits.

`websockets` reads and writes the frames. What is here is what bounds them: nothing is compressed, so that nothing small
can become large; a message has a size and a number of fragments; what comes is read a few kilobytes at a time, and only
while the application takes it; who does not read what it is sent is not read from either, and is hung up on after a
time, as is who does not answer pings.
"""

import asyncio
import base64
import binascii
import contextvars
import logging
import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol
from websockets.utils import accept_key

__all__ = ["MOST_BYTES", "Socket", "is_key"]

MOST_BYTES: Final = 64 * 1024
"""Of a message."""
_MOST_FRAGMENTS: Final = 64
_SLICE: Final = 4 * 1024
"""Bytes that are read at once: what is in them waits in memory for the application."""
_PING_SECONDS: Final = 15.0
_UNHEARD_PINGS: Final = 3
"""Pings without any sign of life."""
_LINGER_SECONDS: Final = 5.0
"""For the other side to read why we close, and to say that it has."""
_KEY_BYTES: Final = 16

_GOING_AWAY: Final = 1001
_RESTART: Final = 1012
_INTERNAL: Final = 1011
_INVALID_DATA: Final = 1007
_POLICY: Final = 1008
_ABNORMAL: Final = 1006

_log: Final = logging.getLogger("partwise.edge")
_SILENT: Final = logging.Logger("partwise.edge.frames", logging.CRITICAL)  # noqa: LOG001 - which says nothing
"""The library tells of each connection at `info`."""


def is_key(text: bytes) -> bool:
    """Whether this is a `Sec-WebSocket-Key` (RFC 6455, 4.1)."""
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


class Gone(OSError):
    """The connection is no more, as ASGI has it for who still sends."""


class Socket(asyncio.Protocol):
    """One WebSocket, from the head of its request on."""

    __slots__ = (
        "_answer",
        "_app",
        "_frames",
        "_heard",
        "_is_closing",
        "_is_established",
        "_is_lost",
        "_key",
        "_messages",
        "_opened_at",
        "_parts",
        "_read_seconds",
        "_receiver",
        "_scope",
        "_server",
        "_task",
        "_text",
        "_timer",
        "_transport",
        "_unheard",
        "_unread",
        "_unwritable_since",
        "_writable",
    )

    def __init__(  # noqa: PLR0917 - a connection, and what holds for it
        self,
        transport: asyncio.Transport,
        app: ASGIApp,
        scope: Scope,
        key: bytes,
        server: ServerState,
        read_seconds: float,
    ) -> None:
        """Go on with a connection whose head was read.

        Args:
            transport: of the connection.
            app: is asked, with a scope of the type `websocket`.
            scope: of that.
            key: the `Sec-WebSocket-Key`.
            server: knows all connections and tasks.
            read_seconds: for the other side to read on.
        """
        self._transport = transport
        self._app = app
        self._scope = scope
        self._key = key
        self._server = server
        self._read_seconds = read_seconds
        self._frames: Protocol | None = None
        """There once the application has accepted."""
        self._unread = bytearray()
        self._parts: list[bytes] = []
        self._text = True
        self._messages: deque[Message] = deque([{"type": "websocket.connect"}])
        self._receiver: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        """Waited for while the other side reads too slowly."""
        self._unwritable_since = 0.0
        self._answer: Message | None = None
        """The head of a refusal, until its body is there."""
        self._is_closing = self._is_lost = self._is_established = False
        self._heard = True
        self._unheard = 0
        loop = asyncio.get_running_loop()
        self._opened_at = loop.time()
        self._timer = loop.call_later(min(_PING_SECONDS, read_seconds), self._beat)
        server.connections.add(self)  # type: ignore[arg-type]
        # In nobody's name yet.
        self._task = loop.create_task(self._run(), context=contextvars.Context())
        server.tasks.add(self._task)
        self._task.add_done_callback(server.tasks.discard)

    # ---------------------------------------------------------------------------------- what the transport tells

    def data_received(self, data: bytes) -> None:
        """Read it, or keep it until it is wanted."""
        self._heard = True
        self._unread += data
        self._read_on()

    def eof_received(self) -> bool:
        """Half of a connection is none."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing can be sent or read any more."""
        del exc
        self._is_lost = self._is_closing = True
        self._timer.cancel()
        self._server.connections.discard(self)
        self._unread.clear()
        self._over(_ABNORMAL)
        self.resume_writing()

    def pause_writing(self) -> None:
        """What was sent is not read: nothing is read either, as what comes might ask for answers."""
        if self._writable is None:
            loop = asyncio.get_running_loop()
            self._writable = loop.create_future()
            self._unwritable_since = loop.time()
            self._pause_reading(is_paused=True)

    def resume_writing(self) -> None:
        """It was."""
        writable, self._writable = self._writable, None
        if writable is not None:
            writable.set_result(None)
            if not self._is_lost:
                self._read_on()

    # -------------------------------------------------------------------------------------- what the server asks

    def shutdown(self) -> None:
        """The server ends: the other side comes again, to another one."""
        self._close(_RESTART, "the server is about to end")

    def at_rest_until(self) -> float:
        """When a connection on which nothing was said yet would be too late; never, if it is one that counts."""
        return math.inf if self._is_established or self._is_closing else self._opened_at

    def give_way(self) -> None:
        """Close at once."""
        self._transport.abort()

    # ---------------------------------------------------------------------------------------------- what comes in

    def _read_on(self) -> None:
        """Read what has come, as long as the application has taken what was read before."""
        frames = self._frames
        if frames is None:
            self._pause_reading(is_paused=bool(self._unread))
            return
        if frames.parser_exc is not None:
            # What no frame can follow is thrown away: left unread, it would take the reason with it.
            self._unread.clear()
        while self._unread and (self._is_closing or not self._messages) and self._writable is None:
            piece = bytes(self._unread[:_SLICE])
            del self._unread[:_SLICE]
            frames.receive_data(piece)
            for event in frames.events_received():
                if isinstance(event, Frame):
                    self._take(event)
            self._flush()
            if frames.parser_exc is not None or frames.close_rcvd is not None:
                self._end_of_frames(frames)
                return
        self._pause_reading(is_paused=bool(self._unread) or self._writable is not None)

    def _pause_reading(self, *, is_paused: bool) -> None:
        if not self._transport.is_closing():
            if is_paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _take(self, frame: Frame) -> None:
        if self._is_closing or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if len(self._parts) > _MOST_FRAGMENTS:
            self._close(_POLICY, f"expected at most {_MOST_FRAGMENTS} fragments")
        elif frame.fin:
            data, self._parts = b"".join(self._parts), []
            try:
                told = {"text": data.decode()} if self._text else {"bytes": data}
            except UnicodeDecodeError:
                self._close(_INVALID_DATA, "expected UTF-8")
                return
            self._tell({"type": "websocket.receive", **told})

    def _end_of_frames(self, frames: Protocol) -> None:
        """The other side closes, or sent what is no WebSocket: the frame that says so is written already."""
        self._unread.clear()
        self._is_closing = True
        self._over(frames.close_rcvd.code if frames.close_rcvd is not None else _ABNORMAL)
        if frames.parser_exc is None:
            self._transport.close()
        elif self._transport.can_write_eof() and not self._is_lost:
            self._transport.write_eof()
        self._linger()

    def _tell(self, message: Message) -> None:
        self._messages.append(message)
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _over(self, code: int) -> None:
        """Tell the application; what it has not read by now it need not read."""
        if not (self._messages and self._messages[-1]["type"] == "websocket.disconnect"):
            self._messages.clear()
            self._tell({"type": "websocket.disconnect", "code": code})

    async def _receive(self) -> Message:
        while not self._messages:
            self._read_on()
            if self._messages:
                break
            self._receiver = asyncio.get_running_loop().create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._messages[0]
        if message["type"] != "websocket.disconnect":
            self._messages.popleft()
        return message

    # --------------------------------------------------------------------------------------------- what goes out

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            await self._send_text(message["text"])
        elif kind == "websocket.close":
            if self._frames is None:
                self._refuse(403, (), b"")
            else:
                self._close(message.get("code", 1000), message.get("reason") or "")
        elif self._is_closing or self._frames is not None:
            raise Gone("the connection is closed")
        elif kind == "websocket.accept":
            self._accept(message.get("subprotocol"), message.get("headers", ()))
        elif kind == "websocket.http.response.start":
            self._answer = {**message, "body": b""}
        elif kind == "websocket.http.response.body":
            assert self._answer is not None
            self._answer["body"] += message.get("body", b"")
            if not message.get("more_body", False):
                self._refuse(self._answer["status"], self._answer.get("headers", ()), self._answer["body"])

    async def _send_text(self, text: str) -> None:
        while self._writable is not None:
            await asyncio.shield(self._writable)
        if self._frames is None or self._is_closing:
            raise Gone("the connection is closed")
        try:
            self._frames.send_text(text.encode())
        except InvalidState:
            raise Gone("the connection is closed") from None
        self._is_established = True
        self._flush()

    def _accept(self, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> None:
        told = [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", accept_key(self._key.decode("ascii")).encode()),
            *self._server.default_headers,
            *headers,
        ]
        if subprotocol is not None:
            told.append((b"sec-websocket-protocol", subprotocol.encode("ascii")))
        self._write_head(101, told)
        self._frames = Protocol(SERVER, max_size=MOST_BYTES, logger=_SILENT)
        self._read_on()

    def _refuse(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer the request, which then is one like others."""
        told = [one for one in headers if one[0] not in (b"content-length", b"connection")]
        told += [(b"content-length", b"%d" % len(body)), (b"connection", b"close"), *self._server.default_headers]
        self._write_head(status, told, body)
        self._is_closing = True
        self._over(_ABNORMAL)
        self._transport.close()
        self._linger()

    def _write_head(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes = b"") -> None:
        if not self._is_lost:
            lines = [b"%b: %b\r\n" % one for one in headers]
            self._transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))

    def _flush(self) -> None:
        frames = self._frames
        if frames is not None and not self._is_lost:
            data = b"".join(frames.data_to_send())
            if data:
                self._transport.write(data)

    def _close(self, code: int, reason: str) -> None:
        """Say why, and wait for a little; what was written before goes first, whoever reads it."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._frames is None:
            self._transport.abort()
            return
        try:
            self._frames.send_close(code, reason.encode()[:120].decode(errors="ignore"))
        except InvalidState:
            pass
        self._flush()
        self._unread.clear()
        self._over(code)
        self._linger()
        if self._writable is None:
            # The answer to it is read, and nothing else.
            self._pause_reading(is_paused=False)

    def _linger(self) -> None:
        self._timer.cancel()
        if not self._is_lost:
            self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.abort)

    # ------------------------------------------------------------------------------------------------- the course

    def _beat(self) -> None:
        """Ask whether the other side is still there, and hang up when it is not, or reads nothing."""
        loop = asyncio.get_running_loop()
        # Who is not read from cannot be heard.
        self._unheard = 0 if self._heard or self._messages or self._unread else self._unheard + 1
        self._heard = False
        if self._writable is not None and loop.time() - self._unwritable_since >= self._read_seconds:
            self._transport.abort()
            return
        if self._frames is not None and self._writable is None:
            if self._unheard >= _UNHEARD_PINGS:
                self._close(_GOING_AWAY, "pings are not answered")
                return
            self._frames.send_ping(b"")
            self._flush()
        self._timer = loop.call_later(min(_PING_SECONDS, self._read_seconds), self._beat)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Gone:
            pass
        except Exception:
            _log.exception("a connection failed")
            if self._frames is None and not self._is_closing:
                self._refuse(500, (), b"")
            self._close(_INTERNAL, "an error on our side")
        finally:
            if self._frames is None and not self._is_closing:
                self._refuse(403, (), b"")
            self._close(1000, "")
