"""Parameters that several routes take: instants, cursors, limits."""

import base64
import json
import re
from datetime import date, datetime
from typing import Annotated

from fastapi import Query

from app.use_cases.errors import InvalidRequestError
from app.wire.fields import is_name

__all__ = ["NAME_PATTERN", "Cursor", "Limit", "decode_cursor", "encode_cursor", "moment"]

NAME_PATTERN = r"^[^\x00-\x1f\x7f]*$"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEARS = (1970, 2199)

Cursor = Annotated[str | None, Query(max_length=2000, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page at most.")]


def moment(text: str | None, name: str) -> datetime | date | None:
    """Read an instant or a day.

    Raises:
        InvalidRequestError: it is neither, has no offset, or lies outside the years 1970 to 2199.
    """
    if text is None:
        return None
    expected = "expected a day such as 2026-03-31 or an RFC 3339 instant such as 2026-03-31T12:00:00Z"
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise InvalidRequestError(f"?{name}", expected) from None
    if not _YEARS[0] <= found.year <= _YEARS[1] or (isinstance(found, datetime) and found.tzinfo is None):
        raise InvalidRequestError(f"?{name}", expected)
    return found


def encode_cursor(*parts: str) -> str:
    """Pack a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(text: str, count: int) -> list[str]:
    """Unpack a place in a list.

    Raises:
        InvalidRequestError: it is no cursor of this list.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        parts = None
    fine = isinstance(parts, list) and len(parts) == count and all(isinstance(part, str) for part in parts)
    if not fine or not all(map(is_name, parts)):
        raise InvalidRequestError("?cursor", "expected `next` of a page of this list")
    return list(parts)
