"""Request ids: the name of one request, in its answer and in all that is logged meanwhile."""

import os
import re
from typing import Final

from app.use_cases.at_hand import REQUEST_ID

__all__ = ["HEADER", "named", "new_id"]

HEADER: Final = b"x-request-id"
_plain = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")


def new_id() -> str:
    """An id that nobody has."""
    return os.urandom(16).hex()


def named(given: bytes | None) -> str:
    """The id of the request at hand: what its sender calls it, where that can be written anywhere; else a new one.

    What is logged from here on, in this request, carries it.
    """
    found = given.decode("ascii") if given is not None and _plain.fullmatch(given) else new_id()
    REQUEST_ID.set(found)
    return found
