"""Tenants and their API keys."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

__all__ = ["ApiKey", "Scope", "Tenant", "Tenants"]


class Scope(StrEnum):
    """What a key may be used for."""

    INGEST = "ingest"
    READ = "read"
    MANAGE = "manage"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, without its secret.

    Attributes:
        key_id: names the key within its tenant.
        tenant_id: whose it is.
        name: for people.
        hint: the first characters of the secret, to tell keys apart.
        scopes: what it may be used for.
        created_at, expires_at, revoked_at, last_used_at: instants in UTC; None for never.
    """

    key_id: str
    tenant_id: str
    name: str
    hint: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A business that uses Partwise: its id, and the name that operators know it by."""

    tenant_id: str
    name: str


class Tenants(Protocol):
    """Keeps tenants and keys; every method raises `StoreUnavailableError` when it cannot."""

    async def ensure(self, name: str) -> str:
        """The id of the tenant of that name, made if there was none."""
        ...

    async def all(self) -> list[Tenant]:
        """All tenants, by name."""
        ...

    async def add_key(self, key: ApiKey, digest: bytes) -> None:
        """Store a key by the digest of its secret."""
        ...

    async def key_by_digest(self, digest: bytes) -> ApiKey | None:
        """The key with that digest, expired and revoked ones too."""
        ...

    async def keys_of(self, tenant_id: str) -> list[ApiKey]:
        """All keys of a tenant, oldest first."""
        ...

    async def revoke(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        """End a key; False for an unknown one."""
        ...

    async def used(self, tenant_id: str, key_id: str, at: datetime) -> None:
        """Note that a key was used."""
        ...
