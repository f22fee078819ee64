"""Operations over Server-Sent Events: the "distinct connections mode" of the GraphQL over SSE protocol.

A request has one operation, and its answer is a stream: `next` with each payload, then `complete`. What is wrong with a
document is told by `next` as well; who is not let in gets a status. A stream that ends without `complete` was broken
off, and its client comes again.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Final

import orjson
from starlette.types import Message, Receive, Scope, Send

from app.graphql.answering import Course, Prepared, SubscriptionFailed
from app.graphql.context import Context
from app.graphql.live.ends import CLOSE, End
from app.graphql.live.keeper import Keeper
from app.graphql.live.subscriptions import Subscribed, Subscriptions
from app.graphql.operations import Operations
from app.graphql.requests import left
from app.use_cases.keys import Principal
from app.use_cases.unheard import UNHEARD

__all__ = ["EVENT_STREAM", "EventStreams"]

EVENT_STREAM: Final = b"text/event-stream"
_HEARTBEAT: Final = 15.0
"""Seconds after which a stream says that it is still there."""
_COMMENT: Final = b":\n\n"
_COMPLETE: Final = b"event: complete\ndata:\n\n"
_HEAD: Final[Message] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", EVENT_STREAM + b"; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ],
}


class EventStreams:
    """Answers by streams."""

    def __init__(self, subscriptions: Subscriptions, keeper: Keeper, operations: Operations = UNHEARD) -> None:
        """Open subscriptions so, looked after by a keeper."""
        self._subscriptions = subscriptions
        self._keeper = keeper
        self._operations = operations

    async def whole(self, scope: Scope, send: Send, body: bytes) -> None:
        """Answer by one payload."""
        await send(_HEAD)
        told = b"" if scope["state"].get("head_only") else _next(body) + _COMPLETE
        await send({"type": "http.response.body", "body": told})

    async def follow(  # noqa: PLR0917 - a request, and what is known of it
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        prepared: Prepared,
        context: Context,
        course: Course,
        secret: str,
    ) -> None:
        """Answer a subscription, until its client has gone or it ends for one of `End`."""
        await send(_HEAD)
        if scope["state"].get("head_only"):
            await send({"type": "http.response.body", "body": b""})
            return
        stream = _Stream(context.principal, secret)
        payloads = self._subscriptions.payloads(prepared, context, course, stream.subscribed)
        with self._keeper.keeping(stream):
            last = await stream.run(payloads, receive, send, course, self._operations)
        await send({"type": "http.response.body", "body": last})


class _Stream:
    """One stream; keeps the promise of `keeper.Kept`."""

    def __init__(self, principal: Principal, secret: str) -> None:
        self.principal = principal
        self.secret = secret
        self.subscribed = Subscribed()
        self._ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        """What is said last, once somebody has ended it."""

    def end(self, end: End, detail: str, *, forbidden: bool = False) -> None:
        if self._ended.done():
            return
        self.subscribed.end = end
        last = b""
        if end not in CLOSE:
            error = {"message": detail, "extensions": {"code": "FORBIDDEN" if forbidden else "UNAUTHENTICATED"}}
            last = _next(orjson.dumps({"errors": [error]})) + _COMPLETE
        self._ended.set_result(last)

    async def run(
        self,
        payloads: AsyncGenerator[bytes, None],
        receive: Receive,
        send: Send,
        course: Course,
        operations: Operations,
    ) -> bytes:
        """Tell what comes; what is to be said last."""
        leaving = asyncio.create_task(left(receive))
        coming: asyncio.Task[bytes] | None = None
        told = _First(course, operations)
        async with aclosing(payloads):
            try:
                while True:
                    coming = coming or asyncio.create_task(_first_of(payloads))
                    wanted = (coming, leaving, self._ended)
                    await asyncio.wait(wanted, timeout=_HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                    if self._ended.done() or leaving.done():
                        return self._ended.result() if self._ended.done() else b""
                    if not coming.done():
                        await send({"type": "http.response.body", "body": _COMMENT, "more_body": True})
                        continue
                    told()
                    payload, coming = coming.result(), None
                    await send({"type": "http.response.body", "body": _next(payload), "more_body": True})
            except SubscriptionFailed as failed:
                return _next(orjson.dumps({"errors": failed.errors})) + _COMPLETE
            except StopAsyncIteration:
                return _COMPLETE
            finally:
                leaving.cancel()
                if coming is not None:
                    # Before the payloads are closed: what runs cannot be.
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)


class _First:
    """Tells of the first payload, or of why there was none."""

    def __init__(self, course: Course, operations: Operations) -> None:
        self._began = perf_counter()
        self._course = course
        self._operations = operations
        self._is_told = False

    def __call__(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._operations.answered(self._course.kind, self._course.ending, perf_counter() - self._began)


async def _first_of(payloads: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(payloads)


def _next(payload: bytes) -> bytes:
    return b"event: next\ndata: " + payload + b"\n\n"
