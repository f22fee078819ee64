"""Who asks: by an API key, or by an access token of an identity provider."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from app.ports.clock import Clock
from app.ports.ledger import StoreUnavailableError
from app.ports.tenants import Tenants
from app.ports.tokens import InvalidTokenError, Tokens
from app.use_cases.errors import ForbiddenError, UnauthenticatedError
from app.use_cases.key_format import PREFIX
from app.use_cases.keys import Keys, Principal
from app.use_cases.recent import Recent
from app.use_cases.unheard import UNHEARD

__all__ = ["Attempt", "Attempts", "Authenticate"]

_KNOWN_FOR: Final = timedelta(seconds=5)
_MOST_KNOWN: Final = 10_000


class Attempt(StrEnum):
    """What came of a look at a key or a token."""

    # Looked up by for each request; an enum's own hash takes longer.
    __hash__ = str.__hash__

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    """Nobody could be asked."""


class Attempts(Protocol):
    """Is told what came of each look, for metrics."""

    def authenticated(self, attempt: Attempt) -> None:
        """This."""
        ...


class Authenticate:
    """Finds out who asks."""

    def __init__(
        self, keys: Keys, tokens: Tokens | None, tenants: Tenants, clock: Clock, attempts: Attempts = UNHEARD
    ) -> None:
        """Take keys, and tokens where there are issuers of them, at the time of a clock; tell what comes of it."""
        self._attempts = attempts
        self._keys = keys
        self._tokens = tokens
        self._tenants = tenants
        self._clock = clock
        self._known: Recent[str, tuple[datetime, str | None]] = Recent(_MOST_KNOWN)

    async def __call__(self, secret: str, request_id: str | None = None) -> Principal:
        """Find out who presents this, in a request.

        Raises:
            UnauthenticatedError: it does not count.
            ForbiddenError: a token that counts is for a tenant that is not here.
        """
        try:
            found = await self._found(secret, request_id)
        except (UnauthenticatedError, ForbiddenError):
            self._attempts.authenticated(Attempt.REFUSED)
            raise
        except StoreUnavailableError:
            self._attempts.authenticated(Attempt.UNAVAILABLE)
            raise
        self._attempts.authenticated(Attempt.ACCEPTED)
        return found

    async def _found(self, secret: str, request_id: str | None) -> Principal:
        if self._tokens is None or secret.startswith(PREFIX):
            return await self._keys.authenticate(secret, request_id)
        try:
            found = await self._tokens.identify(secret)
        except InvalidTokenError as error:
            raise UnauthenticatedError(str(error)) from None
        tenant_id = await self._tenant(found.tenant)
        if tenant_id is None:
            raise ForbiddenError(f"there is no tenant {found.tenant!r} here")
        return Principal(tenant_id, f"user:{found.issuer}|{found.subject}", found.scopes, request_id)

    async def _tenant(self, name: str) -> str | None:
        now = self._clock.now()
        known = self._known.get(name)
        if known is not None and now - known[0] < _KNOWN_FOR:
            return known[1]
        found = await self._tenants.find(name)
        self._known.put(name, (now, found))
        return found
