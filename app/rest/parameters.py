"""Parameters that several routes take: names and instants."""

from datetime import date, datetime

from app.use_cases.errors import InvalidRequestError
from app.wire.moments import EXPECTED_MOMENT, read_moment

__all__ = ["NAME_PATTERN", "moment"]

NAME_PATTERN = r"^[^\x00-\x1f\x7f]*$"


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
