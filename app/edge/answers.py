"""The headers that answers have whoever answers: for safety, for caches, and for pages of other origins."""

from collections.abc import Iterable
from typing import Final

from app.edge.cors import Cors, Header

__all__ = ["POLICY", "SAFE", "Finish", "with_vary"]

SAFE: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
# What is no page shows nothing and is shown in nothing. Pages have policies of their own.
POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_VARIES: Final = frozenset({"GET", "HEAD"})


class Finish:
    """Finishes the headers of answers."""

    def __init__(self, cors: Cors, hsts_seconds: int) -> None:
        """Allow what CORS allows; with seconds, let browsers come by TLS alone for so long."""
        self._cors = cors
        self._fixed = list(SAFE)
        if hsts_seconds:
            self._fixed.append((b"strict-transport-security", b"max-age=%d; includeSubDomains" % hsts_seconds))

    def __call__(
        self,
        headers: Iterable[Header],
        status: int,
        method: str,
        *,
        origin: bytes | None,
        is_authenticated: bool,
    ) -> list[Header]:
        """The headers of an answer, with those that it lacks. What a route has said itself stays."""
        found = list(headers)
        given = dict(found)
        found += [one for one in self._fixed if one[0] not in given]
        if b"content-security-policy" not in given and not given.get(b"content-type", b"").startswith(b"text/html"):
            found.append(POLICY)
        if b"cache-control" not in given:
            found.append((b"cache-control", _caching(status, b"etag" in given, is_authenticated)))
        if method in _VARIES:
            found = with_vary(found, b"Accept-Encoding")
        if self._cors:
            found = with_vary(found, b"Origin")
            found += [one for one in self._cors.answer(origin) if one[0] not in given]
        return found


def _caching(status: int, has_tag: bool, is_authenticated: bool) -> bytes:
    """Nobody keeps what is for one alone; what has a tag can be kept by who asked, to be asked about."""
    if is_authenticated:
        return b"private, no-cache" if has_tag else b"no-store"
    return b"no-cache" if status < 400 else b"no-store"


def with_vary(headers: list[Header], name: bytes) -> list[Header]:
    """The headers of an answer that also depends on another header of the request."""
    given = b", ".join(value for key, value in headers if key == b"vary")
    if not given:
        return [*headers, (b"vary", name)]
    names = {one.strip().lower() for one in given.split(b",")}
    if name.lower() in names or b"*" in names:
        return headers
    return [*(one for one in headers if one[0] != b"vary"), (b"vary", given + b", " + name)]
