"""Tenants and their API keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.ports.audit import CLI, Actor, AuditEntry

__all__ = [
    "ApiKey",
    "FoundKey",
    "LastManagerError",
    "Scope",
    "Tenant",
    "Tenants",
    "TooManyKeysError",
    "TooManySecretsError",
]


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
        overlap_ends_at: until when a former secret works beside the new one; None where none does.
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
    overlap_ends_at: datetime | None = None

    def ended(self, now: datetime) -> bool:
        """Whether it was revoked or has expired."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key as it was found by a secret: the digest of that, and until when it works where it is a former one."""

    key: ApiKey
    digest: bytes
    ends_at: datetime | None = None

    def ended(self, now: datetime) -> bool:
        """Whether the key has ended, or this secret of it."""
        return self.key.ended(now) or (self.ends_at is not None and self.ends_at <= now)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A business that uses Partwise: its id, and the name that operators know it by."""

    tenant_id: str
    name: str


class LastManagerError(Exception):
    """After that nobody could manage keys any more."""


class TooManyKeysError(Exception):
    """The tenant has as many keys as it may have."""


class TooManySecretsError(Exception):
    """As many former secrets of a key still work as may."""


class Tenants(Protocol):
    """Keeps tenants and keys; every method raises `StoreUnavailableError` when it cannot."""

    async def ensure(self, name: str, by: Actor = CLI) -> str:
        """The id of the tenant of that name, made if there was none."""
        ...

    async def find(self, name: str) -> str | None:
        """The id of the tenant of that name, or None."""
        ...

    async def all(self) -> list[Tenant]:
        """All tenants, by name."""
        ...

    async def add_key(self, key: ApiKey, digest: bytes, most: int, entry: AuditEntry) -> None:
        """Store a key by the digest of its secret, and the entry with it; one that is there gets the other secret.

        Raises:
            TooManyKeysError: the tenant has so many that were not revoked.
        """
        ...

    async def keys_by_digests(self, digests: Sequence[bytes]) -> list[FoundKey]:
        """The keys with those digests, also as former secrets; expired and revoked ones too."""
        ...

    async def key(self, tenant_id: str, key_id: str) -> ApiKey | None:
        """One key of a tenant."""
        ...

    async def keys_of(self, tenant_id: str) -> list[ApiKey]:
        """All keys of a tenant, oldest first."""
        ...

    async def key_page(self, tenant_id: str, after: tuple[datetime, str] | None, limit: int) -> list[ApiKey]:
        """Keys of a tenant, oldest first, beginning behind a place: when a key was made, and its id."""
        ...

    async def rotate(
        self,
        tenant_id: str,
        key_id: str,
        digest: bytes,
        hint: str,
        ends_at: datetime,
        *,
        most: int,
        entry: AuditEntry,
        fits: Callable[[ApiKey], bool] | None = None,
        request_id: str | None = None,
    ) -> bool:
        """Give a key another secret; the one before works until an instant, and so do those before it at most.

        A request that has done so already, whose answer nobody saw, does so once more, and then it fits.

        Returns:
            False for an unknown key, and for one that was revoked meanwhile.

        Raises:
            TooManySecretsError: so many former secrets work at that moment.
            UnfitError: it is not to be, of the key as it is then.
        """
        ...

    async def revoke(
        self,
        tenant_id: str,
        key_id: str,
        entry: AuditEntry,
        *,
        force: bool = False,
        fits: Callable[[ApiKey], bool] | None = None,
    ) -> bool:
        """End a key with all its secrets; one that was revoked stays as it is.

        Returns:
            False for an unknown one.

        Raises:
            LastManagerError: no other key that counts could manage keys, and it is not forced.
            UnfitError: it is not to be, of the key as it is then.
        """
        ...

    async def used(self, tenant_id: str, key_id: str, at: datetime) -> None:
        """Note that a key was used."""
        ...
