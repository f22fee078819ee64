"""The bodies that we read ourselves, and the events of the catalogue as schemas of their own."""

from collections.abc import Mapping
from typing import Any, Final

from app.rest import events, simulations

__all__ = ["EVENT_ATTRIBUTES", "add_events", "events_body", "simulation_body"]

_EVENT: Final = {"$ref": "#/components/schemas/CloudEvent"}
_BATCH: Final = {"$ref": "#/components/schemas/CloudEventBatch"}
_DATA: Final = {"$ref": "#/components/schemas/EventData"}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 200}
_TIME: Final = {"type": "string", "format": "date-time", "maxLength": 40}


# Without a format: generators would take a time for it, and not all can write one into a header.
_HEADER_TIME: Final = {"type": "string", "maxLength": 40}


def _attribute(name: str, description: str, schema: Mapping[str, Any], example: str) -> dict[str, Any]:
    return {
        "name": f"ce-{name}",
        "in": "header",
        "required": False,
        "description": f"Binary mode only: {description} Percent-encoded.",
        "schema": dict(schema),
        "example": example,
    }


EVENT_ATTRIBUTES: Final = [
    _attribute("specversion", "the version of CloudEvents.", {"type": "string", "enum": ["1.0"]}, "1.0"),
    _attribute("id", "the event's `id`.", _NAME, "INV-17-issued"),
    _attribute("source", "the event's `source`.", _NAME, "/billing"),
    _attribute("type", "the event's `type`.", _NAME, "invoice.issued"),
    _attribute("subject", "your own id of the client.", _NAME, "acme"),
    _attribute("time", "when it happened; now, where it is left out.", _HEADER_TIME, "2026-07-31T09:00:00Z"),
]
"""Headers of an event in binary mode; where there is one, an `application/json` body is the event's data alone."""


def add_events(schemas: dict[str, Any], catalogue: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Add each type of event and its data, and the union of each; return the names of the types."""
    mapping = {}
    for name, schema in catalogue.items():
        title = schema["title"]
        schemas[title] = {key: value for key, value in schema.items() if key != "$schema"}
        schemas[f"{title}Event"] = _cloud_event(name, title)
        mapping[name] = f"#/components/schemas/{title}Event"
    schemas["CloudEvent"] = {
        "title": "CloudEvent",
        "description": "A CloudEvent 1.0 of the catalogue; `type` tells which.",
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    schemas["CloudEventBatch"] = {
        "title": "CloudEventBatch",
        "description": "Several events; each is answered for itself.",
        "type": "array",
        "items": _EVENT,
        "maxItems": events.MOST_EVENTS,
    }
    schemas["EventData"] = {
        "title": "EventData",
        "description": "The data of an event alone, as its type has it: `GET /v1/event-types` tells.",
        "type": "object",
        "additionalProperties": True,
    }
    return list(mapping)


def events_body() -> dict[str, Any]:
    """What `POST /v1/events` takes, in all modes of CloudEvents."""
    return {
        "required": True,
        "description": "One event, a batch of them, or a stream.",
        "content": {
            # First what generators are to make a client of that know only one: a batch of one will do.
            events.BATCH: {"schema": _BATCH},
            events.STRUCTURED: {"schema": _EVENT},
            events.NDJSON: {
                "schema": {
                    "type": "string",
                    "maxLength": 2_000_000_000,
                    "description": "One CloudEvent a line, any number of them.",
                }
            },
            "application/json": {"schema": {"anyOf": [_EVENT, _BATCH, _DATA]}},
        },
    }


def simulation_body(schemas: dict[str, Any], kinds: list[str]) -> dict[str, Any]:
    """What a simulation takes."""
    supposed = {
        "title": "SupposedEvent",
        "type": "object",
        "required": ["type"],
        "description": "A CloudEvent that might happen: `type` and `data` are enough.",
        "properties": {
            "type": {"type": "string", "enum": kinds},
            "data": {"type": "object", "description": "As the type has it.", "additionalProperties": True},
            "time": {"type": ["string", "null"], "format": "date-time", "maxLength": 40},
        },
    }
    schemas["SupposedEvent"] = supposed
    schemas["Supposition"] = {
        "title": "Supposition",
        "description": "What might happen.",
        "type": "object",
        "required": ["events"],
        "additionalProperties": False,
        "properties": {
            "events": {
                "type": "array",
                "minItems": 1,
                "maxItems": simulations.MOST_EVENTS,
                "items": {"$ref": "#/components/schemas/SupposedEvent"},
            }
        },
    }
    return {
        "required": True,
        "description": "What might happen, in any order.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Supposition"}}},
    }


def _cloud_event(name: str, data: str) -> dict[str, Any]:
    return {
        "type": "object",
        "title": f"{data}Event",
        "description": f"An event of the type {name}.",
        "required": ["specversion", "id", "source", "type", "subject", "data"],
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": {**_NAME, "description": "Yours; the same event sent again has the same id and source."},
            "source": {**_NAME, "description": "Which of your systems says so."},
            "type": {"type": "string", "const": name},
            "subject": {**_NAME, "description": "Your own id of the client."},
            "time": {**_TIME, "description": "When it happened; now, where it is left out."},
            "data": {"$ref": f"#/components/schemas/{data}"},
        },
    }
