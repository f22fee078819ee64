"""The errors that a use case may end with; the outer ring turns them into problems or GraphQL errors."""

from collections.abc import Sequence

__all__ = [
    "AmbiguousError",
    "ConflictError",
    "ForbiddenError",
    "InvalidFieldsError",
    "InvalidRequestError",
    "NotFoundError",
    "PartwiseError",
    "UnauthenticatedError",
]


class PartwiseError(Exception):
    """Something that the caller can understand; the message is for people."""


class NotFoundError(PartwiseError):
    """There is no such thing, or it is another tenant's."""


class UnauthenticatedError(PartwiseError):
    """No key, or none that counts."""


class ForbiddenError(PartwiseError):
    """The key does not carry the scope that this needs."""


class AmbiguousError(PartwiseError):
    """The name fits several things."""


class ConflictError(PartwiseError):
    """It cannot be done as things stand."""


class InvalidFieldsError(PartwiseError):
    """Fields of the request cannot be used: each with a JSON pointer and what was expected."""

    def __init__(self, message: str, faults: Sequence[tuple[str, str]]) -> None:
        """Name the fields."""
        super().__init__(message)
        self.faults = tuple(faults)


class InvalidRequestError(PartwiseError):
    """A part of the request cannot be used: `pointer` names it, the message says what was expected."""

    def __init__(self, pointer: str, detail: str) -> None:
        """Name the field by a JSON pointer, or by `?name` for a query parameter."""
        super().__init__(detail)
        self.pointer = pointer
