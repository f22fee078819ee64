"""RFC 9457 problems: every error of the API is turned into one here."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.ports.ledger import StoreBusyError, StoreUnavailableError
from app.ports.tokens import IssuerUnavailableError
from app.rest.noted import note_problem
from app.rest.paths import shown_path
from app.rest.problem_types import (
    AMBIGUOUS_ID,
    BUSY,
    CONFLICT,
    CURSOR_EXPIRED,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    ISSUER_UNAVAILABLE,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PRECONDITION_FAILED,
    RATE_LIMITED,
    UNAUTHENTICATED,
    ProblemType,
    type_of_status,
)
from app.use_cases.at_hand import REQUEST_ID
from app.use_cases.errors import (
    AmbiguousError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidFieldsError,
    InvalidRequestError,
    NotFoundError,
    PartwiseError,
    PreconditionFailedError,
    RateLimitedError,
    UnauthenticatedError,
)
from app.wire.challenges import challenge
from app.wire.faults import InvalidBodyError, MalformedBodyError, pointer_to

__all__ = ["HttpError", "answer_to", "install", "problem", "problem_body"]

_TYPES: Mapping[type[PartwiseError], ProblemType] = {
    NotFoundError: NOT_FOUND,
    UnauthenticatedError: UNAUTHENTICATED,
    ForbiddenError: FORBIDDEN,
    AmbiguousError: AMBIGUOUS_ID,
    ConflictError: CONFLICT,
    GoneError: CURSOR_EXPIRED,
    PreconditionFailedError: PRECONDITION_FAILED,
    InvalidFieldsError: INVALID_REQUEST,
    InvalidRequestError: INVALID_REQUEST,
}


_BUSY_SECONDS = "5"


class HttpError(PartwiseError):
    """An error of HTTP itself, such as a body that is too large."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with a problem of a type."""
        super().__init__(detail)
        self.kind = kind
        self.errors = errors
        self.headers = headers


class _Problem(JSONResponse):
    """An answer that notes what kind of problem it is."""

    media_type = "application/problem+json"

    def __init__(self, kind: ProblemType, body: Mapping[str, Any], headers: Mapping[str, str] | None) -> None:
        super().__init__(body, kind.status, headers)
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        note_problem(scope, self._kind)
        await super().__call__(scope, receive, send)


def problem(
    kind: ProblemType,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Build a problem response; `errors` name fields by JSON pointer."""
    body = problem_body(kind, detail, errors)
    return _Problem(kind, body, headers)


def problem_body(
    kind: ProblemType, detail: str, errors: Sequence[Mapping[str, Any]] = (), request_id: str | None = None
) -> dict[str, Any]:
    """What a problem says; it names the request at hand, where there is one."""
    body: dict[str, Any] = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    if (found := request_id or REQUEST_ID.get()) is not None:
        body["request_id"] = found
    return body


def answer_to(error: PartwiseError | StoreUnavailableError) -> JSONResponse:
    """The problem that an error becomes."""
    if isinstance(error, StoreBusyError):
        return problem(BUSY, str(error), headers={"Retry-After": _BUSY_SECONDS})
    if isinstance(error, IssuerUnavailableError):
        return problem(ISSUER_UNAVAILABLE, str(error), headers={"Retry-After": _BUSY_SECONDS})
    if isinstance(error, StoreUnavailableError):
        detail = "the database is not available at present; try again"
        return problem(DATABASE_UNAVAILABLE, detail, headers={"Retry-After": "1"})
    if isinstance(error, HttpError):
        return problem(error.kind, str(error), error.errors, error.headers)
    if isinstance(error, RateLimitedError):
        return _rate_limited(error)
    found = next((kind for raised, kind in _TYPES.items() if isinstance(error, raised)), MALFORMED_REQUEST)
    errors = []
    if isinstance(error, InvalidRequestError):
        errors = [{"pointer": error.pointer, "detail": str(error)}]
    elif isinstance(error, InvalidFieldsError):
        errors = [{"pointer": pointer, "detail": detail} for pointer, detail in error.faults]
    headers = {}
    if isinstance(error, UnauthenticatedError | ForbiddenError):
        headers["WWW-Authenticate"] = challenge(error)
    return problem(found, str(error), errors, headers)


def _rate_limited(error: RateLimitedError) -> JSONResponse:
    """Tell a key when to come again; the member is that of the draft of the RateLimit fields."""
    body = problem_body(RATE_LIMITED, str(error)) | {"violated-policies": [error.policy]}
    headers = {"Retry-After": str(error.wait)}
    return _Problem(RATE_LIMITED, body, headers)


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Turn every error of an application into a problem; `routes` are those of the API."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, PartwiseError | StoreUnavailableError)
        return answer_to(error)

    async def malformed(request: Request, error: Exception) -> JSONResponse:
        del request
        return problem(MALFORMED_REQUEST, str(error))

    async def unusable(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, InvalidBodyError)
        return problem(INVALID_REQUEST, str(error), [{"pointer": error.pointer, "detail": str(error)}])

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, RequestValidationError)
        # A parameter that several dependencies take has failed in each.
        faults = dict.fromkeys((_pointer(each["loc"]), str(each["msg"])) for each in error.errors())
        errors = [{"pointer": pointer, "detail": detail} for pointer, detail in faults]
        for each in error.errors():
            if each["type"] == "json_invalid":
                where = f"{each['ctx']['error']} at character {each['loc'][-1]}"
                return problem(MALFORMED_REQUEST, f"expected JSON: {where}")
        return problem(INVALID_REQUEST, "the request has fields that cannot be used", errors)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind, detail, headers = type_of_status(error.status_code), str(error.detail), dict(error.headers or {})
        if kind is NOT_FOUND:
            detail = f"there is nothing at {shown_path(request)}"
        elif kind is METHOD_NOT_ALLOWED:
            detail = f"{request.method} is not possible at {shown_path(request)}"
            # The framework names the methods of the first route that has the path; others may have it too.
            here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
            methods = {method for route in here for method in getattr(route, "methods", None) or ()}
            headers["Allow"] = ", ".join(sorted(methods)) or headers.get("Allow", "")
        return problem(kind, detail, headers=headers)

    async def gone(request: Request, error: Exception) -> JSONResponse:
        del request, error
        return problem(MALFORMED_REQUEST, "the request ended early")  # Nobody reads it.

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        del request, error
        return problem(INTERNAL_ERROR, "an error on our side; it has been logged")

    app.add_exception_handler(PartwiseError, known)
    app.add_exception_handler(MalformedBodyError, malformed)
    app.add_exception_handler(InvalidBodyError, unusable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(StoreUnavailableError, known)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, unforeseen)


def _pointer(location: Sequence[int | str]) -> str:
    """Name a field: a JSON pointer into the body, `?name` of the query, `{name}` of the path, `name:` of a header."""
    where, *rest = location
    if where == "query":
        return f"?{'.'.join(map(str, rest))}"
    if where == "path":
        return f"{{{'.'.join(map(str, rest))}}}"
    if where in ("header", "cookie"):
        return f"{'.'.join(map(str, rest))}:"
    return pointer_to(*rest)
