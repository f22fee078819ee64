"""Clients: who is known, and what is known of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["ClientRecord", "Clients"]


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One client, as the newest `client.created` and `client.updated` events tell.

    Attributes:
        client_id: the tenant's own id.
        name, country, currency, time_zone: None while not told.
        created_at: when we first heard of the client.
        revision: grows with every event stored for the client.
    """

    client_id: str
    name: str | None
    country: str | None
    currency: str | None
    time_zone: str | None
    created_at: datetime
    revision: int


class Clients(Protocol):
    """Reads clients; they come into being with their first event."""

    async def get(self, tenant_id: str, client_id: str) -> ClientRecord | None:
        """One client, or None for an unknown one."""
        ...

    async def all(self, tenant_id: str) -> list[ClientRecord]:
        """All clients of a tenant, by id."""
        ...
