"""The FastAPI application: routes, problems and the operators' endpoints."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from types import MappingProxyType
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

import app as partwise
from app.rest import (
    api_keys,
    audit_log,
    changes,
    clients,
    deliveries,
    digests,
    erasures,
    events,
    history,
    policies,
    portfolio_metrics,
    problem_pages,
    problems,
    recourse,
    reference,
    simulations,
    webhooks,
)
from app.rest.acceptable import refuse_unacceptable
from app.rest.deprecations import DEPRECATIONS, Deprecated, Deprecation
from app.rest.etags import EntityTags, UnchangedError, not_modified
from app.rest.fixed import Fixed
from app.rest.idempotency import IdempotencyKeys
from app.rest.noted import RouteNoted, note_route
from app.rest.openapi import openapi_document, operation_id
from app.rest.operators import operators_router
from app.rest.parameters import refuse_unclear_query
from app.rest.paths import SlashesInIds
from app.rest.services import Services, UsedServices, permitted
from app.scopes import REST
from app.services import Vitals

__all__ = ["Application", "create_operators", "create_rest"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_SUMMARY = "Which client relationships to mend, which to part with, why, and what would change that."
_DESCRIPTION = """Send what happens with each client as CloudEvents, then ask for its score and explanation."""


class Application(FastAPI):
    """The application, with endpoints of other kinds in front of it: the hottest route needs no router."""

    fronts: Mapping[str, ASGIApp] = MappingProxyType({})
    """By path; each also serves what is below it."""
    sockets: frozenset[str] = frozenset()
    """The paths among them at which there are WebSockets."""
    operations: frozenset[tuple[str, str]] = frozenset()
    """All operations that routes and fronts have, by method and template."""

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
        if scope["type"] in ("http", "websocket"):
            path = scope["path"]
            name = path if path in self.fronts else "/" + path[1:].partition("/")[0]
            front = self.fronts.get(name)
            if front is not None:
                note_route(scope, name)
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
            digests,
            erasures,
            policies,
            webhooks,
            deliveries,
            portfolio_metrics,
            api_keys,
            audit_log,
            problem_pages,
            reference,
        )
    ]
    routers.append(operators_router(services.vitals))
    routes = [route for router in routers for route in router.routes]
    # The first is the innermost.
    rest.add_middleware(RouteNoted)
    rest.add_middleware(IdempotencyKeys, services=services, routes=routes)
    rest.add_middleware(EntityTags)
    rest.add_exception_handler(UnchangedError, not_modified)
    if deprecations:
        rest.add_middleware(Deprecated, table=deprecations)
    rest.add_middleware(SlashesInIds)
    problems.install(rest, routes)
    for router in routers:
        rest.include_router(router)
    rest.openapi = lambda: openapi_document(rest, services, deprecations)  # type: ignore[method-assign]
    rest.add_api_route("/openapi.json", _document_of(rest), include_in_schema=False)
    rest.operations = _operations_of([*routes, *rest.router.routes])
    return rest


def create_operators(vitals: Vitals) -> Application:
    """Build what operators ask on a port of its own: the same routes for them, and no others."""
    made = Application(
        title="Partwise, for operators",
        version=partwise.__version__,
        dependencies=[Depends(_refuse_unclear_question)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    router = operators_router(vitals)
    problems.install(made, router.routes)
    made.include_router(router)
    return made


def _operations_of(routes: Iterable[BaseRoute]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (method, route.path) for route in routes if isinstance(route, Route) for method in route.methods or ()
    )


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


async def _refuse_unclear_question(request: Request) -> None:
    refuse_unclear_query(request)
    refuse_unacceptable(request)
