"""Seals: what is kept for one sender, encrypted so that only a request with the same name opens it."""

import hashlib
import hmac
import json
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["Seal"]

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class Seal:
    """What one name of a request opens; nobody keeps the name itself."""

    def __init__(self, tenant_id: str, credential: str, name: str) -> None:
        """Derive keys from a name, for one sender alone."""
        about = json.dumps([tenant_id, credential]).encode()
        keys = HKDF(SHA256(), 2 * _KEY_BYTES, salt=None, info=b"partwise request 1\0" + about).derive(name.encode())
        self._cipher, self._mac = AESGCM(keys[:_KEY_BYTES]), keys[_KEY_BYTES:]
        self.digest = hashlib.sha256(b"partwise request\0" + name.encode()).digest()

    def fingerprint(self, *parts: bytes) -> bytes:
        """Tells a request from another one, and nothing to who does not know the name."""
        found = hmac.new(self._mac, digestmod=hashlib.sha256)
        for part in parts:
            found.update(len(part).to_bytes(8, "big"))
            found.update(part)
        return found.digest()

    def close(self, content: bytes) -> bytes:
        """Encrypt."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, self.digest)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: it was not sealed by this name, or was changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self.digest)
        except InvalidTag:
            raise ValueError("not sealed by this name") from None
