"""Puts the document together."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.rest.deprecations import Deprecation
from app.rest.openapi.bodies import EVENT_ATTRIBUTES, add_events, events_body, simulation_body
from app.rest.openapi.deprecations import mark_deprecated
from app.rest.openapi.examples import add_examples
from app.rest.openapi.headers import NOT_MODIFIED, add_headers, is_tagged
from app.rest.openapi.links import add_links
from app.rest.openapi.messages import add_messages
from app.rest.openapi.operations import OPERATORS, Operation, operations_of
from app.rest.openapi.problems import PROBLEM, add_problems, share_problems
from app.rest.openapi.schemas import CURRENCY, tidied
from app.scopes import REST, scopes_of
from app.services import Services

__all__ = ["openapi_document", "operation_id"]

_BEARER: Final = "bearer"
_TAGS: Final = (
    ("events", "What happens with clients: send it, find it again, and the catalogue of what is understood."),
    ("clients", "What follows from it: scores, explanations, histories, what would change them. And erasure."),
    ("policies", "The settings of the scoring, in versions that never change."),
    ("webhooks", "Being told what becomes other: where to, signed by what, and what became of each delivery."),
    ("metrics", "How all clients stand together, in numbers: for CRM plugins, and for your own Prometheus."),
    ("access", "API keys, and the log of who changed what."),
    ("problems", "What each `type` of problem means and what to do about it."),
    (OPERATORS, "For those who run the service."),
)
_SERVER: Final = "The server that this document comes from, be it local, staging or production."
_PLAIN: Final = {200: "It is answered.", 201: "It was made.", 202: "It will be done.", 204: "It is done."}


def operation_id(route: APIRoute) -> str:
    """The name of an operation, of which generators make the names of functions: that of the route's own."""
    first, *others = route.name.split("_")
    return first + "".join(word.title() for word in others)


def openapi_document(rest: FastAPI, services: Services, deprecations: Sequence[Deprecation]) -> dict[str, Any]:
    """The document of an application; made once."""
    if rest.openapi_schema:
        return rest.openapi_schema
    document = get_openapi(
        title=rest.title,
        version=rest.version,
        summary=rest.summary,
        description=rest.description,
        routes=rest.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS],
        servers=[{"url": "/", "description": _SERVER, "x-internal": False}],
        contact={"name": "The maintainers of Partwise"},
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
    )
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    kinds = add_events(schemas, services.decoder.schemas())
    schemas["Problem"] = PROBLEM
    schemas["Currency"] = CURRENCY
    # Bodies that we read ourselves: the framework does not know them.
    paths = document["paths"]
    paths["/v1/events"]["post"]["requestBody"] = events_body()
    paths["/v1/events"]["post"]["parameters"] += EVENT_ATTRIBUTES
    paths["/v1/clients/{client_id}/simulate"]["post"]["requestBody"] = simulation_body(schemas, kinds)
    document["components"]["securitySchemes"] = _schemes(document["components"]["securitySchemes"])
    operations = list(operations_of(document))
    mark_deprecated(operations, schemas, deprecations)
    for operation in operations:
        _complete(document, operation)
    for operation in operations:
        share_problems(document, operation)
    add_links(document)
    add_examples(document)
    add_messages(document)
    document["components"]["schemas"] = {
        name: schema if schema is CURRENCY else tidied(schema) for name, schema in sorted(schemas.items())
    }
    rest.openapi_schema = document
    return document


def _complete(document: dict[str, Any], operation: Operation) -> None:
    answers = operation.spec["responses"]
    answers.pop("422", None)
    answers.pop("default", None)
    name = f"{operation.method} {operation.path}"
    # An empty list says that none is needed, where there would be a default.
    operation.spec["security"] = [{_BEARER: [one.value for one in scopes_of(name)]}] if name in REST else []
    for status, answer in answers.items():
        if answer["description"] == "Successful Response":
            answer["description"] = _PLAIN[int(status)]
    for parameter in operation.spec.get("parameters", ()):
        parameter["schema"].pop("title", None)
        description = parameter["schema"].pop("description", None)
        parameter.setdefault("description", description)
        examples = parameter["schema"].pop("examples", [])
        if examples and "example" not in parameter:
            parameter["example"] = examples[0]
        parameter["schema"] = tidied(_without_null(parameter["schema"]))
    if is_tagged(operation):
        answers["304"] = dict(NOT_MODIFIED)
    add_problems(operation)
    add_headers(document, operation)


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an optional parameter: it is left out, for it cannot be null."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**rest, **choices[0]} if len(choices) == 1 else dict(schema)


def _schemes(found: Mapping[str, Any]) -> dict[str, Any]:
    (scheme,) = found.values()
    return {_BEARER: scheme}
