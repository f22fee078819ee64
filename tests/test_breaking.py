"""What counts as a breaking change of the OpenAPI document, and what does not; and that ours has none unannounced."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import app
from app.cli.openapi import FILE, document_of_the_code
from tests.breaking import breaking_changes, is_raised

RELEASED = Path(__file__).parents[1] / FILE.parent / "released" / FILE.name

THING = {"$ref": "#/components/schemas/Thing"}
SMALL: dict[str, Any] = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "makeThing",
                "security": [{"bearer": ["write"]}],
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 200, "default": 50}},
                    {"name": "X-Name", "in": "header", "schema": {"type": "string", "maxLength": 40}},
                ],
                "requestBody": {"content": {"application/json": {"schema": THING}}},
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": THING}},
                        "headers": {"Location": {"schema": {"type": "string"}}},
                    },
                    "404": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                },
            }
        },
        "/events": {
            "get": {
                "operationId": "listEvents",
                "security": [],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}}
                },
            }
        },
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name", "kind"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "kind": {"type": "string", "enum": ["large", "small"]},
                    "size": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
                    "parts": {"type": "array", "items": THING},
                    "day": {"type": "string", "format": "date"},
                },
            },
            "Event": {
                "oneOf": [{"$ref": "#/components/schemas/Sent"}],
                "discriminator": {"propertyName": "type", "mapping": {"sent": "#/components/schemas/Sent"}},
            },
            "Sent": {"type": "object", "required": ["type"], "properties": {"type": {"const": "sent"}}},
            "Paid": {"type": "object", "required": ["type"], "properties": {"type": {"const": "paid"}}},
        }
    },
}
ONLY_SENT = copy.deepcopy(SMALL)
"""Where things are taken and not answered, so that a change is judged from that side alone."""
ONLY_SENT["paths"]["/things"]["post"]["responses"]["200"]["content"] = {}
ONLY_ANSWERED = copy.deepcopy(SMALL)
del ONLY_ANSWERED["paths"]["/things"]["post"]["requestBody"]

Change = Callable[[dict[str, Any]], Any]


def post(document: dict[str, Any]) -> dict[str, Any]:
    return document["paths"]["/things"]["post"]


def thing(document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"]["Thing"]


def fields(document: dict[str, Any]) -> dict[str, Any]:
    return thing(document)["properties"]


def changes(base: dict[str, Any], change: Change) -> list[str]:
    changed = copy.deepcopy(base)
    change(changed)
    assert changed != base
    return breaking_changes(base, changed)


NEW_EVENT = {"$ref": "#/components/schemas/Paid"}
REQUIRED_PARAMETER = {"name": "who", "in": "query", "required": True, "schema": {"type": "string"}}

BREAKING: dict[str, tuple[dict[str, Any], Change]] = {
    "an operation goes": (SMALL, lambda d: d["paths"].pop("/events")),
    "a method goes": (SMALL, lambda d: d["paths"]["/things"].update(put=d["paths"]["/things"].pop("post"))),
    "an operation is renamed": (SMALL, lambda d: post(d).update(operationId="createThing")),
    "another scope": (SMALL, lambda d: post(d).update(security=[{"bearer": ["manage"]}])),
    "a further scope": (SMALL, lambda d: post(d).update(security=[{"bearer": ["write", "manage"]}])),
    "a key where there was none": (SMALL, lambda d: d["paths"]["/events"]["get"].update(security=[{"bearer": []}])),
    "a parameter goes": (SMALL, lambda d: post(d)["parameters"].pop(0)),
    "a new required parameter": (SMALL, lambda d: post(d)["parameters"].append(REQUIRED_PARAMETER)),
    "a parameter becomes required": (SMALL, lambda d: post(d)["parameters"][0].update(required=True)),
    "a lower limit": (SMALL, lambda d: post(d)["parameters"][0]["schema"].update(maximum=100)),
    "another default": (SMALL, lambda d: post(d)["parameters"][0]["schema"].update(default=20)),
    "a shorter header": (SMALL, lambda d: post(d)["parameters"][1]["schema"].update(maxLength=20)),
    "a parameter is written differently": (SMALL, lambda d: post(d)["parameters"][0].update(explode=False)),
    "the body becomes required": (SMALL, lambda d: post(d)["requestBody"].update(required=True)),
    "the body goes": (SMALL, lambda d: post(d).pop("requestBody")),
    "a media type of the body goes": (
        SMALL,
        lambda d: post(d)["requestBody"].update(content={"text/plain": {"schema": {"type": "string"}}}),
    ),
    "a new required body": (
        ONLY_ANSWERED,
        lambda d: post(d).update(requestBody={"required": True, "content": {"application/json": {"schema": THING}}}),
    ),
    "a sent field becomes required": (ONLY_SENT, lambda d: thing(d)["required"].append("day")),
    "a new required field": (
        ONLY_SENT,
        lambda d: (fields(d).update(more={"type": "string"}), thing(d)["required"].append("more")),
    ),
    "a sent field goes": (ONLY_SENT, lambda d: fields(d).pop("day")),
    "a value is not taken any more": (ONLY_SENT, lambda d: fields(d)["kind"]["enum"].pop()),
    "null is not taken any more": (ONLY_SENT, lambda d: fields(d).update(size={"type": "number", "minimum": 0})),
    "another type is taken": (ONLY_SENT, lambda d: fields(d).update(name={"type": "integer"})),
    "integers are taken instead of numbers": (
        ONLY_SENT,
        lambda d: fields(d).update(size={"type": ["integer", "null"], "minimum": 0}),
    ),
    "a pattern where there was none": (ONLY_SENT, lambda d: fields(d)["name"].update(pattern="^a")),
    "a format where there was none": (ONLY_SENT, lambda d: fields(d)["name"].update(format="uuid")),
    "other fields are refused": (ONLY_SENT, lambda d: thing(d).update(additionalProperties=False)),
    "a word that is not known here": (ONLY_SENT, lambda d: thing(d).update(dependentRequired={"day": ["size"]})),
    "an answered field goes": (ONLY_ANSWERED, lambda d: fields(d).pop("day")),
    "an answered field may be missing": (ONLY_ANSWERED, lambda d: thing(d)["required"].remove("name")),
    "null is answered": (ONLY_ANSWERED, lambda d: fields(d)["name"].update(type=["string", "null"])),
    "another type is answered": (ONLY_ANSWERED, lambda d: fields(d).update(name={"type": "integer"})),
    "a new value is answered": (ONLY_ANSWERED, lambda d: fields(d)["kind"]["enum"].append("huge")),
    "lower numbers are answered": (ONLY_ANSWERED, lambda d: fields(d)["size"]["anyOf"][0].update(minimum=-1)),
    "a day is no day any more": (ONLY_ANSWERED, lambda d: fields(d)["day"].pop("format")),
    "something within itself changes": (ONLY_ANSWERED, lambda d: fields(d)["parts"].update(items={"type": "string"})),
    "a success goes": (
        SMALL,
        lambda d: post(d)["responses"].update({"201": post(d)["responses"].pop("200")}),
    ),
    "a new success": (SMALL, lambda d: post(d)["responses"].update({"202": {}})),
    "a media type is not answered any more": (SMALL, lambda d: post(d)["responses"]["200"].update(content={})),
    "a header is not answered any more": (SMALL, lambda d: post(d)["responses"]["200"].pop("headers")),
    "a name of a type goes": (SMALL, lambda d: d["components"]["schemas"].pop("Paid")),
}

HARMLESS: dict[str, tuple[dict[str, Any], Change]] = {
    "a new operation": (SMALL, lambda d: d["paths"].update({"/new": {"get": {"responses": {"200": {}}}}})),
    "texts": (SMALL, lambda d: (post(d).update(summary="Make"), fields(d)["name"].update(description="Its name."))),
    "deprecation": (SMALL, lambda d: post(d).update(deprecated=True)),
    "no key where there was one": (SMALL, lambda d: post(d).update(security=[])),
    "another way in": (SMALL, lambda d: post(d)["security"].append({"token": []})),
    "a new parameter": (SMALL, lambda d: post(d)["parameters"].append(REQUIRED_PARAMETER | {"required": False})),
    "another case of a header": (SMALL, lambda d: post(d)["parameters"][1].update(name="x-name")),
    "a higher limit": (SMALL, lambda d: post(d)["parameters"][0]["schema"].update(maximum=500)),
    "no limit": (SMALL, lambda d: post(d)["parameters"][1]["schema"].pop("maxLength")),
    "a new optional body": (ONLY_ANSWERED, lambda d: post(d).update(requestBody={"content": {}})),
    "a new media type": (SMALL, lambda d: post(d)["requestBody"]["content"].update({"text/plain": {}})),
    "a sent field is not required any more": (ONLY_SENT, lambda d: thing(d)["required"].remove("name")),
    "a new optional field": (SMALL, lambda d: fields(d).update(more={"type": "string"})),
    "a new required field of answers": (
        ONLY_ANSWERED,
        lambda d: (fields(d).update(more={"type": "string"}), thing(d)["required"].append("more")),
    ),
    "a new value is taken": (ONLY_SENT, lambda d: fields(d)["kind"]["enum"].append("huge")),
    "another type is taken too": (ONLY_SENT, lambda d: fields(d)["name"].update(type=["string", "integer"])),
    "numbers are taken where integers were": (
        ONLY_SENT,
        lambda d: fields(d).update(size={"type": ["number", "null"]}),
    ),
    "a value is not answered any more": (ONLY_ANSWERED, lambda d: fields(d)["kind"]["enum"].pop()),
    "an answered field is always there": (ONLY_ANSWERED, lambda d: thing(d)["required"].append("day")),
    "null is not answered any more": (
        ONLY_ANSWERED,
        lambda d: fields(d).update(size={"type": "integer", "minimum": 1}),
    ),
    "a new error": (SMALL, lambda d: post(d)["responses"].update({"429": {}})),
    "an error that is gone": (SMALL, lambda d: post(d)["responses"].pop("404")),
    "not modified, for who asks by a tag": (SMALL, lambda d: post(d)["responses"].update({"304": {}})),
    "a new header": (SMALL, lambda d: post(d)["responses"]["200"]["headers"].update(ETag={"schema": {}})),
    "a new type of event": (
        SMALL,
        lambda d: (
            d["components"]["schemas"]["Event"]["oneOf"].append(NEW_EVENT),
            d["components"]["schemas"]["Event"]["discriminator"]["mapping"].update(paid=NEW_EVENT["$ref"]),
        ),
    ),
    "a reference instead of what it names": (
        SMALL,
        lambda d: (
            d["components"].update(parameters={"Limit": post(d)["parameters"][0]}),
            post(d)["parameters"].__setitem__(0, {"$ref": "#/components/parameters/Limit"}),
        ),
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_clients_is_found(name: str):
    assert changes(*BREAKING[name])


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_is_let_through(name: str):
    assert changes(*HARMLESS[name]) == []


def test_a_change_is_told_by_its_place():
    found = changes(SMALL, lambda d: fields(d)["parts"].update(maxItems=3))
    assert found == ["POST /things: body/parts: maxItems is none, of the other 3"]


@pytest.mark.parametrize(
    ("older", "newer", "raised"),
    [
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "0.10.0", True),
        ("0.9.3", "1.0.0", True),
        ("1.4.0", "2.0.0", True),
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.1", False),
        ("1.4.0", "1.5.0", False),
        ("0.2.0", "0.1.0", False),
    ],
)
def test_the_version_says_whether_clients_may_break(older: str, newer: str, raised: bool):
    assert is_raised(older, newer) is raised


def test_our_document_does_not_break_itself():
    document = document_of_the_code()
    assert breaking_changes(document, copy.deepcopy(document)) == []


def test_no_client_of_the_last_version_breaks_unless_the_version_is_raised():
    released = json.loads(RELEASED.read_text())
    broken = breaking_changes(released, document_of_the_code())
    assert not broken or is_raised(released["info"]["version"], app.__version__), (
        f"clients of {released['info']['version']} break; deprecate instead, or raise the version"
    )
