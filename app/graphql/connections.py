"""Connections, after Relay's cursor connections: pages forwards and backwards."""

from typing import Final

import strawberry

from app.graphql.errors import coded
from app.graphql.fields import described
from app.wire.cursors import Places

__all__ = ["MOST_ON_PAGE", "USUAL_ON_PAGE", "PageInfo", "cursor_parts", "info_of", "page_size"]

MOST_ON_PAGE: Final = 100
USUAL_ON_PAGE: Final = 50


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool = described("Whether there is more after it.")
    has_previous_page: bool = described("Whether there is more before it.")
    start_cursor: str | None = described("The first edge's cursor.")
    end_cursor: str | None = described("The last edge's cursor.")


def info_of(cursors: list[str], more_before: bool, more_after: bool) -> PageInfo:
    """Where a page with such edges lies."""
    return PageInfo(
        has_next_page=more_after,
        has_previous_page=more_before,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def page_size(first: int | None, last: int | None) -> tuple[int, bool]:
    """How many items are wanted, and whether from the end.

    Raises:
        GraphQLError: both are given, or one is negative or more than a page holds.
    """
    if first is not None and last is not None:
        raise coded("expected `first` or `last`, not both", "BAD_USER_INPUT", argument="first")
    name, size = ("first", first) if last is None else ("last", last)
    size = USUAL_ON_PAGE if size is None else size
    if not 0 <= size <= MOST_ON_PAGE:
        raise coded(f"expected {name} to be 0 to {MOST_ON_PAGE}", "BAD_USER_INPUT", argument=name)
    return size, name == "last"


def cursor_parts(places: Places, cursor: str | None, argument: str, count: int) -> list[str] | None:
    """Unpack a cursor.

    Raises:
        GraphQLError: it is none of this list.
    """
    if cursor is None:
        return None
    try:
        return places.decode(cursor, count)
    except ValueError:
        raise coded(
            "expected a cursor of this list, with the same arguments", "BAD_USER_INPUT", argument=argument
        ) from None
