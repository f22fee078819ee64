"""Signatures of the Standard Webhooks specification."""

import base64
import hmac
from collections.abc import Sequence
from typing import Final

__all__ = ["PREFIX", "key_of", "signatures"]

PREFIX: Final = "whsec_"


def key_of(secret: str) -> bytes:
    """The bytes that sign, of a secret as it is told.

    Raises:
        ValueError: it is none.
    """
    if not secret.startswith(PREFIX):
        raise ValueError("a secret begins with whsec_")
    return base64.b64decode(secret[len(PREFIX) :], validate=True)


def signatures(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """What `webhook-signature` says: one for each key, with a space between."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
