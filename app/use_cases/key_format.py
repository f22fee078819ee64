"""What API keys look like: random, recognisable, and with a checksum, so that a mistyped one needs no looking up."""

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

__all__ = ["PREFIX", "digest_of", "hint_of", "is_well_formed", "new_secret"]

PREFIX: Final = "pw_"
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM: Final = 43
"""Digits to the base of 62 that 256 bits take."""
_CHECKSUM: Final = 6
"""Digits that a CRC-32 takes."""
_FORM: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECKSUM}}}")
# As keys were made before they had a checksum: 256 bits in the alphabet of URLs.
_OLD_FORM: Final = re.compile(rf"{PREFIX}[0-9A-Za-z_-]{{43}}")


def new_secret() -> str:
    """A new key: 256 random bits and their checksum."""
    random = _to_base_62(secrets.randbits(256), _RANDOM)
    return f"{PREFIX}{random}{_checksum(random)}"


def is_well_formed(secret: str) -> bool:
    """Whether this can be a key of ours at all."""
    if _FORM.fullmatch(secret):
        return _checksum(secret[len(PREFIX) : -_CHECKSUM]) == secret[-_CHECKSUM:]
    return _OLD_FORM.fullmatch(secret) is not None


def digest_of(secret: str) -> bytes:
    """What is kept of a key.

    A plain hash is enough: 256 random bits cannot be guessed, so there is nothing for a slow hash to slow down. And who
    measures how long a digest takes to be found learns of that digest alone, which leads back to no secret.
    """
    return hashlib.sha256(secret.encode("ascii")).digest()


def hint_of(secret: str) -> str:
    """The first characters, by which people tell keys apart."""
    return secret[:7]


def _checksum(random: str) -> str:
    return _to_base_62(zlib.crc32(random.encode("ascii")), _CHECKSUM)


def _to_base_62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
