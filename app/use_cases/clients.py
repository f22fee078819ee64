"""Clients: what is known of them, and how to say more."""

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.ports.audit import CLI, Action, Actor, client_subject
from app.ports.clients import ClientRecord, Clients
from app.ports.clock import Clock
from app.ports.ledger import Ledger, MovedOnError, NewEvent, Outcome, StoreBusyError
from app.use_cases.errors import ConflictError, NotFoundError, PreconditionFailedError

__all__ = ["ClientProfile", "ManageClients"]

_ATTEMPTS: Final = 50
SOURCE = "partwise:api"
"""The source of events that Partwise itself records when a client is put."""


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """What may be said of a client; None says nothing and leaves it as it is."""

    name: str | None = None
    country: str | None = None
    currency: str | None = None
    time_zone: str | None = None


class ManageClients:
    """Reads clients and puts them, the latter by the one way in: an event."""

    def __init__(self, clients: Clients, ledger: Ledger, clock: Clock) -> None:
        """Read clients and write to a ledger, at the time of a clock."""
        self._clients = clients
        self._ledger = ledger
        self._clock = clock

    async def get(self, tenant_id: str, client_id: str) -> ClientRecord:
        """Find one client.

        Raises:
            NotFoundError: no event ever named that client.
        """
        found = await self.find(tenant_id, client_id)
        if found is None:
            raise NotFoundError(f"there is no client {client_id!r}")
        return found

    async def find(self, tenant_id: str, client_id: str) -> ClientRecord | None:
        """One client, or None for an unknown one."""
        return await self._clients.get(tenant_id, client_id)

    async def several(self, tenant_id: str, client_ids: Sequence[str]) -> dict[str, ClientRecord]:
        """Some clients by id; who is not known is left out."""
        return await self._clients.several(tenant_id, client_ids)

    async def all(self, tenant_id: str) -> dict[str, ClientRecord]:
        """All clients, by id."""
        return {one.client_id: one for one in await self._clients.all(tenant_id)}

    async def put(
        self,
        tenant_id: str,
        client_id: str,
        profile: ClientProfile,
        by: Actor = CLI,
        fits: Callable[[ClientRecord | None], bool] | None = None,
    ) -> tuple[ClientRecord, bool]:
        """Say what a client is; putting the same again changes nothing.

        Args:
            tenant_id: whose client.
            client_id: which.
            profile: what is said.
            by: who says it.
            fits: whether it may be said of the client as it is known then, or of an unknown one (None).

        Returns:
            The client, and whether it is new.

        Raises:
            ConflictError: the client was erased.
            PreconditionFailedError: it does not fit.
            StoreBusyError: too much is told of the client at this moment.
        """
        for _ in range(_ATTEMPTS):
            try:
                return await self._put(tenant_id, client_id, profile, by, fits)
            except MovedOnError:
                # Perhaps of something else: looked at again.
                continue
        raise StoreBusyError("too much is told of this client at present; try again")

    async def _put(
        self,
        tenant_id: str,
        client_id: str,
        profile: ClientProfile,
        by: Actor,
        fits: Callable[[ClientRecord | None], bool] | None,
    ) -> tuple[ClientRecord, bool]:
        before = await self._clients.get(tenant_id, client_id)
        if fits is not None and not fits(before):
            raise PreconditionFailedError("the client is not as you know it: it was changed since, or made")
        said = {
            name: value
            for name in ("country", "currency", "name", "time_zone")
            if (value := getattr(profile, name)) is not None
        }
        if before is not None and all(getattr(before, name) == value for name, value in said.items()):
            return before, False
        data = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        kind = "client.updated" if before else "client.created"
        now = self._clock.now()
        event_id = str(uuid.uuid4())
        digest = hashlib.sha256(f"{kind}\n{client_id}\n{now.isoformat()}\n{data}".encode()).digest()
        told = NewEvent(SOURCE, event_id, kind, client_id, now, data, digest)
        # Which fields were told, not what.
        entry = by.did(Action.CLIENT_PUT, client_subject(client_id), now, fields=sorted(said), created=before is None)
        after = None if fits is None else (before.revision if before else 0)
        if await self._ledger.append(tenant_id, [told], entry=entry, after=after) == [Outcome.INVALID]:
            raise ConflictError("this client was erased: its id cannot be used again")
        return await self.get(tenant_id, client_id), before is None
