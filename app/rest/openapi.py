"""The OpenAPI 3.1 document: what the framework finds in the routes, with the event catalogue in it."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.rest import events, simulations
from app.rest.idempotency import IDEMPOTENCY_KEY, REPLAYED
from app.services import Services

__all__ = ["openapi_document"]

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457; `errors` name fields by JSON pointer, parameters as `?query`, `{path}` or `header:`.",
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
_EVENT = {"$ref": "#/components/schemas/CloudEvent"}
_FAULT = {
    "description": "A problem.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def openapi_document(rest: FastAPI, services: Services) -> dict[str, Any]:
    """The document of an application; made once."""
    if rest.openapi_schema:
        return rest.openapi_schema
    document = get_openapi(title=rest.title, version=rest.version, description=rest.description, routes=rest.routes)
    schemas, paths = document["components"]["schemas"], document["paths"]
    kinds = []
    for name, schema in services.decoder.schemas().items():
        body = {key: value for key, value in schema.items() if key != "$schema"}
        schemas[body["title"]] = body
        kinds.append(_cloud_event(name, body))
    schemas["CloudEvent"] = {"oneOf": kinds, "description": "A CloudEvent 1.0 of the catalogue."}
    schemas["Problem"] = _PROBLEM
    # Bodies that we read ourselves: the framework does not know them.
    paths["/v1/events"]["post"]["requestBody"] = _events_body()
    paths["/v1/clients/{client_id}/simulate"]["post"]["requestBody"] = _simulation_body(
        list(services.decoder.schemas())
    )
    for name, path in paths.items():
        if name.startswith("/v1/") and "post" in path:
            _describe_once(path["post"])
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _FAULT
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    rest.openapi_schema = document
    return document


def _describe_once(operation: dict[str, Any]) -> None:
    """Every POST takes an Idempotency-Key."""
    operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    for response in operation["responses"].values():
        response.setdefault("headers", {})["Idempotency-Replayed"] = REPLAYED


def _events_body() -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            events.STRUCTURED: {"schema": _EVENT},
            events.BATCH: {"schema": {"type": "array", "items": _EVENT, "maxItems": events.MOST_EVENTS}},
            events.NDJSON: {"schema": {"type": "string", "description": "One CloudEvent a line."}},
            "application/json": {"schema": {"anyOf": [_EVENT, {"type": "array", "items": _EVENT}, {"type": "object"}]}},
        },
    }


def _simulation_body(kinds: list[str]) -> dict[str, Any]:
    supposed = {
        "type": "object",
        "required": ["type"],
        "description": "A CloudEvent that might happen: `type` and `data` are enough.",
        "properties": {"type": {"enum": kinds}, "data": {"type": "object"}},
    }
    body = {
        "type": "object",
        "required": ["events"],
        "additionalProperties": False,
        "properties": {
            "events": {"type": "array", "minItems": 1, "maxItems": simulations.MOST_EVENTS, "items": supposed}
        },
    }
    return {"required": True, "content": {"application/json": {"schema": body}}}


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
