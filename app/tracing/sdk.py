"""The SDK of OpenTelemetry behind `app.ports.tracing`. It is imported only where traces are asked for."""

import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from types import TracebackType
from typing import Final

from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

import app as partwise
from app.ports.tracing import NO_FACTS, NOTHING, Facts
from app.tracing.variables import exporters
from app.use_cases.errors import PartwiseError
from app.use_cases.fairness import ACTING_FOR

__all__ = ["SCHEMA", "OpenTelemetry", "fail", "make"]

SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The semantic conventions that names of attributes are from."""
_END_SECONDS: Final = 5


def make(variables: Mapping[str, str]) -> "OpenTelemetry":
    """Make what the OTEL_ variables ask for; the SDK reads most of them by itself."""
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    for name in exporters(variables):
        provider.add_span_processor(BatchSpanProcessor(_exporter(name)))
    return OpenTelemetry(provider)


def _resource() -> Resource:
    found = Resource.create()
    ours = {SERVICE_VERSION: found.attributes.get(SERVICE_VERSION) or partwise.__version__}
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        ours[SERVICE_NAME] = "partwise"
    return found.merge(Resource(ours))


def _exporter(name: str) -> SpanExporter:
    if name == "otlp":
        return OTLPSpanExporter()
    if name == "console":
        return ConsoleSpanExporter()
    (found,) = entry_points(group="opentelemetry_traces_exporter", name=name)
    exporter: SpanExporter = found.load()()
    return exporter


class OpenTelemetry:
    """Keeps the promise of `app.ports.tracing.Tracing`.

    It is no global provider: what other libraries would trace by themselves has paths and values in it.
    """

    is_on: Final = True

    def __init__(self, provider: TracerProvider) -> None:
        """Trace by a provider, which `close` shuts down."""
        self._provider = provider
        self.tracer = provider.get_tracer("partwise", partwise.__version__, SCHEMA)

    def span(self, name: str, facts: Facts = NO_FACTS) -> AbstractContextManager[None]:
        """See the port; what belongs to a trace that nobody keeps is not told."""
        parent = get_current_span().get_span_context()
        if parent.is_valid:
            return self._part(name, facts) if parent.trace_flags.sampled else NOTHING
        tenant_id = ACTING_FOR.get()
        return self._part(name, {**facts, "tenant_id": tenant_id} if tenant_id else facts)

    def within(self, name: str, facts: Facts = NO_FACTS) -> AbstractContextManager[None]:
        """See the port."""
        return self._part(name, facts) if get_current_span().get_span_context().trace_flags.sampled else NOTHING

    def _part(self, name: str, facts: Facts) -> "_Part":
        told = {key if "." in key else f"partwise.{key}": value for key, value in facts.items()}
        return _Part(self.tracer.start_span(name, attributes=told))

    def statement(self, name: str, seconds: float, error: BaseException | None) -> None:
        """See the port; what is asked beside all traced work begins no trace."""
        if not get_current_span().get_span_context().trace_flags.sampled:
            return
        ended = time.time_ns()
        span = self.tracer.start_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.summary": name},
            start_time=ended - int(seconds * 1e9),
        )
        if error is not None:
            state = getattr(error, "sqlstate", None)
            if isinstance(state, str):
                span.set_attribute("db.response.status_code", state)
            fail(span, error)
        span.end(ended)

    def ids(self) -> tuple[str, str] | None:
        """See the port."""
        found = get_current_span().get_span_context()
        return (format_trace_id(found.trace_id), format_span_id(found.span_id)) if found.is_valid else None

    def sampled(self) -> str | None:
        """See the port."""
        found = get_current_span().get_span_context()
        return format_trace_id(found.trace_id) if found.trace_flags.sampled else None

    def close(self) -> None:
        """Send what is left, for some seconds at most."""
        # The SDK waits for half a minute for a collector that is not there.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_END_SECONDS)


class _Part(AbstractContextManager[None]):
    """A span that is the one at hand for as long as the block lasts."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._token = context.attach(set_span_in_context(self._span))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            fail(self._span, error)
        self._span.end()
        context.detach(self._token)


def fail(span: Span, error: BaseException) -> None:
    """Tell of an error by its type; what a client did wrong is no failure of the work."""
    span.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
    if isinstance(error, Exception) and not isinstance(error, PartwiseError):
        span.set_status(StatusCode.ERROR)
