"""The FastAPI application: routes, problems and the operators' endpoints."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

import app as partwise
from app.rest import clients, events, problems
from app.rest.paths import SlashesInIds
from app.rest.services import Services, UsedServices

__all__ = ["create_rest", "openapi_document"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION = """Which client relationships to mend, which to part with, why, and what would change that.

Send what happens with each client as CloudEvents, then ask for its score and explanation."""


def create_rest(services: Services, lifespan: Lifespan) -> FastAPI:
    """Build the application around the use cases."""
    rest = FastAPI(title="Partwise", version=partwise.__version__, description=_DESCRIPTION, lifespan=lifespan)
    rest.state.services = services
    rest.add_middleware(SlashesInIds)
    problems.install(rest, [*events.router.routes, *clients.router.routes])
    rest.include_router(events.router)
    rest.include_router(clients.router)
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


def openapi_document(rest: FastAPI, services: Services) -> dict[str, Any]:
    """The OpenAPI 3.1 document, with the event catalogue in it."""
    if rest.openapi_schema:
        return rest.openapi_schema
    document = get_openapi(title=rest.title, version=rest.version, description=rest.description, routes=rest.routes)
    schemas = document["components"]["schemas"]
    kinds = []
    for name, schema in services.decoder.schemas().items():
        body = {key: value for key, value in schema.items() if key != "$schema"}
        schemas[body["title"]] = body
        kinds.append(_cloud_event(name, body))
    schemas["CloudEvent"] = {"oneOf": kinds, "description": "A CloudEvent 1.0 of the catalogue."}
    schemas["Problem"] = _PROBLEM
    event = {"$ref": "#/components/schemas/CloudEvent"}
    document["paths"]["/v1/events"]["post"]["requestBody"] = {
        "required": True,
        "content": {
            events.STRUCTURED: {"schema": event},
            events.BATCH: {"schema": {"type": "array", "items": event, "maxItems": events.MOST_EVENTS}},
            events.NDJSON: {"schema": {"type": "string", "description": "One CloudEvent a line."}},
            "application/json": {"schema": {"anyOf": [event, {"type": "array", "items": event}, {"type": "object"}]}},
        },
    }
    fault = {
        "description": "A problem.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = fault
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    rest.openapi_schema = document
    return document


def _cloud_event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    return {
        "type": "object",
        "title": name,
        "required": ["specversion", "id", "source", "type", "subject", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"const": name},
            "subject": {**text, "description": "Your own id of the client."},
            "time": {"type": "string", "format": "date-time"},
            "data": {"$ref": f"#/components/schemas/{data['title']}"},
        },
    }


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457; `errors` name fields by JSON pointer, `?name` for a query parameter.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
