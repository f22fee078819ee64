"""Parameters that several routes take: instants, cursors, limits."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Query

from app.use_cases.errors import InvalidRequestError
from app.wire import cursors
from app.wire.cursors import encode_cursor
from app.wire.moments import EXPECTED_MOMENT, read_moment

__all__ = ["NAME_PATTERN", "Cursor", "Limit", "decode_cursor", "encode_cursor", "moment"]

NAME_PATTERN = r"^[^\x00-\x1f\x7f]*$"

Cursor = Annotated[
    str | None, Query(max_length=2000, description="`next` of the page before.", examples=["WyIxMiIsICJhY21lIl0"])
]
Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page at most.", examples=[50])]


def moment(text: str | None, name: str) -> datetime | date | None:
    """Read an instant or a day; a plus sign that became a space in the query is mended.

    Raises:
        InvalidRequestError: it is neither, has no offset, or lies outside the years 1970 to 2199.
    """
    if text is None:
        return None
    try:
        return read_moment(text.replace(" ", "+"))
    except ValueError:
        raise InvalidRequestError(f"?{name}", EXPECTED_MOMENT) from None


def decode_cursor(text: str, count: int) -> list[str]:
    """Unpack a place in a list.

    Raises:
        InvalidRequestError: it is no cursor of this list.
    """
    try:
        return cursors.decode_cursor(text, count)
    except ValueError:
        raise InvalidRequestError("?cursor", "expected `next` of a page of this list") from None
