"""API keys: made once, shown once, checked on every request."""

import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.ports.audit import CLI, Action, Actor, key_subject
from app.ports.clock import Clock
from app.ports.conditions import UnfitError
from app.ports.tenants import (
    ApiKey,
    FoundKey,
    LastManagerError,
    Scope,
    Tenants,
    TooManyKeysError,
    TooManySecretsError,
)
from app.use_cases.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    PreconditionFailedError,
    UnauthenticatedError,
)
from app.use_cases.key_format import digest_of, hint_of, is_well_formed, new_secret
from app.use_cases.key_lookups import KeyLookups
from app.use_cases.key_uses import KeyUses
from app.use_cases.recent import Recent

__all__ = ["IssuedKey", "Keys", "Principal"]

_TRUSTED_FOR: Final = timedelta(seconds=5)
"""How long what was found of a key is not looked up again: revoking one takes effect within this, on every server."""
_MOST_TRUSTED: Final = 10_000

MOST_KEYS: Final = 1_000
"""Of one tenant that were not revoked."""
MOST_FORMER: Final = 10
"""Former secrets of one key that work at once."""
LONGEST_OVERLAP: Final = timedelta(days=30)
_UNFIT: Final = "the key is not as you know it: it was changed since"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        tenant_id: for which tenant.
        name: who it is, as the audit log names it: `key:…` or `user:…`.
        scopes: what it may do.
        request_id: of the request that asks.
    """

    tenant_id: str
    name: str
    scopes: frozenset[Scope]
    request_id: str | None = None

    @property
    def key_id(self) -> str | None:
        """The key that was used; None for a user."""
        kind, _, key_id = self.name.partition(":")
        return key_id if kind == "key" else None

    @property
    def actor(self) -> Actor:
        """This one, as who changes something."""
        return Actor(self.name, self.request_id)

    def require(self, scope: Scope) -> None:
        """Check a scope.

        Raises:
            ForbiddenError: it is not among them.
        """
        if scope not in self.scopes:
            raise ForbiddenError(f"this needs the scope {scope.value!r}", scope.value)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which cannot be shown again."""

    key: ApiKey
    secret: str


class Keys:
    """Makes, checks, rotates and revokes keys.

    Who does so is a principal; None stands for the operator at the command line, who may do everything.
    """

    def __init__(self, tenants: Tenants, clock: Clock) -> None:
        """Keep keys with the tenants, at the time of a clock."""
        self._tenants = tenants
        self._clock = clock
        self._lookups = KeyLookups(tenants.keys_by_digests)
        self._uses = KeyUses(tenants)
        self._trusted: Recent[bytes, tuple[datetime, FoundKey]] = Recent(_MOST_TRUSTED)
        # Apart, so that whoever sends any number of them pushes out none that counts.
        self._unknown: Recent[bytes, datetime] = Recent(_MOST_TRUSTED)

    async def close(self) -> None:
        """Wait for what is still to be noted."""
        await self._uses.close()

    async def authenticate(self, secret: str, request_id: str | None = None) -> Principal:
        """Find out whose key this is.

        Raises:
            UnauthenticatedError: it is none, or has expired or was revoked.
        """
        now = self._clock.now()
        # What cannot be a key costs no look-up.
        found = await self._found(digest_of(secret), now) if is_well_formed(secret) else None
        if found is None or found.ended(now):
            raise UnauthenticatedError("this API key is unknown, expired or revoked")
        self._uses.note(found.key, now)
        return Principal(found.key.tenant_id, f"key:{found.key.key_id}", found.key.scopes, request_id)

    async def create(
        self, tenant: str, scopes: frozenset[Scope], name: str = "key", expires_at: datetime | None = None
    ) -> str:
        """Make a key for a tenant by its name, as the operator; the tenant is made too where there is none.

        Returns:
            The key itself; it cannot be shown again.
        """
        return (await self.issue(await self._tenants.ensure(tenant), name, scopes, expires_at)).secret

    async def issue(
        self,
        tenant_id: str,
        name: str,
        scopes: frozenset[Scope],
        expires_at: datetime | None = None,
        by: Principal | None = None,
        *,
        key_id: str | None = None,
    ) -> IssuedKey:
        """Make a key, of an id that nobody else uses; one that is there already gets another secret.

        The latter happens where a request is done again whose answer nobody ever saw.

        Raises:
            ForbiddenError: it would have scopes that its maker does not have.
            InvalidRequestError: it would have expired already.
            ConflictError: the tenant has too many keys.
        """
        _refuse_more(scopes, by)
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidRequestError("/expires_at", "expected an instant in the future")
        secret = new_secret()
        key = ApiKey(
            key_id=key_id or str(uuid.uuid4()),
            tenant_id=tenant_id,
            name=name,
            hint=hint_of(secret),
            scopes=scopes,
            created_at=now,
            expires_at=expires_at,
        )
        entry = _actor(by).did(
            Action.KEY_CREATED,
            key_subject(key.key_id),
            now,
            scopes=sorted(scopes),
            expires_at=None if expires_at is None else expires_at.isoformat(),
        )
        try:
            await self._tenants.add_key(key, digest_of(secret), MOST_KEYS, entry)
        except TooManyKeysError:
            raise ConflictError(f"there are {MOST_KEYS} keys already, which is the most: revoke some") from None
        # What is done again finds the key as it was made first.
        return IssuedKey(await self.one(tenant_id, key_id) if key_id else key, secret)

    async def tenant(self, name: str) -> str:
        """The id of a tenant.

        Raises:
            NotFoundError: there is none of that name.
        """
        found = await self._tenants.find(name)
        if found is None:
            raise NotFoundError(f"there is no tenant {name!r}")
        return found

    async def of(self, tenant: str) -> list[ApiKey]:
        """All keys of a tenant, by its name; none where there is no such tenant."""
        found = await self._tenants.find(tenant)
        return [] if found is None else await self._tenants.keys_of(found)

    async def page(
        self, tenant_id: str, after: tuple[datetime, str] | None, limit: int
    ) -> tuple[list[ApiKey], tuple[datetime, str] | None]:
        """List keys, oldest first; the second part is where the next page begins, or None at the end."""
        found = await self._tenants.key_page(tenant_id, after, limit + 1)
        page = found[:limit]
        return page, (page[-1].created_at, page[-1].key_id) if len(found) > limit else None

    async def one(self, tenant_id: str, key_id: str) -> ApiKey:
        """One key.

        Raises:
            NotFoundError: the tenant has no such key.
        """
        found = await self._tenants.key(tenant_id, key_id)
        if found is None:
            raise NotFoundError(f"there is no key {key_id!r}")
        return found

    def has_ended(self, key: ApiKey) -> bool:
        """Whether a key was revoked or has expired."""
        return key.ended(self._clock.now())

    async def rotate(
        self,
        tenant_id: str,
        key_id: str,
        overlap: timedelta,
        by: Principal | None = None,
        fits: Callable[[ApiKey], bool] | None = None,
        *,
        request_id: str | None = None,
    ) -> IssuedKey:
        """Give a key another secret; the one before works until the overlap ends.

        Rotating once more never lets a former secret end later, but may let it end sooner. `fits` tells whether it is
        to be, of the key as it is then; a request whose answer nobody saw is done again whether or not.

        Raises:
            NotFoundError: the tenant has no such key.
            ForbiddenError: the key has scopes that who asks does not have, and would get by its secret.
            InvalidRequestError: the overlap is too long.
            ConflictError: the key has ended, or too many former secrets work still.
            PreconditionFailedError: it does not fit.
        """
        if not timedelta() <= overlap <= LONGEST_OVERLAP:
            raise InvalidRequestError("/overlap", f"expected 0 to {LONGEST_OVERLAP.days} days")
        now = self._clock.now()
        key = await self.one(tenant_id, key_id)
        _refuse_more(key.scopes, by)
        ends_at = now + overlap
        # One that is known from the one before, also by its first characters.
        while hint_of(secret := new_secret()) == key.hint:
            pass
        entry = _actor(by).did(Action.KEY_ROTATED, key_subject(key_id), now, former_ends_at=ends_at.isoformat())
        try:
            done = not key.ended(now) and await self._tenants.rotate(
                tenant_id,
                key_id,
                digest_of(secret),
                hint_of(secret),
                ends_at,
                most=MOST_FORMER,
                entry=entry,
                fits=fits,
                request_id=request_id,
            )
        except UnfitError:
            raise PreconditionFailedError(_UNFIT) from None
        except TooManySecretsError:
            raise ConflictError(
                f"{MOST_FORMER} former secrets of this key still work: wait, or rotate without an overlap"
            ) from None
        if not done:
            raise ConflictError("this key has expired or was revoked: make another one")
        self._trusted.clear()
        return IssuedKey(await self.one(tenant_id, key_id), secret)

    async def revoke(
        self,
        tenant_id: str,
        key_id: str,
        by: Principal | None = None,
        *,
        force: bool = False,
        fits: Callable[[ApiKey], bool] | None = None,
    ) -> None:
        """End a key of a tenant, with all its secrets; once more is harmless.

        `fits` tells whether it is to be, of the key as it is then.

        Raises:
            NotFoundError: the tenant has no such key.
            ConflictError: it is the last one that can manage keys, and it is not forced.
            PreconditionFailedError: it does not fit.
        """
        entry = _actor(by).did(Action.KEY_REVOKED, key_subject(key_id), self._clock.now(), forced=force or None)
        try:
            known = await self._tenants.revoke(tenant_id, key_id, entry, force=force, fits=fits)
        except UnfitError:
            raise PreconditionFailedError(_UNFIT) from None
        except LastManagerError:
            raise ConflictError(
                "this is the last key with the scope 'manage': without it nobody can make or revoke keys over the API; "
                "make another one first, or use force=true"
            ) from None
        if not known:
            raise NotFoundError(f"there is no key {key_id!r}")
        # Here at once; elsewhere once it is not trusted any more.
        self._trusted.clear()

    async def _found(self, digest: bytes, now: datetime) -> FoundKey | None:
        trusted = self._trusted.get(digest)
        if trusted is not None and now - trusted[0] < _TRUSTED_FOR:
            return trusted[1]
        unknown = self._unknown.get(digest)
        if unknown is not None and now - unknown < _TRUSTED_FOR:
            return None
        found = await self._lookups(digest)
        if found is None or not hmac.compare_digest(found.digest, digest):
            self._unknown.put(digest, now)
            return None
        self._trusted.put(digest, (now, found))
        return found


def _actor(by: Principal | None) -> Actor:
    return CLI if by is None else by.actor


def _refuse_more(scopes: frozenset[Scope], by: Principal | None) -> None:
    """Let nobody come by scopes that he does not have.

    Raises:
        ForbiddenError: somebody would.
    """
    if by is not None and (more := scopes - by.scopes):
        names = ", ".join(sorted(more))
        raise ForbiddenError(f"the key would have scopes that you do not have: {names}", " ".join(sorted(more)))
