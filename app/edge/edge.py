"""The edge: one pure ASGI middleware around the whole application."""

import logging
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.edge import request_ids
from app.edge.answers import Finish
from app.edge.cors import Cors
from app.edge.decoding import decoded
from app.edge.encoding import Encoded, without_codings
from app.edge.methods import AskedForMethods, with_methods_of_ours
from app.rest.problem_types import INTERNAL_ERROR, NOT_ACCEPTABLE
from app.rest.problems import problem
from app.wire.codings import CODINGS, wanted

__all__ = ["Edge"]

_LONGEST: Final = 500
_log: Final = logging.getLogger("partwise.edge")


class Edge:
    """Names each request, answers HEAD and OPTIONS wherever there is something, and finishes every answer."""

    def __init__(self, app: ASGIApp, cors: Cors, hsts_seconds: int = 0) -> None:
        """Wrap an application."""
        self._app = app
        self._cors = cors
        self._finish = Finish(cors, hsts_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] != "http":
            await (self._open if scope["type"] == "websocket" else self._app)(scope, receive, send)
            return
        headers = _lines_together(scope["headers"])
        method: str = scope["method"]
        request_id = request_ids.named(headers.get(request_ids.HEADER))
        # A dictionary of its own, that copies of the scope share.
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, self._finish, method, headers, request_id)
        if b"content-encoding" in headers:
            scope, receive = decoded(scope, receive)
        scope, tags = without_codings(scope, headers)
        takes = wanted(headers.get(b"accept-encoding", b"")[:_LONGEST])
        sender = Encoded(answer, takes, tags) if takes.coding or tags else answer
        try:
            if not takes.coding and not takes.takes_plain:
                detail = f"expected Accept-Encoding with {', '.join(CODINGS)} or identity"
                await problem(NOT_ACCEPTABLE, detail)(scope, receive, answer)
            elif method == "OPTIONS":
                await self._options(scope, receive, sender, headers)
            elif method == "HEAD":
                # What has no end otherwise need not go on after its head.
                scope["state"]["head_only"] = True
                await self._app({**scope, "method": "GET"}, receive, sender)
            else:
                await self._app(scope, receive, sender)
        except Exception:
            if answer.is_started:
                raise
            _log.exception("a request failed")
            failed = problem(INTERNAL_ERROR, "an error on our side; it has been logged")
            await failed(scope, receive, answer)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket: its request has a name, and the answer to it is finished as others are."""
        headers = _lines_together(scope["headers"])
        request_id = request_ids.named(headers.get(request_ids.HEADER))
        scope.setdefault("state", {})["request_id"] = request_id
        named = (request_ids.HEADER, request_id.encode())

        async def told(message: Message) -> None:
            if message["type"] == "websocket.accept":
                message = {**message, "headers": [*message.get("headers", ()), named]}
            elif message["type"] == "websocket.http.response.start":
                is_authenticated = b"authorization" in headers
                finished = self._finish(
                    message.get("headers", ()),
                    message["status"],
                    "GET",
                    origin=headers.get(b"origin"),
                    is_authenticated=is_authenticated,
                )
                message = {**message, "headers": [*finished, named]}
            await send(message)

        await self._app(scope, receive, told)

    async def _options(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        if self._cors.is_preflight("OPTIONS", headers):
            await send({"type": "http.response.start", "status": 204, "headers": self._cors.preflight(headers)})
            await send({"type": "http.response.body", "body": b""})
        elif scope["path"] == "*":
            # Of the server as a whole (RFC 9110, 9.3.7).
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, AskedForMethods(send))


def _lines_together(given: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; one that has several lines is a list (RFC 9110, 5.2)."""
    found = dict(given)
    if len(found) != len(given):
        found = {}
        for name, value in given:
            found[name] = found[name] + b", " + value if name in found else value
    return found


class _Answer:
    """Sends the answer to one request, finished."""

    __slots__ = ("_finish", "_headers", "_method", "_request_id", "_send", "is_started")

    def __init__(self, send: Send, finish: Finish, method: str, headers: dict[bytes, bytes], request_id: str) -> None:
        self._send = send
        self._finish = finish
        self._method = method
        self._headers = headers
        self._request_id = request_id
        self.is_started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_started = True
            status: int = message["status"]
            headers = self._finish(
                message.get("headers", ()),
                status,
                self._method,
                origin=self._headers.get(b"origin"),
                is_authenticated=b"authorization" in self._headers,
            )
            if status in (204, 405):
                headers = with_methods_of_ours(headers)
            headers.append((request_ids.HEADER, self._request_id.encode()))
            message = {**message, "headers": headers}
        elif self._method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)
