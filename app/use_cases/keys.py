"""API keys: made once, shown once, checked on every request."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.ports.clock import Clock
from app.ports.tenants import ApiKey, Scope, Tenants
from app.use_cases.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from app.use_cases.recent import Recent

__all__ = ["Keys", "Principal"]

PREFIX = "pw_"
_TRUSTED_FOR = timedelta(seconds=5)
"""How long a key that was found good is not looked up again: revoking one takes effect within this."""
_MOST_TRUSTED = 10_000
_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        tenant_id: for which tenant.
        name: who it is, as the audit log names it: `key:…` or `user:…`.
        scopes: what it may do.
    """

    tenant_id: str
    name: str
    scopes: frozenset[Scope]

    @property
    def key_id(self) -> str | None:
        """The key that was used; None for a user."""
        kind, _, key_id = self.name.partition(":")
        return key_id if kind == "key" else None

    def require(self, scope: Scope) -> None:
        """Check a scope.

        Raises:
            ForbiddenError: it is not among them.
        """
        if scope not in self.scopes:
            raise ForbiddenError(f"this needs the scope {scope.value!r}", scope.value)


class Keys:
    """Makes and checks keys."""

    def __init__(self, tenants: Tenants, clock: Clock) -> None:
        """Keep keys with the tenants, at the time of a clock."""
        self._tenants = tenants
        self._clock = clock
        self._trusted: Recent[bytes, tuple[datetime, ApiKey]] = Recent(_MOST_TRUSTED)

    async def create(
        self, tenant: str, scopes: frozenset[Scope], name: str = "key", expires_at: datetime | None = None
    ) -> str:
        """Make a key for a tenant, which is made too where there is none of that name.

        Returns:
            The key itself; it cannot be shown again.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(
            key_id=str(uuid.uuid4()),
            tenant_id=await self._tenants.ensure(tenant),
            name=name,
            hint=secret[:7],
            scopes=scopes,
            created_at=self._clock.now(),
            expires_at=expires_at,
        )
        await self._tenants.add_key(key, _digest(secret))
        return secret

    async def authenticate(self, secret: str) -> Principal:
        """Find out whose key this is.

        Raises:
            UnauthenticatedError: it is none, or has expired or was revoked.
        """
        now = self._clock.now()
        key = await self._key(_digest(secret), now) if secret.startswith(PREFIX) else None
        if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            raise UnauthenticatedError("this API key is unknown, expired or revoked")
        return Principal(key.tenant_id, f"key:{key.key_id}", key.scopes)

    async def of(self, tenant: str) -> list[ApiKey]:
        """All keys of a tenant, by its name."""
        return await self._tenants.keys_of(await self._tenants.ensure(tenant))

    async def revoke(self, tenant: str, key_id: str) -> None:
        """End a key of a tenant.

        Raises:
            NotFoundError: the tenant has no such key.
        """
        if not await self._tenants.revoke(await self._tenants.ensure(tenant), key_id, self._clock.now()):
            raise NotFoundError(f"there is no key {key_id!r}")

    async def _key(self, digest: bytes, now: datetime) -> ApiKey | None:
        trusted = self._trusted.get(digest)
        if trusted is not None and now - trusted[0] < _TRUSTED_FOR:
            return trusted[1]
        key = await self._tenants.key_by_digest(digest)
        if key is None:
            return None
        if key.last_used_at is None or now - key.last_used_at > _USE_NOTED_EVERY:
            await self._tenants.used(key.tenant_id, key.key_id, now)
        self._trusted.put(digest, (now, key))
        return key


def _digest(secret: str) -> bytes:
    """A plain hash is enough: 256 random bits cannot be guessed, so there is nothing for a slow hash to slow down."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
