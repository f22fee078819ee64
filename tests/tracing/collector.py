"""A collector of the tests' own: takes traces by OTLP over HTTP, as a real one would, and shows them."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.waiting import until

__all__ = ["Collector", "SeenSpan", "collecting"]


@dataclass(frozen=True)
class SeenSpan:
    """A span as it came in."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    is_error: bool
    facts: dict[str, str | int | float | bool]
    resource: dict[str, str | int | float | bool]


@dataclass
class Collector:
    """What came in so far."""

    url: str = ""
    spans: list[SeenSpan] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    """Everything, as JSON."""

    def named(self, name: str) -> list[SeenSpan]:
        return [span for span in self.spans if span.name == name]

    def of_trace(self, trace_id: str) -> list[SeenSpan]:
        return [span for span in self.spans if span.trace_id == trace_id]

    async def until(self, are_there: Callable[[], bool]) -> None:
        """Wait until what is asked for has come."""

        async def asked() -> bool:
            return are_there()

        await until(asked)

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.text.append(MessageToJson(request))
        for each in request.resource_spans:
            resource = {one.key: _value(one.value) for one in each.resource.attributes}
            for scope in each.scope_spans:
                for span in scope.spans:
                    assert not span.events, "no event is to be told: those of errors have messages"
                    assert not span.trace_state
                    self.spans.append(
                        SeenSpan(
                            span.name,
                            span.kind,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            span.status.code == 2,
                            {one.key: _value(one.value) for one in span.attributes},
                            resource,
                        )
                    )


def _value(value: AnyValue) -> str | int | float | bool:
    found: str | int | float | bool = getattr(value, value.WhichOneof("value") or "string_value")
    return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens for as long as the block lasts."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *told: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield collector
        finally:
            server.shutdown()
