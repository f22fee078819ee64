"""The FastAPI application: routes, problems and the operators' endpoints."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

import app as partwise
from app.rest import clients, erasures, events, history, policies, problem_pages, problems, recourse, simulations
from app.rest.openapi import openapi_document
from app.rest.paths import SlashesInIds
from app.rest.problem_types import DATABASE_UNAVAILABLE
from app.rest.services import Services, UsedServices

__all__ = ["Application", "create_rest"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION = """Which client relationships to mend, which to part with, why, and what would change that.

Send what happens with each client as CloudEvents, then ask for its score and explanation."""


class Application(FastAPI):
    """The application, with endpoints of other kinds in front of it: the hottest route needs no router."""

    fronts: Mapping[str, ASGIApp] = MappingProxyType({})
    """By path; each also serves what is below it."""

    def __init__(self, **options: Any) -> None:
        """Make it as the framework does."""
        super().__init__(**options)
        self._outermost: ASGIApp = self._inside

    def surround(self, wrap: Callable[[ASGIApp], ASGIApp]) -> None:
        """Put a middleware around all of it, the endpoints in front included."""
        self._outermost = wrap(self._outermost)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        await self._outermost(scope, receive, send)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            front = self.fronts.get(path) or self.fronts.get("/" + path[1:].partition("/")[0])
            if front is not None:
                await front(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def create_rest(services: Services, lifespan: Lifespan) -> Application:
    """Build the application around the use cases."""
    rest = Application(title="Partwise", version=partwise.__version__, description=_DESCRIPTION, lifespan=lifespan)
    rest.state.services = services
    rest.add_middleware(SlashesInIds)
    routers = [
        part.router for part in (events, clients, history, simulations, recourse, erasures, policies, problem_pages)
    ]
    problems.install(rest, [route for router in routers for route in router.routes])
    for router in routers:
        rest.include_router(router)
    rest.add_api_route("/livez", _livez, tags=["operations"], summary="Is the process alive?")
    rest.add_api_route("/readyz", _readyz, tags=["operations"], summary="Can it serve?")
    rest.add_api_route(
        "/metrics", _metrics, tags=["operations"], summary="Prometheus metrics", response_class=PlainTextResponse
    )
    rest.openapi = lambda: openapi_document(rest, services)  # type: ignore[method-assign]
    return rest


async def _livez() -> dict[str, str]:
    """Never asks the database: restarting us would not mend it."""
    return {"status": "ok"}


async def _readyz(services: UsedServices) -> Response:
    """Asks the database."""
    if await services.ready():
        return JSONResponse({"status": "ok"})
    return problems.problem(
        DATABASE_UNAVAILABLE, "the database is not available at present", headers={"Retry-After": "1"}
    )


async def _metrics() -> Response:
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
