"""Secrets: what Partwise signs with, so that it knows what it gave out itself."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Secrets"]


class Secrets(Protocol):
    """Keeps secrets; raises `StoreUnavailableError` when it cannot."""

    async def of(self, tenant_id: str) -> Sequence[bytes]:
        """A tenant's secrets, the same on every replica: the first signs, all verify."""
        ...
