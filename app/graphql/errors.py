"""Errors: what a GraphQL error says, with a code, and what is never told."""

from typing import Any, Final

from graphql import GraphQLError

from app.ports.ledger import StoreUnavailableError
from app.use_cases.errors import (
    AmbiguousError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidFieldsError,
    InvalidRequestError,
    NotFoundError,
    PartwiseError,
    RateLimitedError,
    UnauthenticatedError,
)
from app.use_cases.live_changes import FellBehindError

__all__ = ["coded", "public"]

_CODES: Final[dict[type[PartwiseError], str]] = {
    NotFoundError: "NOT_FOUND",
    GoneError: "CURSOR_EXPIRED",
    FellBehindError: "TOO_SLOW",
    UnauthenticatedError: "UNAUTHENTICATED",
    ForbiddenError: "FORBIDDEN",
    RateLimitedError: "RATE_LIMITED",
    AmbiguousError: "CONFLICT",
    ConflictError: "CONFLICT",
    InvalidFieldsError: "BAD_USER_INPUT",
    InvalidRequestError: "BAD_USER_INPUT",
}


_MOST_CHARACTERS: Final = 300
"""Of a message: what was sent may be in it."""


def coded(message: str, code: str, **more: Any) -> GraphQLError:
    """An error that clients can act on."""
    return GraphQLError(message, extensions={"code": code, **more})


def public(error: GraphQLError) -> dict[str, Any]:
    """An error as it is answered: what the caller did is told, what happened inside is not."""
    told = error.formatted
    if "int_max_str_digits" in told["message"]:
        told["message"] = "expected a number with fewer digits"
    if len(told["message"]) > _MOST_CHARACTERS:
        told["message"] = told["message"][:_MOST_CHARACTERS] + "…"
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    # Without a path it is about the request, not from within a resolver.
    if cause is None or isinstance(cause, GraphQLError) or error.path is None:
        extensions = dict(told.get("extensions") or {})
        extensions.setdefault("code", "BAD_USER_INPUT" if error.path else "GRAPHQL_VALIDATION_FAILED")
        return {**told, "extensions": extensions}
    if isinstance(cause, StoreUnavailableError):
        message = "the database is not available at present; try again"
        return {**told, "message": message, "extensions": {"code": "UNAVAILABLE"}}
    code = next((code for kind, code in _CODES.items() if isinstance(cause, kind)), None)
    if code is None:
        return {**told, "message": "an error on our side; it has been logged", "extensions": {"code": "INTERNAL"}}
    extensions = {"code": code}
    if isinstance(cause, InvalidRequestError):
        extensions["argument"] = cause.pointer.lstrip("?/")
    if isinstance(cause, RateLimitedError):
        extensions["retryAfter"] = cause.wait
    return {**told, "message": str(cause), "extensions": extensions}
