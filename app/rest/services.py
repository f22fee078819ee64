"""Who asks, and what the routes are given by the composition root."""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.scopes import REST, scopes_of
from app.services import ALLOWANCE, Services, let_in
from app.use_cases.errors import ForbiddenError
from app.use_cases.keys import Principal
from app.use_cases.rates import Allowance
from app.wire.credentials import bearer_secret

__all__ = [
    "Ingester",
    "Manager",
    "Permitted",
    "Reader",
    "Services",
    "UsedServices",
    "allowance_of",
    "permitted",
    "require_scope",
]

_PRINCIPAL: Final = "partwise.principal"


# Coroutines, though they wait for nothing: the framework would run plain functions in a thread.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


UsedServices = Annotated[Services, Depends(_services)]
_bearer = HTTPBearer(
    auto_error=False,
    description="An API key (`Authorization: Bearer pw_…`), or an access token (JWT) of a trusted OpenID provider.",
)


async def permitted(request: Request, services: Services) -> Principal:
    """Find out who asks, count the request, and see that he may: once, whoever looks first.

    Raises:
        UnauthenticatedError: nobody knows.
        RateLimitedError: not now.
        ForbiddenError: he may not.
    """
    state = request.scope.setdefault("state", {})
    known: Principal | None = state.get(_PRINCIPAL)
    if known is not None:
        return known
    principal = await services.authenticate(bearer_secret(request.scope["headers"]), state.get("request_id"))
    await let_in(request.scope, services.rates, principal)
    require_scope(principal, request.method, request.scope["route"].path)
    state[_PRINCIPAL] = principal
    return principal


def require_scope(principal: Principal, method: str, path: str) -> None:
    """See that somebody may use an operation, which is named by the template of its path.

    Raises:
        ForbiddenError: he may not.
    """
    operation = f"{method} {path}"
    if operation not in REST:
        raise ForbiddenError(f"no scope is known for {operation}")
    for scope in scopes_of(operation):
        principal.require(scope)


def allowance_of(request: Request) -> Allowance:
    """What the key that asks may still ask for, once it is known who asks."""
    found: Allowance = request.scope["state"][ALLOWANCE]
    return found


async def _permitted(
    request: Request,
    services: UsedServices,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    # Which is there for the document.
    del credentials
    return await permitted(request, services)


Permitted = Annotated[Principal, Depends(_permitted)]
"""Who asks, with the scope that `app.scopes` asks of the route."""
# Until every route says Permitted.
Reader = Permitted
Ingester = Permitted
Manager = Permitted
