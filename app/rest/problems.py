"""RFC 9457 problems: every error of the API is turned into one here."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from app.ports.ledger import StoreBusyError, StoreUnavailableError
from app.use_cases.errors import (
    AmbiguousError,
    ConflictError,
    ForbiddenError,
    InvalidFieldsError,
    InvalidRequestError,
    NotFoundError,
    PartwiseError,
    UnauthenticatedError,
)
from app.wire.challenges import challenge
from app.wire.faults import InvalidBodyError, MalformedBodyError, pointer_to

__all__ = ["HttpError", "install", "problem"]

_STATUS: Mapping[type[PartwiseError], int] = {
    NotFoundError: 404,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    AmbiguousError: 409,
    ConflictError: 409,
    InvalidFieldsError: 422,
    InvalidRequestError: 422,
}


_BUSY_SECONDS = "5"


class HttpError(PartwiseError):
    """An error of HTTP itself, such as a body that is too large."""

    def __init__(self, status: int, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        """Answer a status with a problem."""
        super().__init__(detail)
        self.status = status
        self.errors = errors


def problem(
    status: int, detail: str, errors: Sequence[Mapping[str, Any]] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Build a problem response; `errors` name fields by JSON pointer."""
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": f"/problems/{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, dict(headers or {}), media_type="application/problem+json")


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Turn every error of an application into a problem; `routes` are those of the API."""

    async def known(request: Request, error: Exception) -> JSONResponse:
        del request
        if isinstance(error, HttpError):
            return problem(error.status, str(error), error.errors)
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
        errors = []
        if isinstance(error, InvalidRequestError):
            errors = [{"pointer": error.pointer, "detail": str(error)}]
        elif isinstance(error, InvalidFieldsError):
            errors = [{"pointer": pointer, "detail": detail} for pointer, detail in error.faults]
        headers = {}
        if isinstance(error, UnauthenticatedError | ForbiddenError):
            headers["WWW-Authenticate"] = challenge(error)
        return problem(status, str(error), errors, headers)

    async def malformed(request: Request, error: Exception) -> JSONResponse:
        del request
        return problem(400, str(error))

    async def unusable(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, InvalidBodyError)
        return problem(422, str(error), [{"pointer": error.pointer, "detail": str(error)}])

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, RequestValidationError)
        errors = [{"pointer": _pointer(each["loc"]), "detail": str(each["msg"])} for each in error.errors()]
        for each in error.errors():
            if each["type"] == "json_invalid":
                return problem(400, f"expected JSON: {each['ctx']['error']} at character {each['loc'][-1]}")
        return problem(422, "the request has fields that cannot be used", errors)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        detail, headers = str(error.detail), dict(error.headers or {})
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"there is nothing at {request.url.path}"
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"{request.method} is not possible at {request.url.path}"
            # The framework names the methods of the first route that has the path; others may have it too.
            here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
            methods = {method for route in here for method in getattr(route, "methods", None) or ()}
            headers["Allow"] = ", ".join(sorted(methods)) or headers.get("Allow", "")
        return problem(error.status_code, detail, headers=headers)

    async def away(request: Request, error: Exception) -> JSONResponse:
        del request
        if isinstance(error, StoreBusyError):
            return problem(503, str(error), headers={"Retry-After": _BUSY_SECONDS})
        return problem(503, "the database is not available at present; try again", headers={"Retry-After": "1"})

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        del request, error
        return problem(500, "an error on our side; it has been logged")

    app.add_exception_handler(PartwiseError, known)
    app.add_exception_handler(MalformedBodyError, malformed)
    app.add_exception_handler(InvalidBodyError, unusable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(StoreUnavailableError, away)
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
