"""Access tokens of identity providers: who a token says is asking."""

from dataclasses import dataclass
from typing import Protocol

from app.ports.ledger import StoreUnavailableError
from app.ports.tenants import Scope

__all__ = ["Identity", "InvalidTokenError", "IssuerUnavailableError", "Tokens"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a valid token says: who it is, by issuer and subject; for which tenant, by its name; what it may do."""

    issuer: str
    subject: str
    tenant: str
    scopes: frozenset[Scope]


class InvalidTokenError(Exception):
    """It is no token that counts; the message says why, and nothing of what is in it."""


class IssuerUnavailableError(StoreUnavailableError):
    """The keys that tokens are checked with cannot be read at present."""


class Tokens(Protocol):
    """Checks tokens."""

    async def identify(self, token: str) -> Identity:
        """Find out whom a token stands for.

        Raises:
            InvalidTokenError: it does not count.
            IssuerUnavailableError: that cannot be found out at present.
        """
        ...
