"""Entity tags (RFC 9110, 8.8.3): what tells one representation from another, signed where it carries an instant."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.ports.secrets import Secrets

__all__ = ["MOST_CHARACTERS", "MOST_TAGS", "Tagger", "Taggers", "Tags", "read_tags", "tag_of"]

_PURPOSE: Final = b"partwise tag 1\0"
_BYTES: Final = 16
_INSTANT_BYTES: Final = 8
MOST_TAGS: Final = 50
MOST_CHARACTERS: Final = 4_096
"""Of a header of tags, as many as are looked at."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Nothing is given back once it matched: so blanks without end take no longer than their number.
_LIST: Final = re.compile(r'[ \t]*+(?:(W/)?"([!#-~\x80-\xff]*+)"[ \t]*+)?(?:,|$)')


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a conditional header, without their quotes.

    Attributes:
        everything: whether it is `*`: whatever there is.
        strong, weak: the tags.
    """

    everything: bool = False
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Those to compare where a weak one does, too."""
        return self.strong + self.weak


def read_tags(header: str) -> Tags | None:
    """The tags in If-Match or If-None-Match; None for what is no list of tags, or too long a one."""
    if header.strip() == "*":
        return Tags(everything=True)
    if len(header) > MOST_CHARACTERS:
        return None
    strong: list[str] = []
    weak: list[str] = []
    place = 0
    while place < len(header):
        found = _LIST.match(header, place)
        if found is None or found.end() == place or len(strong) + len(weak) == MOST_TAGS:
            return None
        if found[2] is not None:
            (weak if found[1] else strong).append(found[2])
        place = found.end()
    return Tags(strong=tuple(strong), weak=tuple(weak))


def tag_of(content: bytes) -> str:
    """The tag of some content."""
    return _text(hashlib.sha256(content).digest()[:_BYTES])


class Tagger:
    """Makes tags of what answers were made from, and knows its own again."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Sign with the first key, and know what any of them has signed."""
        self._keys = keys

    def tag(self, *parts: object) -> str:
        """The tag of what is made from some parts, and from nothing else."""
        return _text(_signed(self._keys[0], b"", parts))

    def knows(self, tags: Sequence[str], *parts: object) -> bool:
        """Whether one of some tags is that of some parts."""
        ours = [_text(_signed(key, b"", parts)) for key in self._keys]
        return any(
            hmac.compare_digest(tag.encode("utf-8", "surrogatepass"), own.encode()) for tag in tags for own in ours
        )

    def tag_at(self, instant: datetime, *parts: object) -> str:
        """The tag of what was made from some parts at an instant."""
        at = ((instant - _EPOCH) // _MICROSECOND).to_bytes(_INSTANT_BYTES, "big", signed=True)
        return _text(at + _signed(self._keys[0], at, parts))

    def instants(self, tags: Sequence[str], *parts: object) -> dict[str, datetime]:
        """Of tags that were made from some parts: at which instant."""
        found = {}
        for tag in tags:
            content = _content(tag)
            at, signature = content[:_INSTANT_BYTES], content[_INSTANT_BYTES:]
            if any([hmac.compare_digest(signature, _signed(key, at, parts)) for key in self._keys]):  # noqa: C419
                found[tag] = _EPOCH + int.from_bytes(at, "big", signed=True) * _MICROSECOND
        return found


class Taggers:
    """Makes the tags of everything."""

    def __init__(self, secrets: Secrets, version: str) -> None:
        """Sign with the tenants' secrets, for a version of this program."""
        self._secrets = secrets
        self._version = version

    async def of(self, tenant_id: str, *names: str) -> Tagger:
        """The tags of one resource of a tenant, by its names."""
        about = _PURPOSE + json.dumps([self._version, tenant_id, *names]).encode()
        return Tagger([hmac.digest(secret, about, hashlib.sha256) for secret in await self._secrets.of(tenant_id)])


def _signed(key: bytes, at: bytes, parts: Sequence[object]) -> bytes:
    return hmac.digest(key, at + json.dumps(parts, default=str).encode(), hashlib.sha256)[:_BYTES]


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _content(tag: str) -> bytes:
    if len(tag) != 4 * (_INSTANT_BYTES + _BYTES) // 3:
        return b""
    try:
        return base64.b64decode(tag, altchars=b"-_", validate=True)
    except ValueError:
        return b""
