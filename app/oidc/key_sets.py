"""The keys of an identity provider: found by discovery, kept at hand, read again when they are old or do not do."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import httpx
import jwt
from jwt import PyJWK

from app.oidc.documents import UnreadableError, fetch_object
from app.oidc.issuers import Issuer, is_safe_url
from app.ports.tokens import InvalidTokenError, IssuerUnavailableError

__all__ = ["KeySet"]

_MOST_KEYS: Final = 100
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_log = logging.getLogger("partwise.oidc")


class KeySet:
    """The keys of one provider."""

    def __init__(
        self,
        issuer: Issuer,
        http: httpx.AsyncClient,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Read them over HTTP when the first one is needed; `clock` tells seconds, by default those of the loop."""
        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._keys: list[dict[str, Any]] | None = None
        self._built: dict[tuple[str | None, str], PyJWK] = {}
        self._read_at = 0.0
        self._tried_at: float | None = None
        self._failed = False
        self._reading: asyncio.Task[None] | None = None

    async def key(self, kid: str | None, algorithm: str) -> PyJWK:
        """The key with an id, or the only one there is, for an algorithm.

        Raises:
            InvalidTokenError: there is none.
            IssuerUnavailableError: that is not known at present.
        """
        age = self._now() - self._read_at
        if self._keys is None or age > self._issuer.keys_kept:
            self._keys = None
            await self._read_again()
            if self._keys is None:
                raise IssuerUnavailableError("the keys of the token's issuer cannot be read at present; try again")
        elif age > self._issuer.keys_fresh and self._may_try():
            self._start()
        found = self._chosen(kid, algorithm)
        if found is None and self._may_try():
            # Perhaps it is new.
            await self._read_again()
            found = self._chosen(kid, algorithm)
        if found is None and self._failed:
            raise IssuerUnavailableError("the keys of the token's issuer cannot be read at present; try again")
        if found is None:
            raise InvalidTokenError("the token is signed with a key that its issuer does not publish")
        return found

    async def close(self) -> None:
        """Leave off what is being read."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    def _now(self) -> float:
        return (self._clock or asyncio.get_running_loop().time)()

    def _may_try(self) -> bool:
        if self._reading is not None and not self._reading.done():
            return True
        return self._tried_at is None or self._now() - self._tried_at >= self._issuer.keys_pause

    def _start(self) -> asyncio.Task[None]:
        """Read them in a task of its own, one at a time, whoever waits for it."""
        if self._reading is None or self._reading.done():
            self._tried_at = self._now()
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read_again(self) -> None:
        if self._may_try():
            await asyncio.shield(self._start())

    async def _read(self) -> None:
        try:
            self._keys = await self._fetched()
            self._built.clear()
            self._read_at, self._failed = self._now(), False
        except UnreadableError as error:
            self._failed = True
            _log.warning("the keys of an issuer cannot be read", extra={"reason": str(error)})

    async def _fetched(self) -> list[dict[str, Any]]:
        known = await fetch_object(self._http, self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if known.get("issuer") != self._issuer.issuer:
            raise UnreadableError(f"{self._issuer.issuer} says that it is another issuer")
        url = known.get("jwks_uri")
        # Where the issuer is by https, its keys are too: only one on this machine may have them there.
        is_fine = isinstance(url, str) and is_safe_url(url)
        if not is_fine or (self._issuer.issuer.startswith("https:") and not str(url).startswith("https:")):
            raise UnreadableError(f"{self._issuer.issuer} names no safe jwks_uri")
        keys = (await fetch_object(self._http, str(url))).get("keys")
        if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
            raise UnreadableError(f"{url} has no list of at most {_MOST_KEYS} keys")
        return [key for key in keys if isinstance(key, dict) and _verifies(key)]

    def _chosen(self, kid: str | None, algorithm: str) -> PyJWK | None:
        built = self._built.get((kid, algorithm))
        if built is not None:
            return built
        fit = [key for key in self._keys or () if _fits(key, algorithm) and (kid is None or key.get("kid") == kid)]
        if not fit or (kid is None and len(fit) > 1):
            return None
        try:
            built = self._built[kid, algorithm] = PyJWK(fit[0], algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            return None
        return built


def _verifies(key: dict[str, Any]) -> bool:
    """Whether it is a public key for signatures; a secret (`oct`) has no place in a published set."""
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    """Whether a key is of the kind that an algorithm takes, and meant for no other."""
    if key.get("alg", algorithm) != algorithm:
        return False
    if algorithm in _CURVES:
        kind = "OKP" if algorithm == "EdDSA" else "EC"
        return key.get("kty") == kind and key.get("crv") == _CURVES[algorithm]
    return key.get("kty") == "RSA"
