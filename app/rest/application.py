"""The FastAPI application: routes, problems and the operators' endpoints."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from types import MappingProxyType
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

import app as partwise
from app.rest import (
    api_keys,
    audit_log,
    changes,
    clients,
    erasures,
    events,
    history,
    policies,
    problem_pages,
    problems,
    recourse,
    reference,
    simulations,
)
from app.rest.acceptable import refuse_unacceptable
from app.rest.answers import StatusAnswer
from app.rest.deprecations import DEPRECATIONS, Deprecated, Deprecation
from app.rest.etags import EntityTags, UnchangedError, not_modified
from app.rest.fixed import Fixed
from app.rest.idempotency import IdempotencyKeys
from app.rest.openapi import openapi_document, operation_id
from app.rest.parameters import refuse_unclear_query
from app.rest.paths import SlashesInIds
from app.rest.problem_types import DATABASE_UNAVAILABLE
from app.rest.services import Services, UsedServices, permitted
from app.scopes import REST

__all__ = ["Application", "create_rest"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_SUMMARY = "Which client relationships to mend, which to part with, why, and what would change that."
_DESCRIPTION = """Send what happens with each client as CloudEvents, then ask for its score and explanation."""


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


def create_rest(
    services: Services, lifespan: Lifespan, deprecations: Sequence[Deprecation] = DEPRECATIONS
) -> Application:
    """Build the application around the use cases."""
    rest = Application(
        title="Partwise",
        version=partwise.__version__,
        summary=_SUMMARY,
        description=_DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(_refuse_unclear)],
        generate_unique_id_function=operation_id,
        # Served below, and by app.rest.reference.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # It would tell of paths and queries, which name clients; app.tracing tells of neither.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        # What is not there is not there; a redirect would lead wherever the Host header says.
        redirect_slashes=False,
    )
    rest.state.services = services
    routers = [
        part.router
        for part in (
            events,
            clients,
            history,
            simulations,
            recourse,
            changes,
            erasures,
            policies,
            api_keys,
            audit_log,
            problem_pages,
            reference,
        )
    ]
    routes = [route for router in routers for route in router.routes]
    rest.add_middleware(IdempotencyKeys, services=services, routes=routes)
    rest.add_middleware(EntityTags)
    rest.add_exception_handler(UnchangedError, not_modified)
    if deprecations:
        rest.add_middleware(Deprecated, table=deprecations)
    rest.add_middleware(SlashesInIds)
    problems.install(rest, routes)
    for router in routers:
        rest.include_router(router)
    rest.add_api_route(
        "/livez", get_liveness, response_model=StatusAnswer, tags=["operations"], summary="Is the process alive?"
    )
    rest.add_api_route(
        "/readyz", get_readiness, response_model=StatusAnswer, tags=["operations"], summary="Can it serve?"
    )
    rest.add_api_route(
        "/metrics", get_metrics, tags=["operations"], summary="Prometheus metrics", response_class=PlainTextResponse
    )
    rest.openapi = lambda: openapi_document(rest, services, deprecations)  # type: ignore[method-assign]
    rest.add_api_route("/openapi.json", _document_of(rest), include_in_schema=False)
    return rest


def _document_of(rest: FastAPI) -> Callable[[Request], Awaitable[Response]]:
    @cache
    def document() -> Fixed:
        return Fixed(json.dumps(rest.openapi(), ensure_ascii=False).encode(), "application/json", "public, max-age=300")

    async def get_document(request: Request) -> Response:
        return document().answer(request)

    return get_document


async def _refuse_unclear(request: Request, services: UsedServices) -> None:
    """What every route refuses, once it is known who asks. One dependency: each costs the hot route something."""
    if f"{request.method} {request.scope['route'].path}" in REST:
        await permitted(request, services)
    refuse_unclear_query(request)
    refuse_unacceptable(request)


async def get_liveness() -> dict[str, str]:
    """Never asks the database: restarting us would not mend it."""
    return {"status": "ok"}


async def get_readiness(services: UsedServices) -> Response:
    """Asks the database."""
    if await services.ready():
        return JSONResponse({"status": "ok"})
    return problems.problem(
        DATABASE_UNAVAILABLE, "the database is not available at present", headers={"Retry-After": "1"}
    )


async def get_metrics() -> Response:
    """What this process counts, in the text format of Prometheus."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
