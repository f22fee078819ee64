"""The errors that a use case may end with; the outer ring turns them into problems or GraphQL errors."""

from collections.abc import Sequence

__all__ = [
    "AmbiguousError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "InvalidFieldsError",
    "InvalidRequestError",
    "NotFoundError",
    "PartwiseError",
    "PreconditionFailedError",
    "RateLimitedError",
    "UnauthenticatedError",
]


class PartwiseError(Exception):
    """Something that the caller can understand; the message is for people."""


class NotFoundError(PartwiseError):
    """There is no such thing, or it is another tenant's."""


class GoneError(PartwiseError):
    """It was there, and is kept no longer."""


class PreconditionFailedError(PartwiseError):
    """It is not as the caller thinks that it is."""


class UnauthenticatedError(PartwiseError):
    """No key or token, or none that counts; `presented` tells whether there was one."""

    def __init__(self, message: str, *, presented: bool = True) -> None:
        """Say why."""
        super().__init__(message)
        self.presented = presented


class ForbiddenError(PartwiseError):
    """Who asks may not do this; `scope` is what it would take, None where no scope would help."""

    def __init__(self, message: str, scope: str | None = None) -> None:
        """Say why."""
        super().__init__(message)
        self.scope = scope


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


class RateLimitedError(PartwiseError):
    """A key asks for more than it may; `policy` names the limit, after `wait` seconds it may ask again."""

    def __init__(self, message: str, policy: str, wait: int) -> None:
        """Say when to come again."""
        super().__init__(message)
        self.policy = policy
        self.wait = wait
