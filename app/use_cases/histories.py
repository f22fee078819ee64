"""Histories: the events of clients, kept at hand until new ones come."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from app.core.events import Event, EventRef
from app.ports.ledger import Ledger
from app.use_cases.recent import Recent

__all__ = ["Histories"]

_GROUP = 5_000
"""Events read at once: enough to be quick, few enough that nobody else has to wait long."""


class Histories:
    """Reads each client's events once for each revision.

    A revision is read before the events are, so that what is kept may be newer than its label but never older, and the
    next read mends that.
    """

    def __init__(self, ledger: Ledger, most_events: int) -> None:
        """Read from a ledger, and keep so many events at most."""
        self._ledger = ledger
        self._kept: Recent[tuple[str, str], tuple[int, list[Event]]] = Recent(most_events)

    async def revisions(self, tenant_id: str, client_ids: Sequence[str] | None = None) -> dict[str, int]:
        """The revision of some clients, those who are there; or of every client of a tenant."""
        return await self._ledger.revisions(tenant_id, client_ids)

    async def sent(self, tenant_id: str, refs: Iterable[EventRef]) -> set[EventRef]:
        """Which of some events were sent already, of whichever client and whenever."""
        return set(await self._ledger.several(tenant_id, list(dict.fromkeys(refs))))

    async def groups(self, tenant_id: str, revisions: Mapping[str, int]) -> AsyncIterator[dict[str, list[Event]]]:
        """All events of some clients, some clients at a time, so that they need not be in memory together.

        Args:
            tenant_id: whose clients they are.
            revisions: the clients, with revisions that were read before.
        """
        group: dict[str, int] = {}
        for client_id, revision in revisions.items():
            group[client_id] = revision
            # A revision is the number of events.
            if sum(group.values()) >= _GROUP:
                yield await self._read(tenant_id, group)
                group = {}
        if group:
            yield await self._read(tenant_id, group)

    async def _read(self, tenant_id: str, revisions: Mapping[str, int]) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for client_id, revision in revisions.items():
            kept = self._kept.get((tenant_id, client_id))
            if kept is not None and kept[0] == revision:
                found[client_id] = kept[1]
        missing = [client_id for client_id in revisions if client_id not in found]
        if missing:
            fresh = await self._ledger.histories(tenant_id, missing)
            for client_id, events in fresh.items():
                found[client_id] = events
                self._kept.put((tenant_id, client_id), (revisions[client_id], events), len(events))
        return found
