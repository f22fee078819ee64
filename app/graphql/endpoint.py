"""GraphQL over HTTP: reads the request, runs the operation, writes the response.

After the specification's drafts as the `graphql-http` audits read them: with `application/graphql-response+json` the
status tells whether there is an answer, with `application/json` it is 200 once the request could be understood. What
is to be answered as it comes goes on in `app.graphql.live`.
"""

import asyncio
import logging
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import orjson
from graphql import GraphQLError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.graphql.admission import admitted, refusal_of
from app.graphql.answering import Answering, Course, Prepared
from app.graphql.context import Context
from app.graphql.documents import InvalidDocument
from app.graphql.errors import coded, public
from app.graphql.graphiql import GraphiQL
from app.graphql.live.event_streams import EVENT_STREAM, EventStreams
from app.graphql.operations import Ending, Operations
from app.graphql.requests import JSON, Refused, body_of, check_media, left, limited, read_body, read_query
from app.ports.rates import Unit
from app.ports.tracing import OFF, Tracing
from app.services import STREAM, Services
from app.use_cases.errors import RateLimitedError, UnauthenticatedError
from app.use_cases.unheard import UNHEARD
from app.wire.credentials import bearer_secret

__all__ = ["GraphQLEndpoint"]

_RESPONSE: Final = b"application/graphql-response+json"
_ACCEPTED: Final = {
    _RESPONSE: _RESPONSE,
    JSON: JSON,
    b"*/*": JSON,
    b"application/*": JSON,
    EVENT_STREAM: EVENT_STREAM,
}
_AGAIN: Final = ((b"retry-after", b"1"),)
_log = logging.getLogger("partwise.graphql")


@dataclass(frozen=True, slots=True)
class _Answers:
    """Which answers a client takes."""

    media: bytes | None
    """The one it likes best; None where it takes none of ours."""
    takes_stream: bool

    @property
    def is_strict(self) -> bool:
        return self.media == _RESPONSE


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of somebody who is let in: what is to be run, or what is wrong with it."""

    context: Context
    prepared: Prepared | None
    errors: list[GraphQLError]
    by_stream: bool


class GraphQLEndpoint:
    """The ASGI application at /graphql."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        services: Services,
        answering: Answering,
        streams: EventStreams,
        sockets: ASGIApp | None = None,
        graphiql: GraphiQL | None = None,
        timeout: float = 10.0,
        operations: Operations = UNHEARD,
        tracing: Tracing = OFF,
    ) -> None:
        """Answer operations.

        Args:
            services: the use cases.
            answering: runs operations.
            streams: answers those who want events.
            sockets: serves WebSockets; None for none.
            graphiql: the page for people; None for none.
            timeout: seconds for a whole operation.
            operations: is told how each ended.
            tracing: is told of operations, by their kind.
        """
        self._operations = operations
        self._tracing = tracing
        self._services = services
        self._answering = answering
        self._streams = streams
        self._sockets = sockets
        self._graphiql = graphiql
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one connection."""
        if scope["type"] == "websocket":
            if self._sockets is not None:
                await self._sockets(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._graphiql is not None and self._graphiql.serves(scope, headers):
            await self._graphiql(scope, receive, send)
            return
        began, course = perf_counter(), Course()
        answers = _answers(b",".join(value for name, value in scope["headers"] if name == b"accept") or b"*/*")
        extra: tuple[tuple[bytes, bytes], ...] = ()
        status, body = 200, b""
        asked: _Asked | None = None
        try:
            if scope["path"] != "/graphql":
                raise Refused(404, "there is nothing here", "NOT_FOUND")
            if answers.media is None:
                raise Refused(406, "expected to accept application/json", "NOT_ACCEPTABLE")
            async with asyncio.timeout(self._timeout):
                asked = await self._asked(scope, receive, headers, course, answers)
                if not asked.by_stream:
                    status, body = await self._answer(asked, receive, course, strict=answers.is_strict)
            if status == 503:
                extra = _AGAIN
        except Refused as refused:
            status, extra = refused.status, refused.headers
            course.ending = Ending.ERROR if status >= 500 else Ending.REFUSED
            body = orjson.dumps({"errors": refused.errors})
            asked = None
        except TimeoutError:
            status, extra = 503, _AGAIN
            body = orjson.dumps({"errors": [public(self._late())], "data": None})
            course.ending = Ending.ERROR
            asked = None
        except Exception:
            _log.exception("an operation failed")
            course.ending = Ending.ERROR
            status, body = 500, orjson.dumps({"errors": [public(coded("an error on our side", "INTERNAL"))]})
            asked = None
        if asked is not None and asked.by_stream:
            await self._stream(scope, receive, send, asked, course, began)
            return
        self._operations.answered(course.kind, course.ending, perf_counter() - began)
        media = JSON if answers.media in (None, EVENT_STREAM) else answers.media
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", media + b"; charset=utf-8"),
                    (b"content-length", str(len(body)).encode()),
                    (b"cache-control", b"no-store"),
                    *extra,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _asked(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], course: Course, answers: _Answers
    ) -> _Asked:
        method: str = scope["method"]
        if method not in ("GET", "POST"):
            raise Refused(405, f"{method} is not possible here", "METHOD_NOT_ALLOWED", ((b"allow", b"GET, POST"),))
        context = await self._context(scope)
        if method == "POST":
            check_media(headers)
        request = read_body(await body_of(receive)) if method == "POST" else read_query(scope["query_string"])
        by_stream = answers.media == EVENT_STREAM
        try:
            prepared = self._answering.prepare(request, course)
        except InvalidDocument as invalid:
            return _Asked(context, None, invalid.errors, by_stream)
        if method == "GET" and course.kind == "mutation":
            raise Refused(405, "expected POST for a mutation", "METHOD_NOT_ALLOWED", ((b"allow", b"POST"),))
        if prepared.is_subscription:
            # Who takes events too takes these as events, whatever he likes better.
            by_stream = answers.takes_stream
            if not by_stream:
                message = "a subscription takes `Accept: text/event-stream`, or a WebSocket"
                raise Refused(406, message, "NOT_ACCEPTABLE")
        try:
            await context.allowance.take(Unit.COST, prepared.operation.cost)
        except RateLimitedError as error:
            raise limited(error) from None
        return _Asked(context, prepared, [], by_stream)

    async def _answer(self, asked: _Asked, receive: Receive, course: Course, *, strict: bool) -> tuple[int, bytes]:
        if asked.prepared is None:
            return _failed(asked.errors, strict=strict)
        with self._tracing.span(course.kind, {"graphql.operation.type": course.kind}):
            work = self._answering.answer(asked.prepared, asked.context, course)
            return await (_while_connected(work, receive) if asked.prepared.operation.is_costly else work)

    async def _stream(  # noqa: PLR0917 - a request, and what is known of it
        self, scope: Scope, receive: Receive, send: Send, asked: _Asked, course: Course, began: float
    ) -> None:
        scope.setdefault("state", {})[STREAM] = True
        prepared, context = asked.prepared, asked.context
        if prepared is not None and prepared.is_subscription:
            await self._streams.follow(scope, receive, send, prepared, context, course, bearer_secret(scope["headers"]))
            return
        body = orjson.dumps({"errors": [public(error) for error in asked.errors]})
        if prepared is not None:
            try:
                async with asyncio.timeout(self._timeout):
                    _, body = await self._answer(asked, receive, course, strict=False)
            except Refused:
                body = b""
            except TimeoutError:
                course.ending, body = Ending.ERROR, orjson.dumps({"errors": [public(self._late())], "data": None})
        self._operations.answered(course.kind, course.ending, perf_counter() - began)
        await self._streams.whole(scope, send, body)

    async def _context(self, scope: Scope) -> Context:
        try:
            secret = bearer_secret(scope["headers"])
        except UnauthenticatedError as error:
            raise refusal_of(error) from None
        return await admitted(self._services, scope, secret)

    def _late(self) -> GraphQLError:
        return coded(f"the operation took longer than {self._timeout:g} seconds", "TIMEOUT")


async def _while_connected(work: Coroutine[Any, Any, tuple[int, bytes]], receive: Receive) -> tuple[int, bytes]:
    """Do costly work for as long as somebody waits for it.

    Raises:
        Refused: nobody does.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Refused(400, "the client has gone", "BAD_REQUEST")
    finally:
        leaving.cancel()
        working.cancel()


def _failed(errors: list[GraphQLError], *, strict: bool) -> tuple[int, bytes]:
    told = [public(error) for error in errors]
    # A request that names no document is malformed however its answer is written.
    malformed = any(one["extensions"]["code"] == "BAD_REQUEST" for one in told)
    return 400 if strict or malformed else 200, orjson.dumps({"errors": told})


def _answers(accept: bytes) -> _Answers:
    """What a client takes: the media type most wanted (RFC 9110, 12.5.1), the first of several; and whether events."""
    wanted: list[tuple[float, bytes]] = []
    for part in accept.split(b",")[:50]:
        media, *parameters = (piece.strip().lower() for piece in part.split(b";"))
        quality = next((piece[2:] for piece in parameters if piece.startswith(b"q=")), b"1")
        if media in _ACCEPTED and re.fullmatch(rb"0(\.\d{0,3})?|1(\.0{0,3})?", quality) and float(quality) > 0:
            wanted.append((-float(quality), _ACCEPTED[media]))
    if not wanted:
        return _Answers(None, takes_stream=False)
    return _Answers(min(wanted, key=lambda one: one[0])[1], any(media == EVENT_STREAM for _, media in wanted))
