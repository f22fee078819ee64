"""Cursors: places in lists, packed so that nobody reads anything into them."""

import base64
import json

from app.wire.fields import is_name

__all__ = ["decode_cursor", "encode_cursor"]


def encode_cursor(*parts: str) -> str:
    """Pack a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(text: str, count: int) -> list[str]:
    """Unpack a place in a list that was packed from so many parts.

    Raises:
        ValueError: it is no cursor of such a list.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except RecursionError:
        parts = None
    fine = isinstance(parts, list) and len(parts) == count and all(isinstance(part, str) for part in parts)
    if not fine or not all(map(is_name, parts)):
        raise ValueError("no cursor of this list")
    return list(parts)
