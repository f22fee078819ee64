"""Connections: uvicorn's protocol, with limits on what a client may send and on how long it may take.

Nobody is held to a total: a stream of events may run for hours, as long as it moves. What we hold back ourselves,
because the database is slow or an earlier request of the connection is being answered, is not held against the client.
"""

import math
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.edge.answers import POLICY, SAFE
from app.edge.request_ids import new_id
from app.edge.sockets import Socket, is_key
from app.rest.problem_types import (
    HEADERS_TOO_LARGE,
    MALFORMED_REQUEST,
    TARGET_TOO_LONG,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
    ProblemType,
)
from app.rest.problems import problem_body
from app.services import Ending
from app.use_cases.unheard import UNHEARD

__all__ = ["Limits", "limited"]

_LINGER_SECONDS: Final = 2.0
"""For a client to read why we close: its system throws that away if we close while it still sends."""

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_UPGRADE: Final = (b"upgrade", b"http2-settings")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server process takes from its clients."""

    head_seconds: float = 10.0
    """For a request line with all headers."""
    body_seconds: float = 20.0
    """How often a body is looked at; it must have brought `body_rate` bytes for each second since."""
    body_rate: int = 100
    read_seconds: float = 60.0
    """For a client to read on in an answer, while it sends nothing either."""
    connections: int = 1000
    head_bytes: int = 32 * 1024
    target_bytes: int = 16 * 1024
    headers: int = 100


def limited(
    limits: Limits,
    ending: Ending | None = None,
    refused: Callable[[ProblemType], None] = UNHEARD.refused,
    sockets: Collection[str] = (),
) -> type[HttpToolsProtocol]:
    """Uvicorn's protocol within limits, to be its `http`.

    Args:
        limits: the limits.
        ending: once the process is told to end, each answer is the last one of its connection.
        refused: is told of each problem that is answered before there is a request.
        sockets: the paths at which there are WebSockets.
    """
    own = {
        "limits": limits,
        "ending": ending or Ending(),
        "tell_refused": (refused,),
        "sockets": frozenset(path.encode("ascii") for path in sockets),
    }
    return type("LimitedProtocol", (_Protocol,), own)


class _Refused(Exception):
    """A request is not read any further."""

    def __init__(self, kind: ProblemType, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class _Protocol(HttpToolsProtocol):
    """One connection: at rest, in a head or in a body.

    A timer runs only where what was read so far ends within a head or a body: nearly all requests come in one piece.
    """

    limits: ClassVar[Limits]
    ending: ClassVar[Ending]
    tell_refused: ClassVar[tuple[Callable[[ProblemType], None]]]
    """In a tuple: a function of a class would be taken for a method."""
    sockets: ClassVar[frozenset[bytes]]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._active: RequestResponseCycle | None = None
        """The request that is being answered; `cycle` is the last one that was read."""
        self._heads = 0
        self._in_head = self._in_body = False
        self._is_over = False
        """Whether nothing is read any more."""
        self._head_left = self._unseen_left = 0
        self._state: Mapping[str, Any] = {}
        self._arrived = self._arrived_before = 0
        """Bytes of bodies, until now and when it was last looked."""
        self._is_held = self._is_left = False
        self._timer: TimerHandle | None = None
        self._unread_timer: TimerHandle | None = None
        self._unread_arrived = 0

    # ---------------------------------------------------------------------------------- what the transport tells

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections and not self._makes_room():
            self._end(TOO_MANY_CONNECTIONS, "there are too many connections; try again", {"retry-after": "1"})
        else:
            self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._unwatch()
        self._unset_keepalive_if_required()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        if self._active is not None and not self._active.response_complete:
            self._active.disconnected = True
            self._active.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._unset_keepalive_if_required()
        heads, arrived, was_within = self._heads, self._arrived, self._in_head or self._in_body
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            reason = error.__context__
            if not isinstance(reason, _Refused):
                reason = _Refused(MALFORMED_REQUEST, f"expected a well-formed request of HTTP/1.1: {error}")
            self._refuse(reason)
            return
        except _Refused as refused:
            self._refuse(refused)
            return
        if self._is_handed_over():
            return
        if was_within and self._heads == heads and self._arrived == arrived and (self._in_head or self._in_body):
            # The parser keeps a header or a trailer until it is whole, and says nothing of it.
            self._unseen_left -= len(data)
            if self._unseen_left < 0:
                self._refuse(self._too_large())
                return
        self._look()

    def _feed(self, data: bytes) -> None:
        """Let the parser read. Where there is no WebSocket, an upgrade is read as if it were not asked for.

        Clients ask for HTTP/2 so, in requests that may have bodies; the parser takes none with them.
        """
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                (end,) = upgrade.args
                if self._is_for_socket():
                    self._become_socket(data[end:])
                    return
                data = self._without_upgrade() + data[end:]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _without_upgrade(self) -> bytes:
        """The head that was read last."""
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.split(b",")]
                lines.append(b"connection: " + b", ".join(one for one in tokens if one.lower() not in _UPGRADE))
            elif name not in _UPGRADE:
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def _is_for_socket(self) -> bool:
        """Whether the head that was read last asks for a WebSocket where there is one, and nothing is in its way."""
        told = dict(self.headers)
        return (
            self.url.partition(b"?")[0] in self.sockets
            and told.get(b"upgrade", b"").strip().lower() == b"websocket"
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and not {b"content-length", b"transfer-encoding"} & set(told)
            and self._is_at_rest()
        )

    def _is_handed_over(self) -> bool:
        return self._is_over

    def _become_socket(self, data: bytes) -> None:
        """Hand the connection over, with what came after the head."""
        self._refuse_ambiguous()
        told = dict(self.headers)
        if told.get(b"sec-websocket-version", b"").strip() != b"13":
            self._end(MALFORMED_REQUEST, "expected Sec-WebSocket-Version: 13", {"sec-websocket-version": "13"})
            return
        key = told.get(b"sec-websocket-key", b"").strip()
        if not is_key(key):
            raise _Refused(MALFORMED_REQUEST, "expected Sec-WebSocket-Key with 16 bytes in base64")
        path, _, query = self.url.partition(b"?")
        protocols = b",".join(value for name, value in self.headers if name == b"sec-websocket-protocol")
        scope = {
            **self.scope,
            "type": "websocket",
            "scheme": "wss" if self.scheme == "https" else "ws",
            "path": path.decode("ascii"),
            "raw_path": path,
            "query_string": query,
            "subprotocols": [one.strip() for one in protocols.decode("latin-1").split(",") if one.strip()],
            "extensions": {"websocket.http.response": {}},
        }
        self._unwatch()
        self._unset_keepalive_if_required()
        self._is_over = True
        self.connections.discard(self)
        made = Socket(self.transport, self.app, scope, key, self.server_state, self.limits.read_seconds)
        self.transport.set_protocol(made)
        if data:
            made.data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
        super().resume_writing()

    # ------------------------------------------------------------------------------------- what the parser tells

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._state = self.scope["state"]
        self._heads += 1
        self._in_head = True
        self._head_left = self._unseen_left = self.limits.head_bytes

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_left -= len(url)
        if len(self.url) > self.limits.target_bytes:
            raise _Refused(TARGET_TOO_LONG, f"expected a target of at most {self.limits.target_bytes:,} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_left -= len(name) + len(value) + 4
        if self._head_left < 0 or len(self.headers) >= self.limits.headers:
            raise self._too_large()
        if self._in_head:  # Else it is a trailer, which must not pass for a header.
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.get_method() == b"CONNECT":
            raise _Refused(MALFORMED_REQUEST, "expected a request for something here: this is no proxy")
        if self.parser.should_upgrade():
            return  # It will be read again.
        self._refuse_ambiguous()
        self._unwatch()
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        self._is_left = False

    def _refuse_ambiguous(self) -> None:
        """Refuse what a server before us may understand differently, and the parser takes (RFC 9112, 3.2 and 6.1)."""
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            raise _Refused(MALFORMED_REQUEST, "expected HTTP/1.1")
        counts = {b"host": 0, b"content-type": 0}
        for name, value in self.headers:
            if name in counts:
                counts[name] += 1
            elif name == b"transfer-encoding" and (version == "1.0" or value.strip().lower() != b"chunked"):
                raise _Refused(MALFORMED_REQUEST, "expected Transfer-Encoding: chunked, or none")
        if counts[b"host"] > 1 or (version == "1.1" and not counts[b"host"]):
            raise _Refused(MALFORMED_REQUEST, "expected one Host header")
        if counts[b"content-type"] > 1:
            raise _Refused(MALFORMED_REQUEST, "expected one Content-Type header")

    def on_body(self, body: bytes) -> None:
        self._arrived += len(body)
        super().on_body(body)
        if self.flow.read_paused:
            self._is_held = True

    def on_message_complete(self) -> None:
        if self._in_head:
            return
        self._unwatch()
        self._in_body = False
        super().on_message_complete()

    # -------------------------------------------------------------------------------------- what uvicorn itself does

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._active = cycle
        if self.ending.has_begun and not self.pipeline:
            # Its client finds another server for what comes next.
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)

    def shutdown(self) -> None:
        # What has begun to come is answered; then the connection ends.
        if not self._in_head:
            super().shutdown()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._unwatch()
            if self.transport.get_write_buffer_size():
                self._timer = self.loop.call_later(self.limits.read_seconds, self.transport.abort)
        elif self._in_body:
            # The answer came before the end of the body, whose own timer runs.
            self._unset_keepalive_if_required()

    def timeout_keep_alive_handler(self) -> None:
        self._shut()

    # ------------------------------------------------------------------------------------------------------ timers

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The last request that was read, in truth."""
        return self.cycle

    def _is_at_rest(self) -> bool:
        last = self._last
        return last is None or last.response_complete

    def _look(self) -> None:
        if self._timer is not None:
            return
        if self._in_body:
            self._arrived_before, self._is_held = self._arrived, self.flow.read_paused
            self._timer = self.loop.call_later(self.limits.body_seconds, self._is_slow_in_body)
        elif self._in_head or self._is_at_rest():
            self._timer = self.loop.call_later(self.limits.head_seconds, self._is_slow_in_head)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_slow_in_head(self) -> None:
        self._timer = None
        if self.flow.read_paused:
            self._look()
        elif self._in_head:
            detail = f"expected the request line and all headers within {self.limits.head_seconds:g} seconds"
            self._refuse(_Refused(TOO_SLOW, detail))
        elif self._is_at_rest():
            self._shut()

    def _is_slow_in_body(self) -> None:
        self._timer = None
        limits, cycle = self.limits, self.cycle
        if cycle.response_complete:
            if self._is_left:
                self._shut()
                return
            self._is_left = True
        elif (
            not self._is_held
            and cycle is self._active
            and not cycle.waiting_for_100_continue
            and self._arrived - self._arrived_before < limits.body_rate * limits.body_seconds
        ):
            detail = f"expected {limits.body_rate} bytes of the body a second, over {limits.body_seconds:g} seconds"
            self._refuse(_Refused(TOO_SLOW, detail))
            return
        self._look()

    def _watch_reader(self) -> None:
        if self._unread_timer is None:
            self._unread_arrived = self._arrived
            self._unread_timer = self.loop.call_later(self.limits.read_seconds, self._reads_nothing)

    def _reads_nothing(self) -> None:
        self._unread_timer = None
        if self._arrived != self._unread_arrived:
            self._watch_reader()  # Who sends may read later.
        else:
            self.transport.abort()

    # ------------------------------------------------------------------------------------------------------ ends

    def _too_large(self) -> _Refused:
        most, count = self.limits.head_bytes, self.limits.headers
        return _Refused(HEADERS_TOO_LARGE, f"expected at most {count} headers, of {most:,} bytes together")

    def _refuse(self, refused: _Refused) -> None:
        """Read no further; tell the client why, unless it is being told something else."""
        before = self._last
        if self._in_body:
            cycle = self.cycle
            if cycle is self._active:
                is_told = cycle.response_started
                cycle.disconnected = True
                cycle.message_event.set()
                if is_told:
                    self._shut()
                    return
                before = None
            else:
                self.pipeline.popleft()
                before = self.pipeline[0][0] if self.pipeline else self._active
        if before is None or before.response_complete:
            self._end(refused.kind, str(refused))
            return
        # What came before it on this connection is still answered.
        self._is_over = True
        self._unwatch()
        before.keep_alive = False
        self.cycle = before

    def _end(self, kind: ProblemType, detail: str, more: Mapping[str, str] | None = None) -> None:
        """Answer with a problem and close."""
        self.tell_refused[0](kind)
        # The edge may have named the request already.
        request_id = self._state.get("request_id") or new_id()
        body = msgspec.json.encode(problem_body(kind, detail, request_id=request_id))
        headers = {
            "content-type": "application/problem+json",
            "content-length": str(len(body)),
            "cache-control": "no-store",
            "x-request-id": request_id,
            "connection": "close",
            **(more or {}),
        }
        lines = [b"%b: %b\r\n" % one for one in (*self.server_state.default_headers, *SAFE, POLICY)]
        lines += [f"{name}: {value}\r\n".encode("ascii") for name, value in headers.items()]
        self._is_over = True
        self._unwatch()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self.transport.write(b"".join([STATUS_LINE[kind.status], *lines, b"\r\n", body]))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def _shut(self) -> None:
        """Close, and do not wait for ever until what was written is read."""
        self._is_over = True
        self._unwatch()
        self._unset_keepalive_if_required()
        self.transport.close()
        self._timer = self.loop.call_later(self.limits.read_seconds, self.transport.abort)

    def _makes_room(self) -> bool:
        """Whether a connection at rest could be closed, the one that would be too late next."""
        waiting = [(one.at_rest_until(), one) for one in self.connections if isinstance(one, _Protocol | Socket)]
        closed = min(waiting, key=lambda found: found[0])
        if closed[0] == math.inf:
            return False
        closed[1].give_way()
        return True

    def at_rest_until(self) -> float:
        """When a connection on which no request is read or answered will be closed; never, if there is one."""
        timer = self.timeout_keep_alive_task or self._timer
        if self._is_over or self._in_body or timer is None or not self._is_at_rest():
            return math.inf
        return timer.when()

    def give_way(self) -> None:
        """Close at once."""
        self._is_over = True
        self.transport.abort()
