"""Parameters that several routes take: names and instants."""

import re
from datetime import date, datetime
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import WithJsonSchema

from app.use_cases.errors import InvalidRequestError
from app.wire.durations import DURATION_PATTERN
from app.wire.moments import read_moment
from app.wire.repeats import REPEATED

__all__ = ["DAY", "MOMENT", "NAME_PATTERN", "moment", "overlap_schema", "refuse_unclear_query"]

NAME_PATTERN = r"^[^\x00-\x1f\x7f]*$"

_DAY_PATTERN = "(19[7-9][0-9]|2[01][0-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME_PATTERN = "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
# For the document alone: what is refused is told by our own words.
DAY = {"pattern": f"^{_DAY_PATTERN}$"}
MOMENT = {"pattern": f"^{_DAY_PATTERN}({_TIME_PATTERN})?$"}


def overlap_schema(*examples: str | int) -> WithJsonSchema:
    """How the document shows for how long a former secret still counts: 30 days at most."""
    kinds = [
        {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2_592_000},
        {"type": "string", "maxLength": 40, "pattern": DURATION_PATTERN},
    ]
    return WithJsonSchema({"anyOf": kinds, "examples": list(examples)})


def refuse_unclear_query(request: Request) -> None:
    """Refuse a query string that readers understand differently.

    Raises:
        InvalidRequestError: a parameter is given twice, or is no UTF-8.
    """
    raw: bytes = request.scope["query_string"]
    if not raw:
        return
    names: set[str] = set()
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"):
        shown = name.encode("utf-8", "replace").decode()[:100]
        if name in names:
            raise InvalidRequestError(f"?{shown}", REPEATED)
        if _not_utf8(name) or _not_utf8(value):
            raise InvalidRequestError(f"?{shown}", "expected percent-encoded UTF-8")
        names.add(name)


_not_utf8 = re.compile("[\ud800-\udfff]").search


def moment(text: str | None, name: str) -> datetime | date | None:
    """Read an instant or a day; a plus sign that became a space in the query is mended.

    Raises:
        InvalidRequestError: it is neither, has no offset, or lies outside the years 1970 to 2199.
    """
    if text is None:
        return None
    try:
        return read_moment(text.replace(" ", "+"))
    except ValueError as error:
        raise InvalidRequestError(f"?{name}", str(error)) from None
