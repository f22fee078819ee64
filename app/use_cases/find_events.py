"""Find events that were recorded."""

from collections.abc import Sequence

from app.core.events import EventRef
from app.ports.ledger import EventFilter, EventKey, Ledger, StoredEvent
from app.use_cases.errors import AmbiguousError, NotFoundError

__all__ = ["FindEvents"]


class FindEvents:
    """Reads the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        """Read from a ledger."""
        self._ledger = ledger

    async def one(self, tenant_id: str, event_id: str, source: str | None) -> StoredEvent:
        """Find one event by its id, and by its source where several sent that id.

        Raises:
            NotFoundError: there is none.
            AmbiguousError: several sources sent that id.
        """
        found = await self._ledger.named(tenant_id, event_id, source)
        if not found:
            raise NotFoundError(f"there is no event {event_id!r}")
        if len(found) > 1:
            sources = ", ".join(event.source for event in found)
            raise AmbiguousError(f"several sources sent an event {event_id!r}: name one by ?source= ({sources})")
        return found[0]

    async def several(self, tenant_id: str, refs: Sequence[EventRef]) -> dict[EventRef, StoredEvent]:
        """Some events by source and id; what is not there is left out."""
        return await self._ledger.several(tenant_id, refs)

    async def page(
        self, tenant_id: str, wanted: EventFilter, after: EventKey | None, limit: int
    ) -> tuple[list[StoredEvent], EventKey | None]:
        """List events by time; the second part is where the next page begins, or None at the end."""
        found = await self._ledger.page(tenant_id, wanted, after, limit + 1)
        page = found[:limit]
        if len(found) <= limit:
            return page, None
        last = page[-1]
        return page, EventKey(last.time, last.source, last.id)
