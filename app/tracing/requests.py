"""A span for each request, a part of what its sender traces where it says so (`traceparent`)."""

from typing import Any, Final

from opentelemetry import context, propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

from app.edge.observed import UNMATCHED, Exchange
from app.tracing.sdk import OpenTelemetry
from app.use_cases.fairness import ACTING_FOR

__all__ = ["TracedRequests"]

Headers = list[tuple[bytes, bytes]]

_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds, by machines alone."""
_STATE: Final = "partwise.span"
_NOBODY: Final = Context()


class _Getter(Getter[Headers]):
    def get(self, carrier: Headers, key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        return [value.decode("latin-1") for name, value in carrier if name == wanted] or None

    def keys(self, carrier: Headers) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_GETTER: Final = _Getter()


class TracedRequests:
    """Keeps the promise of `app.edge.observed.Observer`: by spans.

    Their names are those of the semantic conventions for HTTP. `url.path`, `url.query`, `client.address` and
    `user_agent.original` are left out: paths name clients, and the others are about people too.
    """

    def __init__(self, tracing: OpenTelemetry) -> None:
        """Trace by this."""
        self._tracer = tracing.tracer

    def began(self, exchange: Exchange) -> None:
        """Begin a span, which all that is done in this request is a part of."""
        scope = exchange.scope
        if scope["path"] in _PROBES:
            return
        known = exchange.method.isupper()
        told: dict[str, Any] = {
            "http.request.method": exchange.method if known else "_OTHER",
            "url.scheme": scope.get("scheme", "http"),
            "network.protocol.version": scope.get("http_version", "1.1"),
        }
        span = self._tracer.start_span(
            exchange.method if known else "HTTP",
            context=_parent(scope["headers"]),
            kind=SpanKind.SERVER,
            attributes=told,
        )
        found = span.get_span_context()
        if found.trace_flags.sampled:
            exchange.trace_id = format_trace_id(found.trace_id)
        scope.setdefault("state", {})[_STATE] = (span, context.attach(set_span_in_context(span, _NOBODY)))

    def ended(self, exchange: Exchange) -> None:
        """End it, now that it is known what was asked and how it went."""
        begun = exchange.scope.get("state", {}).pop(_STATE, None)
        if begun is None:
            return
        span, token = begun
        try:
            if span.is_recording():
                _tell(span, exchange)
        finally:
            span.end()
            context.detach(token)


def _tell(span: Span, exchange: Exchange) -> None:
    if exchange.route != UNMATCHED:
        method = exchange.method if exchange.method.isupper() else "HTTP"
        span.update_name(f"{method} {exchange.route}")
        span.set_attribute("http.route", exchange.route)
    if exchange.status:
        span.set_attribute("http.response.status_code", exchange.status)
    if exchange.status >= 500 or not exchange.status:
        span.set_attribute("error.type", str(exchange.status) if exchange.status else "no_answer")
        span.set_status(StatusCode.ERROR)
    if exchange.problem is not None:
        span.set_attribute("partwise.problem", exchange.problem)
    tenant_id = ACTING_FOR.get()
    if tenant_id:
        span.set_attribute("partwise.tenant_id", tenant_id)


def _parent(headers: Headers) -> Context:
    """What the sender traces, without what else it tells of it: `tracestate` and `baggage` may hold anything."""
    found = get_current_span(propagate.extract(headers, context=_NOBODY, getter=_GETTER)).get_span_context()
    if not found.is_valid:
        return _NOBODY
    plain = SpanContext(found.trace_id, found.span_id, is_remote=True, trace_flags=found.trace_flags)
    return set_span_in_context(NonRecordingSpan(plain), _NOBODY)
