"""HTTP as it is answered: rate, errors and durations by route."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from app.metrics.catalogue import (
    HTTP_IN_PROGRESS,
    HTTP_PROBLEMS,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    METHODS,
    STATUSES,
    UNMATCHED,
)
from app.metrics.meters import Meters
from app.metrics.tallies import Spread, Tally

__all__ = ["HttpMetrics"]

_SWITCHED: Final = 101
_SERVER_ERROR: Final = STATUSES.index("5xx")


class _Exchange(Protocol):
    """What is needed of `app.edge.observed.Exchange`."""

    @property
    def method(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def is_stream(self) -> bool: ...
    @property
    def trace_id(self) -> str | None: ...


class _Operation(NamedTuple):
    by_status: tuple[Tally, ...]
    seconds: Spread


class HttpMetrics:
    """Counts exchanges; keeps the promise of `app.edge.observed.Observer`."""

    def __init__(self, meters: Meters, operations: Iterable[tuple[str, str]]) -> None:
        """Know all operations, by method and template, from the start; HEAD of one is there once it is asked for."""
        self._meters = meters
        self._in_progress = 0
        meters.gauge(HTTP_IN_PROGRESS).set_function(lambda: self._in_progress)
        self._problems = meters.counters(HTTP_PROBLEMS)
        self._known: dict[tuple[str, str], _Operation] = {}
        for method, route in [*sorted(operations), *((method, UNMATCHED) for method in METHODS)]:
            self._first(method, route)

    def began(self, exchange: _Exchange) -> None:
        """Count it among those that are being answered."""
        del exchange
        self._in_progress += 1

    def ended(self, exchange: _Exchange) -> None:
        """Count it."""
        self._in_progress -= 1
        method, route = exchange.method, exchange.route
        found = self._known.get((method, route)) or self._first(method, route)
        # What became a WebSocket went well.
        status = 0 if exchange.status == _SWITCHED else exchange.status // 100 - 2
        # Broken off before there was an answer: that happens when we end.
        found.by_status[status if 0 <= status <= _SERVER_ERROR else _SERVER_ERROR].inc()
        if not exchange.is_stream:
            found.seconds.observe(exchange.seconds, exchange.trace_id)
        if exchange.problem is not None:
            self.answered_with(exchange.problem)

    def answered_with(self, problem: str) -> None:
        """Count a problem by its slug."""
        self._problems[problem].inc()

    def _first(self, method: str, route: str) -> _Operation:
        counters = tuple(self._meters.labelled(HTTP_REQUESTS, method, route, status) for status in STATUSES)
        found = _Operation(counters, self._meters.labelled(HTTP_SECONDS, method, route))
        self._known[method, route] = found
        return found
