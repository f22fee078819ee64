"""CORS: which pages of other origins may read our answers.

Keys travel in `Authorization` and never in cookies, so nothing here allows credentials.
"""

from collections.abc import Collection, Mapping
from typing import Final

__all__ = ["Cors", "Header"]

Header = tuple[bytes, bytes]

_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_ALLOWED: Final = (
    b"Accept, Accept-Language, Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match, "
    b"If-None-Match, X-Request-Id, traceparent, tracestate, ce-id, ce-source, ce-specversion, ce-type, ce-subject, "
    b"ce-time, ce-datacontenttype, ce-dataschema"
)
_EXPOSED: Final = (
    b"Content-Language, Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, "
    b"RateLimit-Policy, Retry-After, Sunset, WWW-Authenticate, X-Request-Id"
)
_PREFLIGHT_SECONDS: Final = b"7200"
"""Longer than that no browser remembers."""


class Cors:
    """Answers to pages of the origins that are named, and of no others."""

    def __init__(self, origins: Collection[str]) -> None:
        """Allow these origins, each as browsers write them: `https://app.example`."""
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    def __bool__(self) -> bool:
        """Whether any origin is allowed, so that answers differ by origin."""
        return bool(self._origins)

    def is_preflight(self, method: str, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a browser asks if it may send a request."""
        return (
            method == "OPTIONS"
            and bool(self._origins)
            and b"origin" in headers
            and b"access-control-request-method" in headers
        )

    def preflight(self, headers: Mapping[bytes, bytes]) -> list[Header]:
        """The headers of the answer to that; none that allow anything where the origin is not allowed."""
        origin = headers.get(b"origin")
        if origin not in self._origins:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _ALLOWED),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]

    def answer(self, origin: bytes | None) -> list[Header]:
        """The headers of an answer to a page of an origin."""
        if origin not in self._origins:
            return []
        return [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED)]
