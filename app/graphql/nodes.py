"""Global ids, after Relay's Global Object Identification."""

import base64
from binascii import b2a_base64
from typing import Final

import strawberry

from app.graphql.errors import coded
from app.graphql.fields import described
from app.wire.fields import is_name

__all__ = ["Node", "global_id", "read_global_id", "require_client_id"]

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


@strawberry.interface(description="Anything that can be read again by its global id.")
class Node:
    """An object with a global id."""

    id: strawberry.ID = described("Globally unique, and opaque.")


def global_id(kind: str, *names: str) -> strawberry.ID:
    """Name an object of a type."""
    packed = "\x1f".join((kind, *names)).encode()
    return strawberry.ID(b2a_base64(packed, newline=False).translate(_URL_SAFE).decode().rstrip("="))


def read_global_id(text: str) -> tuple[str, list[str]]:
    """The type and the names of a global id.

    Raises:
        GraphQLError: it is none that we gave.
    """
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        packed = ""
    kind, *names = packed.split("\x1f")
    if not names or not all(map(is_name, names)) or len(text) > 2_000:
        raise coded("expected a global id that this API gave", "BAD_USER_INPUT", argument="id")
    return kind, names


def require_client_id(text: str) -> None:
    """Let pass what may name a client.

    Raises:
        GraphQLError: it cannot be a client's id, whoever's.
    """
    if not is_name(text) or len(text) > 1_000:
        raise coded("expected a client id", "BAD_USER_INPUT", argument="clientId")
