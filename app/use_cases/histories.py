"""Histories: the events of clients, kept at hand until new ones come."""

from collections import OrderedDict
from collections.abc import Mapping

from app.core.events import Event
from app.ports.ledger import Ledger

__all__ = ["Histories"]


class Histories:
    """Reads each client's events once for each revision.

    What is kept is bound by `most_events`; the clients asked for longest ago make room. A revision is read before the
    events are, so that what is kept may be newer than its label but never older, and the next read mends that.
    """

    def __init__(self, ledger: Ledger, most_events: int = 500_000) -> None:
        """Read from a ledger."""
        self._ledger = ledger
        self._most_events = most_events
        self._kept: OrderedDict[tuple[str, str], tuple[int, list[Event]]] = OrderedDict()
        self._events = 0

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
                self._kept.move_to_end((tenant_id, client_id))
                found[client_id] = kept[1]
        missing = [client_id for client_id in revisions if client_id not in found]
        for start in range(0, len(missing), 1000):
            fresh = await self._ledger.histories(tenant_id, missing[start : start + 1000])
            for client_id, events in fresh.items():
                found[client_id] = events
                self._keep((tenant_id, client_id), revisions[client_id], events)
        return found

    def _keep(self, key: tuple[str, str], revision: int, events: list[Event]) -> None:
        before = self._kept.pop(key, None)
        self._events += len(events) - (len(before[1]) if before else 0)
        self._kept[key] = (revision, events)
        while self._events > self._most_events and len(self._kept) > 1:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._events -= len(dropped)
