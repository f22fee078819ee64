"""Fields with their descriptions: no field of the schema goes without."""

from typing import Any

import strawberry

__all__ = ["described"]


def described(description: str, **named: Any) -> Any:
    """A field that is an attribute."""
    return strawberry.field(description=description, **named)
