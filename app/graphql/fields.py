"""Fields with their descriptions, and what they cost: no field of the schema goes without."""

from typing import Any

import strawberry

from app.graphql.costs import Cost

__all__ = ["answered", "described"]


def described(description: str, **named: Any) -> Any:
    """A field that is an attribute."""
    return strawberry.field(description=description, **named)


def answered(description: str, *, weight: int = 1, size: int = 1) -> Any:
    """A field that a method answers; see `costs.py` for what it costs."""
    directives = [] if weight == size == 1 else [Cost(weight=weight, size=size)]
    return strawberry.field(description=description, directives=directives)
