"""Cursors: places in lists, signed, so that a list takes those alone that it gave itself."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Final

from app.ports.secrets import Secrets

__all__ = ["CHANGES", "MOST_CHARACTERS", "Cursors", "Places"]

CHANGES: Final = "changes"
"""The list whose cursors are places of the feed of changes."""
MOST_CHARACTERS: Final = 2_000
_TAG_BYTES: Final = 16
_PURPOSE: Final = b"partwise cursor 1\0"


class Places:
    """The cursors of one list of a tenant, with its filters."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Sign with the first key, and take what any of them has signed."""
        self._keys = keys

    def encode(self, *parts: str) -> str:
        """Pack a place in the list."""
        body = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return base64.urlsafe_b64encode(_tag(self._keys[0], body) + body).decode().rstrip("=")

    def decode(self, text: str, count: int) -> list[str]:
        """Unpack a place that was packed from so many parts.

        Raises:
            ValueError: it is no cursor of this list.
        """
        if len(text) > MOST_CHARACTERS or not text.isascii():
            raise ValueError("no cursor of this list")
        try:
            found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            raise ValueError("no cursor of this list") from None
        tag, body = found[:_TAG_BYTES], found[_TAG_BYTES:]
        # All are compared, whichever of them it is.
        fits = [hmac.compare_digest(tag, _tag(key, body)) for key in self._keys]
        if not any(fits):
            raise ValueError("no cursor of this list")
        parts = json.loads(body)
        if len(parts) != count:
            raise ValueError("no cursor of this list")
        return [str(part) for part in parts]


class Cursors:
    """Makes the cursors of every list."""

    def __init__(self, secrets: Secrets) -> None:
        """Sign with the tenants' secrets."""
        self._secrets = secrets

    async def of(self, tenant_id: str, *names: str) -> Places:
        """The cursors of one list.

        Args:
            tenant_id: whose list it is.
            names: which one, and with which filters: with others, its cursors are refused.
        """
        about = _PURPOSE + json.dumps([tenant_id, *names]).encode()
        return Places([hmac.digest(secret, about, hashlib.sha256) for secret in await self._secrets.of(tenant_id)])


def _tag(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:_TAG_BYTES]
