"""The FastAPI application: routes, problems and the operators' endpoints."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

import app as partwise
from app.rest import clients, events, history, policies, problems, recourse, simulations
from app.rest.openapi import openapi_document
from app.rest.paths import SlashesInIds
from app.rest.services import Services, UsedServices

__all__ = ["create_rest"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION = """Which client relationships to mend, which to part with, why, and what would change that.

Send what happens with each client as CloudEvents, then ask for its score and explanation."""


def create_rest(services: Services, lifespan: Lifespan) -> FastAPI:
    """Build the application around the use cases."""
    rest = FastAPI(title="Partwise", version=partwise.__version__, description=_DESCRIPTION, lifespan=lifespan)
    rest.state.services = services
    rest.add_middleware(SlashesInIds)
    routers = [part.router for part in (events, clients, history, simulations, recourse, policies)]
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
    return problems.problem(503, "the database is not available at present", headers={"Retry-After": "1"})


async def _metrics() -> Response:
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
