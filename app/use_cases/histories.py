"""Histories: the events of clients, kept at hand until new ones come."""

from collections.abc import Mapping

from app.core.events import Event
from app.ports.ledger import Ledger
from app.use_cases.recent import Recent

__all__ = ["Histories"]


class Histories:
    """Reads each client's events once for each revision.

    What is kept is bound by `most_events`; the clients asked for longest ago make room. A revision is read before the
    events are, so that what is kept may be newer than its label but never older, and the next read mends that.
    """

    def __init__(self, ledger: Ledger, most_events: int = 500_000) -> None:
        """Read from a ledger."""
        self._ledger = ledger
        self._kept: Recent[tuple[str, str], tuple[int, list[Event]]] = Recent(most_events)

    async def of_client(self, tenant_id: str, client_id: str) -> list[Event] | None:
        """All events of one client; None for an unknown one."""
        revision = await self._ledger.revision(tenant_id, client_id)
        if revision is None:
            return None
        return (await self._read(tenant_id, {client_id: revision}))[client_id]

    async def of_all(self, tenant_id: str) -> tuple[dict[str, int], Mapping[str, list[Event]]]:
        """The revision of every client of a tenant, and all their events."""
        revisions = await self._ledger.revisions(tenant_id)
        return revisions, await self._read(tenant_id, revisions)

    async def _read(self, tenant_id: str, revisions: Mapping[str, int]) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for client_id, revision in revisions.items():
            kept = self._kept.get((tenant_id, client_id))
            if kept is not None and kept[0] == revision:
                found[client_id] = kept[1]
        missing = [client_id for client_id in revisions if client_id not in found]
        for start in range(0, len(missing), 1000):
            fresh = await self._ledger.histories(tenant_id, missing[start : start + 1000])
            for client_id, events in fresh.items():
                found[client_id] = events
                self._kept.put((tenant_id, client_id), (revisions[client_id], events), len(events))
        return found
