"""Operations over WebSocket, by the sub-protocol graphql-transport-ws."""

import asyncio
import logging
from collections.abc import Collection
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import orjson
from starlette.types import Message, Receive, Scope, Send

from app.graphql.admission import admitted, refusal_of
from app.graphql.answering import Answering, Course, Prepared, SubscriptionFailed
from app.graphql.context import Context
from app.graphql.documents import InvalidDocument
from app.graphql.errors import coded, public
from app.graphql.live.ends import (
    CLOSE,
    FORBIDDEN,
    ID_IN_USE,
    INIT_TIMEOUT,
    INIT_TWICE,
    INVALID,
    SUBPROTOCOL,
    TRY_AGAIN,
    UNAUTHORISED,
    Close,
    End,
)
from app.graphql.live.keeper import Keeper
from app.graphql.live.seats import FullError, Seats
from app.graphql.live.subscriptions import Subscribed, Subscriptions
from app.graphql.operations import Ending, Operations
from app.graphql.requests import Refused, Request, read_object, read_parameters
from app.ports.rates import Unit
from app.ports.tracing import Tracing
from app.services import ALLOWANCE, DOOR, STREAM, Door, Services
from app.use_cases.errors import RateLimitedError, UnauthenticatedError
from app.use_cases.keys import Principal
from app.wire.credentials import bearer_secret

__all__ = ["SUBPROTOCOL_NAME", "Sockets"]

SUBPROTOCOL_NAME: Final = "graphql-transport-ws"
INIT_SECONDS: Final = 10.0
"""For a client to say who it is."""
MOST_OPERATIONS: Final = 100
"""Of a connection at once."""
_MOST_ID: Final = 256
_MOST_REASON: Final = 120
"""Bytes that a close frame has for it."""
_MESSAGES: Final = 200.0
_MESSAGES_A_SECOND: Final = 20.0
"""What a client may send at once, and over time; beyond that it is read more slowly."""
_TOO_MANY: Final = "TOO_MANY_SUBSCRIPTIONS"

_log = logging.getLogger("partwise.graphql")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every connection is given."""

    services: Services
    answering: Answering
    subscriptions: Subscriptions
    keeper: Keeper
    seats: Seats
    operations: Operations
    tracing: Tracing
    timeout: float
    patience: float


class Sockets:
    """The ASGI application of WebSockets at /graphql."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        services: Services,
        answering: Answering,
        subscriptions: Subscriptions,
        keeper: Keeper,
        seats: Seats,
        operations: Operations,
        tracing: Tracing,
        origins: Collection[str],
        timeout: float,
        patience: float,
    ) -> None:
        """Answer operations.

        Args:
            services: the use cases.
            answering: runs operations.
            subscriptions: opens those that are subscriptions.
            keeper: looks after connections.
            seats: of connections.
            operations: is told how each ended.
            tracing: is told of operations, by their kind.
            origins: whose pages may open connections, beside our own.
            timeout: seconds for an operation that is no subscription.
            patience: seconds for a client to take what it is sent.
        """
        self._parts = _Parts(services, answering, subscriptions, keeper, seats, operations, tracing, timeout, patience)
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, to its end."""
        if (await receive())["type"] != "websocket.connect":
            return
        connection = _Connection(self._parts, scope, send)
        try:
            if scope["path"] != "/graphql":
                raise Refused(404, "there is nothing here", "NOT_FOUND")
            self._refuse_stranger(scope)
            if self._parts.keeper.is_ending:
                raise Refused(503, "the server is about to end", "UNAVAILABLE", ((b"retry-after", b"1"),))
            if any(name == b"authorization" for name, _ in scope["headers"]):
                await connection.present(scope["headers"])
        except Refused as refused:
            await _deny(send, refused)
            return
        scope["state"][STREAM] = True
        if SUBPROTOCOL_NAME not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            reason = f"Subprotocol not acceptable: expected {SUBPROTOCOL_NAME}"
            await send({"type": "websocket.close", "code": SUBPROTOCOL, "reason": reason})
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL_NAME})
        await connection.run(receive)

    def _refuse_stranger(self, scope: Scope) -> None:
        """Refuse pages of origins that are not allowed; what is no browser says none."""
        headers = dict(scope["headers"])
        origin: bytes | None = headers.get(b"origin")
        if origin is None or origin in self._origins:
            return
        if origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower():
            raise Refused(403, "pages of this origin may not open connections", "FORBIDDEN")


class _Operation:
    __slots__ = ("subscribed", "task")

    def __init__(self) -> None:
        self.subscribed = Subscribed()
        self.task: asyncio.Task[None] | None = None


class _Connection:
    """One connection; keeps the promise of `keeper.Kept`."""

    def __init__(self, parts: _Parts, scope: Scope, send: Send) -> None:
        self._parts = parts
        self._scope = scope
        self._send = send
        self._context: Context | None = None
        """Of who was let in."""
        self.secret = ""
        self._is_open = self._is_closed = False
        self._operations: dict[str, _Operation] = {}
        self._stack = ExitStack()
        self._closing: asyncio.Task[None] | None = None
        self._budget, self._counted_at = _MESSAGES, asyncio.get_running_loop().time()

    @property
    def principal(self) -> Principal:
        assert self._context is not None
        return self._context.principal

    async def present(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Find out who asks, by what he presents as the headers of a request would.

        Raises:
            Refused: he is not let in.
        """
        state = self._scope.setdefault("state", {})
        door: Door | None = state.get(DOOR)
        try:
            secret = bearer_secret(headers)
        except UnauthenticatedError as error:
            raise refusal_of(error) from None
        try:
            if door is not None:
                door.check(secret)
        except RateLimitedError as error:
            retry = ((b"retry-after", str(error.wait).encode()),)
            raise Refused(429, str(error), "TOO_MANY_FAILED_ATTEMPTS", retry) from None
        # Who asks now may be another one than he whom the headers named.
        state.pop(ALLOWANCE, None)
        try:
            self._context = await admitted(self._parts.services, self._scope, secret)
        except Refused as refused:
            if door is not None and refused.status == 401:
                door.failed()
            raise
        self.secret = secret
        if door is not None:
            door.passed(secret, self._context.allowance)

    def end(self, end: End, detail: str, *, forbidden: bool = False) -> None:
        """See `keeper.Kept`."""
        if self._closing is None and not self._is_closed:
            for operation in self._operations.values():
                operation.subscribed.end = end
            close = CLOSE.get(end) or Close(FORBIDDEN if forbidden else UNAUTHORISED, detail)
            self._closing = asyncio.create_task(self._close(*close))

    # --------------------------------------------------------------------------------------------- what comes in

    async def run(self, receive: Receive) -> None:
        """Take messages until the connection is closed."""
        loop = asyncio.get_running_loop()
        late = loop.call_later(INIT_SECONDS, self._is_late)
        self._stack.callback(late.cancel)
        try:
            while not self._is_closed:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    self._left()
                    break
                await self._hold_back()
                try:
                    await self._take(message, late)
                except OSError:
                    break
        finally:
            self._is_closed = True
            self._stack.close()
            if self._closing is not None:
                # Else it would be closed without a reason.
                await self._closing
            tasks = [one.task for one in self._operations.values() if one.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _left(self) -> None:
        if self._parts.keeper.is_ending:
            # It was closed by us, before anybody else could.
            for operation in self._operations.values():
                operation.subscribed.end = End.SHUTDOWN

    async def _hold_back(self) -> None:
        """Read who sends much more slowly."""
        now = asyncio.get_running_loop().time()
        self._budget = min(_MESSAGES, self._budget + (now - self._counted_at) * _MESSAGES_A_SECOND) - 1
        self._counted_at = now
        if self._budget < 0:
            await asyncio.sleep(-self._budget / _MESSAGES_A_SECOND)

    def _is_late(self) -> None:
        if not self._is_open and self._closing is None:
            self._closing = asyncio.create_task(self._close(INIT_TIMEOUT, "Connection initialisation timeout"))

    async def _take(self, message: Message, late: asyncio.TimerHandle) -> None:
        text: str | None = message.get("text")
        if text is None:
            await self._close(INVALID, "expected messages of text")
            return
        try:
            told = read_object(text.encode())
            kind = told.get("type")
            if kind == "connection_init":
                await self._init(told.get("payload"), late)
            elif kind == "ping":
                await self._say(b'{"type":"pong"}')
            elif kind == "subscribe":
                await self._subscribe(told.get("id"), told.get("payload"))
            elif kind == "complete":
                self._complete(told.get("id"))
            elif kind != "pong":
                raise _invalid("expected `type` to be one of graphql-transport-ws")
        except Refused as refused:
            code = {401: UNAUTHORISED, 403: FORBIDDEN, 429: TRY_AGAIN, 503: TRY_AGAIN}.get(refused.status, INVALID)
            await self._close(code, str(refused))

    async def _init(self, payload: object, late: asyncio.TimerHandle) -> None:
        if self._is_open:
            await self._close(INIT_TWICE, "Too many initialisation requests")
            return
        if not isinstance(payload, dict | None):
            raise _invalid("expected `payload` to be an object")
        given = [value for name, value in (payload or {}).items() if name.lower() == "authorization"]
        if given:
            if not all(isinstance(value, str) for value in given):
                raise _invalid("expected `authorization` to be a string")
            # What is no Latin-1 is no key either.
            await self.present([(b"authorization", value.encode("latin-1", "replace")) for value in given])
        elif self._context is None:
            await self._close(UNAUTHORISED, 'expected "authorization": "Bearer …" in the payload of connection_init')
            return
        try:
            self._stack.enter_context(self._parts.seats.taken(self.principal))
        except FullError as full:
            await self._close(TRY_AGAIN, str(full))
            return
        self._stack.enter_context(self._parts.keeper.keeping(self))
        late.cancel()
        self._is_open = True
        await self._say(b'{"type":"connection_ack"}')

    async def _subscribe(self, name: object, payload: object) -> None:
        if not self._is_open:
            await self._close(UNAUTHORISED, "Unauthorized: expected connection_init first")
            return
        if not isinstance(name, str) or not 0 < len(name) <= _MOST_ID:
            raise _invalid(f"expected `id` to be a string of at most {_MOST_ID} characters")
        if not isinstance(payload, dict):
            raise _invalid("expected `payload` to be an object")
        if name in self._operations:
            await self._close(ID_IN_USE, f"Subscriber for {name} already exists")
            return
        request = read_parameters(payload)
        if len(self._operations) >= MOST_OPERATIONS:
            message = f"a connection may have {MOST_OPERATIONS} operations at once"
            await self._fail(name, [{"message": message, "extensions": {"code": _TOO_MANY}}])
            return
        operation = self._operations[name] = _Operation()
        operation.task = asyncio.create_task(self._run(name, request, operation))

    def _complete(self, name: object) -> None:
        if not isinstance(name, str):
            raise _invalid("expected `id` to be a string")
        operation = self._operations.pop(name, None)
        if operation is not None and operation.task is not None:
            operation.task.cancel()

    # ----------------------------------------------------------------------------------------- what is answered

    async def _run(self, name: str, request: Request, operation: _Operation) -> None:
        """Answer one operation."""
        course, began = Course(), perf_counter()
        errors: list[dict[str, Any]] | None = None
        try:
            errors = await self._answer(name, request, operation, course, began)
        except OSError:
            # There is nobody any more to tell.
            return
        except Exception:
            _log.exception("an operation failed")
            course.ending = Ending.ERROR
            errors = [public(coded("an error on our side", "INTERNAL"))]
        finally:
            if self._operations.get(name) is operation:
                del self._operations[name]
        try:
            if errors is not None:
                if course.ending is not Ending.OK:
                    self._parts.operations.answered(course.kind, course.ending, perf_counter() - began)
                await self._fail(name, errors)
            else:
                await self._say(b'{"id":%b,"type":"complete"}' % orjson.dumps(name))
        except OSError:
            return

    async def _answer(
        self, name: str, request: Request, operation: _Operation, course: Course, began: float
    ) -> list[dict[str, Any]] | None:
        """Answer by payloads; the errors instead of any, or after which there are no more."""
        assert self._context is not None
        context = Context(self._parts.services, self._context.principal, self._context.speaker, self._context.allowance)
        try:
            await context.allowance.take(Unit.REQUESTS)
            prepared = self._parts.answering.prepare(request, course)
            await context.allowance.take(Unit.COST, prepared.operation.cost)
        except InvalidDocument as invalid:
            return [public(error) for error in invalid.errors]
        except RateLimitedError as error:
            return [{"message": str(error), "extensions": {"code": "RATE_LIMITED", "retryAfter": error.wait}}]
        if prepared.is_subscription:
            return await self._follow(name, prepared, context, operation, course, began)
        try:
            with self._parts.tracing.span(course.kind, {"graphql.operation.type": course.kind}):
                async with asyncio.timeout(self._parts.timeout):
                    _, body = await self._parts.answering.answer(prepared, context, course)
        except TimeoutError:
            course.ending = Ending.ERROR
            message = f"the operation took longer than {self._parts.timeout:g} seconds"
            return [public(coded(message, "TIMEOUT"))]
        self._parts.operations.answered(course.kind, course.ending, perf_counter() - began)
        await self._next(name, body)
        return None

    async def _follow(  # noqa: PLR0917 - an operation, and what is known of it
        self,
        name: str,
        prepared: Prepared,
        context: Context,
        operation: _Operation,
        course: Course,
        began: float,
    ) -> list[dict[str, Any]] | None:
        payloads = self._parts.subscriptions.payloads(prepared, context, course, operation.subscribed)
        is_first = True
        try:
            async with aclosing(payloads):
                async for payload in payloads:
                    if is_first:
                        is_first = False
                        self._parts.operations.answered(course.kind, course.ending, perf_counter() - began)
                    await self._next(name, payload)
        except SubscriptionFailed as failed:
            if not is_first:
                # It is counted already.
                course.ending = Ending.OK
            return failed.errors
        return None

    async def _next(self, name: str, payload: bytes) -> None:
        await self._say(b'{"id":%b,"type":"next","payload":%b}' % (orjson.dumps(name), payload))

    async def _fail(self, name: str, errors: list[dict[str, Any]]) -> None:
        await self._say(orjson.dumps({"id": name, "type": "error", "payload": errors}))

    async def _say(self, message: bytes) -> None:
        """Send a message.

        Raises:
            OSError: the connection is closed, or is now, as the client does not read.
        """
        if self._is_closed or self._closing is not None:
            raise OSError("the connection is closed")
        try:
            async with asyncio.timeout(self._parts.patience):
                await self._send({"type": "websocket.send", "text": message.decode()})
        except TimeoutError:
            self.end(End.SLOW, "")
            raise OSError("the client does not read") from None

    async def _close(self, code: int, reason: str) -> None:
        self._is_closed = True
        shown = reason.encode()[:_MOST_REASON].decode(errors="ignore")
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": shown})
        except OSError:
            return


def _invalid(message: str) -> Refused:
    return Refused(400, message, "BAD_REQUEST")


async def _deny(send: Send, refused: Refused) -> None:
    """Answer the request for a connection as one of HTTP is answered."""
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store"), *refused.headers]
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": orjson.dumps({"errors": refused.errors})})
