"""Erasures: whom a tenant had erased, and what is left to remove."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from app.ports.audit import CLI, Actor
from app.ports.clients import ClientRecord

__all__ = ["Erasure", "Erasures", "Step"]


@dataclass(frozen=True, slots=True)
class Erasure:
    """A tombstone: what stays of an erased client.

    Attributes:
        digest: SHA-256 of the client's id in UTF-8.
        erased_at: since when the client is unknown and its events are refused.
        finished_at: when the last row about it was gone; None while some are left.
    """

    digest: bytes
    erased_at: datetime
    finished_at: datetime | None


class Step(Enum):
    """What one step of an erasure came to."""

    MORE = auto()
    """Rows were removed, and others are left."""
    DONE = auto()
    """None are left."""
    TAKEN = auto()
    """Somebody else is at it at this moment."""


class Erasures(Protocol):
    """Keeps tombstones and removes what they stand for; every method raises `StoreUnavailableError` when it cannot."""

    async def begin(
        self,
        tenant_id: str,
        client_id: str,
        at: datetime,
        by: Actor = CLI,
        fits: Callable[[ClientRecord], bool] | None = None,
    ) -> Erasure | None:
        """Put a tombstone in the place of a client, in one transaction: nobody sees the client any more.

        Args:
            tenant_id: whose client.
            client_id: which.
            at: when.
            by: who does it.
            fits: whether it is to be, of the client as it is then.

        Returns:
            The tombstone, also that of an earlier time; None where there neither is nor was such a client.

        Raises:
            UnfitError: it is not to be.
        """
        ...

    async def step(self, tenant_id: str, digest: bytes, at: datetime) -> Step:
        """Remove some of the rows that are left, in one short transaction; it may be broken off at any moment."""
        ...

    async def unfinished(self, most: int) -> Sequence[tuple[str, bytes]]:
        """Erasures of all tenants that are not finished, by tenant and digest; the oldest first."""
        ...

    async def get(self, tenant_id: str, digest: bytes) -> Erasure | None:
        """One tombstone, or None where there is none."""
        ...

    async def page(self, tenant_id: str, after: tuple[datetime, bytes] | None, limit: int) -> list[Erasure]:
        """Tombstones by time and digest, beginning behind a place."""
        ...
