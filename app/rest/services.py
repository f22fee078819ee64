"""Who asks, and what the routes are given by the composition root."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.ports.tenants import Scope
from app.services import Services
from app.use_cases.errors import UnauthenticatedError
from app.use_cases.keys import Principal

__all__ = ["Anyone", "Ingester", "Manager", "Reader", "Services", "UsedServices"]


# Coroutines, though they wait for nothing: the framework would run plain functions in a thread.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


UsedServices = Annotated[Services, Depends(_services)]
_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer pw_…`.")


async def _principal(
    services: UsedServices, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    if credentials is None:
        raise UnauthenticatedError("send an API key: Authorization: Bearer pw_…")
    return await services.keys.authenticate(credentials.credentials)


def _with(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    async def check(principal: Annotated[Principal, Depends(_principal)]) -> Principal:
        principal.require(scope)
        return principal

    return check


Anyone = Annotated[Principal, Depends(_principal)]
"""Whoever has a key, whatever for: what it is needed for is checked beside."""
Reader = Annotated[Principal, Depends(_with(Scope.READ))]
Ingester = Annotated[Principal, Depends(_with(Scope.INGEST))]
Manager = Annotated[Principal, Depends(_with(Scope.MANAGE))]
