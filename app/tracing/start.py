"""Whether to trace, and how, as the OTEL_ variables say."""

import logging
from collections.abc import Mapping

from app.ports.tracing import OFF, Tracing
from app.tracing.variables import asks_for_traces

__all__ = ["start"]

_log = logging.getLogger("partwise.tracing")


def start(variables: Mapping[str, str]) -> Tracing:
    """Begin to trace, if that is asked for by variables that were checked before; nothing is imported if it is not."""
    if not asks_for_traces(variables):
        return OFF
    try:
        from app.tracing.sdk import make
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        # What serves requests is not to stay away for lack of what only looks on.
        _log.warning("no traces are sent: the OpenTelemetry SDK is not installed (partwise[traces])")
        return OFF
    return make(variables)
