"""JWT access tokens: everything that has to hold before one counts."""

import base64
import re
from collections.abc import Sequence
from typing import Any, Final

import httpx
import jwt

from app.oidc.documents import UnreadableError, read_object
from app.oidc.issuers import Issuer
from app.oidc.key_sets import KeySet
from app.ports.tenants import Scope
from app.ports.tokens import Identity, InvalidTokenError

__all__ = ["JwtTokens"]

_MOST_CHARACTERS: Final = 16_384
_MOST_NAME: Final = 255
_END: Final = 253_402_300_800
"""The year 10000, in seconds since 1970."""
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Others are for something else, such as ending a session."""
_REQUIRED: Final = ("iss", "aud", "exp", "sub")
_WHY: Final[tuple[tuple[type[jwt.PyJWTError], str], ...]] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.MissingRequiredClaimError, f"the token lacks one of the claims {', '.join(_REQUIRED)}"),
    (jwt.InvalidSignatureError, "the token's signature is wrong"),
)


class JwtTokens:
    """Keeps the promise of `app.ports.tokens.Tokens`."""

    def __init__(self, issuers: Sequence[Issuer], http: httpx.AsyncClient | None = None) -> None:
        """Trust some issuers; their keys are read over HTTP when the first token comes."""
        self._http = http or httpx.AsyncClient()
        self._issuers = {one.issuer: (one, KeySet(one, self._http)) for one in issuers}

    async def close(self) -> None:
        """Close connections."""
        for _, keys in self._issuers.values():
            await keys.close()
        await self._http.aclose()

    async def identify(self, token: str) -> Identity:
        """Find out whom a token stands for; see the port."""
        header, claims = _parts(token)
        named = claims.get("iss")
        issuer, keys = self._issuers.get(named, (None, None)) if isinstance(named, str) else (None, None)
        if issuer is None or keys is None:
            raise InvalidTokenError("the token is from an issuer that is not trusted here")
        algorithm = _checked(header, issuer)
        # By its id alone: `jku`, `jwk`, `x5u` and `x5c` would let the token itself say what it is checked with.
        key = await keys.key(header.get("kid"), algorithm)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=issuer.leeway,
                options={"require": list(_REQUIRED), "enforce_minimum_key_length": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            why = next((told for kind, told in _WHY if isinstance(error, kind)), "the token is not valid")
            raise InvalidTokenError(why) from None
        return _identity(claims, issuer)


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims, before anything is known to be true.

    Raises:
        InvalidTokenError: it is no signed JWT, in one meaning.
    """
    if len(token) > _MOST_CHARACTERS:
        raise InvalidTokenError(f"the token has more than {_MOST_CHARACTERS} characters")
    if not _FORM.fullmatch(token):
        raise InvalidTokenError("this is neither an API key nor a signed token")
    head, body, _ = token.split(".")
    try:
        header, claims = read_object(_decoded(head)), read_object(_decoded(body))
    except (UnreadableError, ValueError):
        raise InvalidTokenError("this is neither an API key nor a signed token") from None
    for name in ("exp", "nbf", "iat"):
        if name in claims and not _is_time(claims[name]):
            raise InvalidTokenError(f"the token's {name} is no time")
    return header, claims


def _checked(header: dict[str, Any], issuer: Issuer) -> str:
    """The algorithm of a token, whose header says nothing that we do not understand.

    Raises:
        InvalidTokenError: it does.
    """
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        raise InvalidTokenError(f"the token is not signed by one of {', '.join(sorted(issuer.algorithms))}")
    if "crit" in header or "b64" in header or "cty" in header or "zip" in header:
        raise InvalidTokenError("the token has an extension that is not understood here")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise InvalidTokenError("the token is of another type than JWT or at+jwt")
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or len(kid) > _MOST_NAME):
        raise InvalidTokenError("the token's key id is unusable")
    return algorithm


def _identity(claims: dict[str, Any], issuer: Issuer) -> Identity:
    # Where one audience is that of both: ID tokens bind another one, and Keycloak says in a claim what a token is.
    if "at_hash" in claims or "c_hash" in claims or claims.get("typ", "Bearer") != "Bearer":
        raise InvalidTokenError("the token is no access token")
    if issuer.clients is not None and _name(claims.get("azp", claims.get("client_id"))) not in issuer.clients:
        raise InvalidTokenError("the token was issued to a client that is not trusted here")
    subject = _name(claims.get("sub"))
    if subject is None:
        raise InvalidTokenError("the token's subject is unusable")
    tenant = issuer.tenant or _name(_claim(claims, issuer.tenant_claim))
    if tenant is None:
        raise InvalidTokenError(f"the token names no tenant ({issuer.tenant_claim})")
    if issuer.tenants is not None and tenant not in issuer.tenants:
        raise InvalidTokenError("the token's issuer does not speak for this tenant")
    given = _claim(claims, issuer.scopes_claim)
    words = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    found: set[Scope] = set()
    for word in words:
        if isinstance(word, str):
            found |= issuer.scopes.get(word, frozenset())
    return Identity(issuer.issuer, subject, tenant, frozenset(found))


def _claim(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or by a JSON pointer."""
    if not name.startswith("/"):
        return claims.get(name)
    found: Any = claims
    for part in name[1:].split("/"):
        if not isinstance(found, dict):
            return None
        found = found.get(part.replace("~1", "/").replace("~0", "~"))
    return found


def _is_time(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < _END


def _name(given: Any) -> str | None:
    fine = isinstance(given, str) and 0 < len(given) <= _MOST_NAME and given.isprintable()
    return given if fine else None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
