"""The SDK of OpenTelemetry behind `app.ports.tracing`. It is imported only where traces are asked for."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import entry_points
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode, format_span_id, format_trace_id, get_current_span

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

    @contextmanager
    def span(self, name: str, facts: Facts = NO_FACTS) -> Iterator[None]:
        """See the port."""
        told = {key if "." in key else f"partwise.{key}": value for key, value in facts.items()}
        if not get_current_span().get_span_context().is_valid and (tenant_id := ACTING_FOR.get()):
            told["partwise.tenant_id"] = tenant_id
        with self.tracer.start_as_current_span(
            name, attributes=told, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                fail(span, error)
                raise

    def within(self, name: str, facts: Facts = NO_FACTS) -> AbstractContextManager[None]:
        """See the port."""
        return self.span(name, facts) if get_current_span().get_span_context().is_valid else NOTHING

    def statement(self, name: str, seconds: float, error: BaseException | None) -> None:
        """See the port; what is asked beside all traced work begins no trace."""
        # Its parent may have ended a moment ago.
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


def fail(span: Span, error: BaseException) -> None:
    """Tell of an error by its type; what a client did wrong is no failure of the work."""
    span.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
    if isinstance(error, Exception) and not isinstance(error, PartwiseError):
        span.set_status(StatusCode.ERROR)
