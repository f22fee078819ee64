"""Pages of lists: `?cursor=`, and the links to the first and the next one (RFC 8288)."""

import json
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import parse_qsl, quote, unquote_plus

from fastapi import Depends, Query, Request, Response

from app.rest.problem_types import MALFORMED_REQUEST
from app.rest.problems import HttpError
from app.rest.services import Permitted, UsedServices
from app.wire.cursors import MOST_CHARACTERS, Places

__all__ = ["Limit", "Listed", "Page", "read_place"]

Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page at most.", examples=[50])]

_PAGING: Final = ("cursor", "limit")
"""Parameters that do not change which list it is."""
_KEPT: Final = "/%:@!$&'()*+,;=-._~?"


class Page:
    """One page of a list, as it is asked for."""

    def __init__(self, places: Places, cursor: str | None, target: str, response: Response) -> None:
        """Begin at a cursor of a list.

        Args:
            places: the cursors of the list.
            cursor: where to begin; None for the first page.
            target: path and query of the first page.
            response: gets the links.
        """
        self._places = places
        self._cursor = cursor
        self._target = target
        self._response = response
        response.headers["Link"] = self._links = f'<{target}>; rel="first"'

    def begins_after(self, count: int) -> list[str] | None:
        """The place that the page comes after, in so many parts; None for the first page.

        Raises:
            HttpError: the cursor is none of this list.
        """
        if self._cursor is None:
            return None
        try:
            return self._places.decode(self._cursor, count)
        except ValueError:
            raise _refused() from None

    def following(self, *parts: str) -> str:
        """The cursor of the next page, which comes after a place."""
        cursor = self._places.encode(*parts)
        separator = "&" if "?" in self._target else "?"
        self._response.headers["Link"] = f'{self._links}, <{self._target}{separator}cursor={cursor}>; rel="next"'
        return cursor


async def _page(
    request: Request,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    cursor: Annotated[
        str | None,
        Query(
            # One that is longer is refused as any other that is none.
            json_schema_extra={"maxLength": MOST_CHARACTERS},
            description="`next` of the page before; all other parameters but `limit` stay as they were.",
            examples=["AbCdEf0123456789"],
        ),
    ] = None,
) -> Page:
    path = (request.scope.get("raw_path") or request.url.path.encode()).partition(b"?")[0].decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    kept = "&".join(part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) != "cursor")
    # A plus sign that became a space means the same.
    given = parse_qsl(query, keep_blank_values=True)
    filters = sorted([name, value.replace("+", " ")] for name, value in given if name not in _PAGING)
    places = await services.cursors.of(principal.tenant_id, request.url.path, json.dumps(filters))
    return Page(places, cursor, quote(f"{path}?{kept}" if kept else path, safe=_KEPT), response)


Listed = Annotated[Page, Depends(_page)]


def read_place(text: str) -> datetime:
    """Read an instant in a cursor.

    Raises:
        HttpError: it is none; an earlier version may have made it.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _refused() from None


def _refused() -> HttpError:
    detail = "expected `next` of a page of this list, with the same parameters"
    return HttpError(MALFORMED_REQUEST, detail, [{"pointer": "?cursor", "detail": detail}])
