"""The fields that a line may have: a closed table, which docs/observability.md shows."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["ALWAYS", "CONTEXT", "EXTRA", "FIELDS"]

ALWAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "timestamp": "when, in UTC (RFC 3339)",
        "level": "`debug`, `info`, `warning`, `error` or `critical`",
        "logger": "who says it: `partwise.` and a part of ours, else a library",
        "event": "what happened, in fixed words",
    }
)
CONTEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "request_id": "the request that it is about, as in `X-Request-Id`",
        "tenant_id": "the tenant that it is about: a random number, no name",
        "trace_id": "the trace, where traces are on",
        "span_id": "the part of it",
    }
)
EXTRA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "method": "of a request: a known one, else `other`",
        "route": "of a request: the template of its path, as in the OpenAPI document; `unmatched` where there is none",
        "status": "of the answer",
        "seconds": "how long it took",
        "clients": "how many",
        "url": "where this process listens",
        "kind": "the category of a warning of Python",
        "reason": "what the database or an issuer cannot do at present, or why a subscription ended, in our words",
        "place": "the file and line that a warning of Python is about",
        "error": "the type of an error",
        "stack": "the places that an error went through, the first error first where one led to another; no messages",
    }
)
FIELDS: Final[Mapping[str, str]] = MappingProxyType({**ALWAYS, **CONTEXT, **EXTRA})
