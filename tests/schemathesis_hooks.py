"""What Schemathesis has to be told: how a body of a media type that it does not know is written."""

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A text as it is; of what is none, each item is a line."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, bytes):
        return value
    items = value if isinstance(value, list) else [value]
    return "".join(json.dumps(item, default=str) + "\n" for item in items).encode("utf-8", "replace")
