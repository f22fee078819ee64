"""The document is complete: nothing in it lacks a name, a text, an example or a status that the service answers."""

import re
from typing import Any

import jsonschema
import pytest
from jsonschema import Draft202012Validator

from app.cli.openapi import document_of_the_code
from app.core.events import CATALOGUE
from app.rest.openapi.examples import EVENTS
from app.rest.openapi.operations import Operation, operations_of
from app.rest.problem_types import PROBLEM_TYPES
from app.scopes import OPEN, REST, scopes_of

DOCUMENT = document_of_the_code()
OPERATIONS = [*operations_of(DOCUMENT)]
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.spec["operationId"])


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolved(found)


def check(value: Any, schema: dict[str, Any]) -> None:
    """Hold a value to a schema of the document."""
    Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=jsonschema.FormatChecker()
    ).validate(value)


def examples(part: dict[str, Any]) -> list[Any]:
    found = [one["value"] for one in part.get("examples", {}).values()]
    return found + ([part["example"]] if "example" in part else [])


@each_operation
def test_an_operation_has_a_name_for_generators_and_texts_for_readers(operation: Operation):
    assert re.fullmatch("[a-z]+([A-Z][a-z]+)*", operation.id)
    assert operation.spec["summary"]
    assert operation.spec["description"].strip().endswith(".")
    assert len(operation.spec["tags"]) == 1


def test_tags_are_described_and_used():
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    assert described == {operation.spec["tags"][0] for operation in OPERATIONS}


def test_names_of_operations_differ():
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


@each_operation
def test_every_parameter_is_described_and_has_an_example_that_fits(operation: Operation):
    for parameter in map(resolved, operation.spec.get("parameters", ())):
        assert parameter["description"], parameter["name"]
        assert examples(parameter), parameter["name"]
        for value in examples(parameter):
            check(value, parameter["schema"])


@each_operation
def test_what_an_operation_needs_is_what_is_asked_for(operation: Operation):
    name = f"{operation.method} {operation.path}"
    if name in REST:
        assert operation.spec["security"] == [{"bearer": [scope.value for scope in scopes_of(name)]}]
    else:
        assert name in OPEN
        assert operation.spec["security"] == []


@each_operation
def test_every_status_is_told_with_its_problem_types(operation: Operation):
    answers = {status: resolved(answer) for status, answer in operation.spec["responses"].items()}
    assert "default" not in answers
    assert "500" in answers
    assert not operation.needs_key or {"401", "403", "503"} <= set(answers)
    for status, answer in answers.items():
        assert answer["description"]
        for header in map(resolved, answer.get("headers", {}).values()):
            assert header["description"]
            check(header["example"], header["schema"])
        if status[0] == "2" and status != "204":
            assert answer["content"]
        if "application/problem+json" in answer.get("content", {}):
            for slug, example in answer["content"]["application/problem+json"]["examples"].items():
                assert PROBLEM_TYPES[slug].uri == example["value"]["type"]
                assert PROBLEM_TYPES[slug].status == int(status) == example["value"]["status"]
                assert PROBLEM_TYPES[slug].uri in answer["description"]


def contents(operation: Operation):
    bodies = [operation.spec["requestBody"]] if operation.has_body else []
    for part in (*bodies, *map(resolved, operation.spec["responses"].values())):
        yield from part.get("content", {}).items()


@each_operation
def test_every_body_has_an_example_that_fits_its_schema(operation: Operation):
    for media, content in contents(operation):
        assert content.get("schema"), media
        assert examples(content), media
        for value in examples(content):
            check(value, content["schema"])


def test_every_named_schema_has_its_title():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema["title"] == name


def test_events_are_told_apart_by_their_type():
    union = DOCUMENT["components"]["schemas"]["CloudEvent"]
    mapping = union["discriminator"]["mapping"]
    assert set(mapping) == set(CATALOGUE)
    for name, reference in mapping.items():
        assert resolved({"$ref": reference})["properties"]["type"]["const"] == name
        assert {"$ref": reference} in union["oneOf"]
    for event in EVENTS:
        check(event, union)


@each_operation
def test_operations_with_a_key_tell_of_its_limits(operation: Operation):
    answers = {status: resolved(answer) for status, answer in operation.spec["responses"].items()}
    assert ("429" in answers) == operation.needs_key
    for status, answer in answers.items():
        told = {"RateLimit", "RateLimit-Policy"} & set(answer.get("headers", {}))
        assert len(told) == (2 if operation.needs_key and status != "401" else 0), status
    if operation.needs_key:
        assert "Retry-After" in answers["429"]["headers"]
