"""Where it is known how each request went: one ASGI wrapper around all others, which tells observers.

Metrics, the access log and traces are observers. None of them can harm a request.
"""

import logging
from collections.abc import Awaitable, Collection, Sequence
from time import perf_counter
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.rest.noted import PROBLEM, ROUTE, STREAM

__all__ = ["UNMATCHED", "Exchange", "Observed", "Observer"]

UNMATCHED: Final = "unmatched"
"""The route of what is no operation: nothing is there, or not with that method."""
OTHER: Final = "other"
SWITCHED: Final = 101
"""The status of what became a WebSocket."""
_HEADS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_METHODS: Final = {one: one for one in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}

_log: Final = logging.getLogger("partwise.edge")


class Exchange:
    """One request and its answer; what it comes to is known once it has ended.

    Attributes:
        scope: of ASGI; its state has what others have noted, such as `request_id`.
        method: as HTTP has it, `other` for what nobody knows.
        route: the template of its path; `unmatched` where there is no such operation.
        status: of the answer; 0 where none was begun.
        seconds: from the head of the request to the end of the answer.
        problem: the slug of the problem that was answered; None for none.
        is_stream: whether it takes as long as its client likes: a stream of events, or one who follows changes.
        trace_id: of the trace that is kept of it, in hex; None for none. An observer sets it as it begins.
    """

    __slots__ = ("began", "is_stream", "method", "problem", "route", "scope", "seconds", "status", "trace_id")

    def __init__(self, scope: Scope) -> None:
        """Begin."""
        self.scope = scope
        # A WebSocket begins as a GET.
        self.method = _METHODS.get(scope.get("method", "GET"), OTHER)
        self.route = UNMATCHED
        self.status = 0
        self.problem: str | None = None
        self.is_stream = False
        self.trace_id: str | None = None
        self.seconds = 0.0
        self.began = perf_counter()

    def end(self, operations: Collection[tuple[str, str]]) -> None:
        """Take in what was noted meanwhile."""
        self.seconds = perf_counter() - self.began
        state = self.scope.get("state")
        if state:
            route = state.get(ROUTE)
            if (self.method, route) in operations:
                self.route = route
            self.is_stream = STREAM in state
            if self.status >= 400 or self.is_stream:
                # Else it became another answer: OPTIONS is answered from a refusal.
                self.problem = state.get(PROBLEM)


class Observer(Protocol):
    """Is told of every exchange, in the task and the context that it runs in."""

    def began(self, exchange: Exchange) -> None:
        """A request has come: its method is known, and its route not yet."""
        ...

    def ended(self, exchange: Exchange) -> None:
        """It is answered, or was broken off."""
        ...


class Observed:
    """An ASGI application around another one, the outermost."""

    def __init__(self, app: ASGIApp, operations: Collection[tuple[str, str]], observers: Sequence[Observer]) -> None:
        """Wrap an application.

        Args:
            app: the application.
            operations: all that there are, by method and template; HEAD comes with GET.
            observers: told in this order as a request begins, and the other way round as it ends.
        """
        self._app = app
        self._operations = frozenset(operations) | {("HEAD", path) for method, path in operations if method == "GET"}
        self._observers = tuple(observers)
        self._reversed = self._observers[::-1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope)
        for observer in self._observers:
            try:
                observer.began(exchange)
            except Exception:
                _log.exception("an observer failed")

        def told(message: Message) -> Awaitable[None]:
            if message["type"] in _HEADS:
                exchange.status = message.get("status", SWITCHED)
            return send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            exchange.end(self._operations)
            for observer in self._reversed:
                try:
                    observer.ended(exchange)
                except Exception:
                    _log.exception("an observer failed")
