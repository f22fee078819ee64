"""Clients: who is known, and what is known of them."""

from collections.abc import Sequence
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

    async def several(self, tenant_id: str, client_ids: Sequence[str]) -> dict[str, ClientRecord]:
        """Some clients by id; who is not known is left out."""
        ...

    async def count(self, tenant_id: str, text: str | None = None) -> int:
        """How many clients there are, or how many have a text in their name or id, in any case."""
        ...

    async def page(
        self,
        tenant_id: str,
        text: str | None,
        after: tuple[str, str] | None,
        before: tuple[str, str] | None,
        limit: int,
        *,
        last: bool,
    ) -> list[ClientRecord]:
        """Clients by name (by id where there is none) and id, in the order of code points.

        Args:
            tenant_id: whose.
            text: a part of the name or id, in any case; None for all.
            after, before: only clients between these places, each a name and an id.
            limit: at most so many.
            last: take them from the end; the answer is in order all the same.
        """
        ...
