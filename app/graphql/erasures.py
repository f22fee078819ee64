"""Erasures: what stays of erased clients."""

from datetime import datetime
from typing import Self

import strawberry

from app.graphql.connections import PageInfo, cursor_parts, info_of, page_size
from app.graphql.context import Context
from app.graphql.errors import coded
from app.graphql.fields import described
from app.ports import erasures as port
from app.wire.moments import read_instant

__all__ = ["Erasure", "ErasureConnection", "erasures_page"]


@strawberry.type(description="What stays of an erased client: it tells nothing but that the client was erased.")
class Erasure:
    """A tombstone."""

    digest: str = described("SHA-256 of the client's id in UTF-8, in hex.")
    erased_at: datetime = described("Since when the client is unknown and its events are refused.")
    finished_at: datetime | None = described("When the last row about it was gone; null while some are left.")

    @classmethod
    def of(cls, found: port.Erasure) -> Self:
        """Make it from a tombstone."""
        return cls(digest=found.digest.hex(), erased_at=found.erased_at, finished_at=found.finished_at)


@strawberry.type(description="One erasure in a list.")
class ErasureEdge:
    """One erasure in a list."""

    cursor: str = described("Its place in the list.")
    node: Erasure = described("The erasure.")


@strawberry.type(description="Erasures by time, the oldest first.")
class ErasureConnection:
    """Erasures by time."""

    edges: list[ErasureEdge] = described("The erasures of the page.")
    page_info: PageInfo = described("Where the page lies in the list.")


async def erasures_page(context: Context, first: int | None, after: str | None) -> ErasureConnection:
    """A page of erasures."""
    size, _ = page_size(first, None)
    places = await context.places("erasures")
    parts = cursor_parts(places, after, "after", 2)
    place = None
    if parts is not None:
        try:
            place = read_instant(parts[0]), bytes.fromhex(parts[1])
        except ValueError:
            raise coded("expected a cursor of this list", "BAD_USER_INPUT", argument="after") from None
    found, further = await context.services.erase.page(context.tenant_id, place, max(size, 1))
    edges = [
        ErasureEdge(cursor=places.encode(one.erased_at.isoformat(), one.digest.hex()), node=Erasure.of(one))
        for one in found[:size]
    ]
    more = further is not None or len(found) > size
    return ErasureConnection(edges=edges, page_info=info_of([edge.cursor for edge in edges], place is not None, more))
