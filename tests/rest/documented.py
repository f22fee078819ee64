"""What an answer says that the OpenAPI document does not: statuses, media types, headers, problem types."""

import re
from functools import cache
from typing import Any

import httpx
import orjson

from app.cli.openapi import document_of_the_code
from app.rest.openapi.operations import Operation, operations_of
from app.rest.problem_types import PROBLEM_TYPES

__all__ = ["PROBLEM", "document", "operation_of", "resolved", "undocumented"]

PROBLEM = "application/problem+json"
# Those of HTTP itself and of the edge, which every answer may have.
OF_EVERY_ANSWER = {
    *("cache-control", "content-encoding", "content-length", "content-security-policy", "content-type", "etag"),
    *("referrer-policy", "transfer-encoding", "vary", "x-content-type-options", "x-request-id"),
}


@cache
def document() -> dict[str, Any]:
    return document_of_the_code()


@cache
def _patterns() -> list[tuple[re.Pattern[str], dict[str, Operation]]]:
    found: dict[str, dict[str, Operation]] = {}
    for one in operations_of(document()):
        found.setdefault(one.path, {})[one.method] = one
    # Ids may hold slashes; the longest template that fits is the one meant.
    return [
        (re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(path))), found[path])
        for path in sorted(found, key=len)[::-1]
    ]


def operation_of(request: httpx.Request) -> Operation | None:
    path = request.url.raw_path.decode().partition("?")[0]
    methods = next((methods for pattern, methods in _patterns() if pattern.fullmatch(path)), {})
    return methods.get("GET" if request.method == "HEAD" else request.method)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = document()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolved(found)


def undocumented(answer: httpx.Response, content: bytes) -> list[str]:
    """What an answer to an operation of the document has beyond it."""
    operation = operation_of(answer.request)
    if operation is None:
        return []
    kind = _problem_type(answer, content)
    told = operation.spec["responses"].get(str(answer.status_code))
    if told is None:
        return [f"{operation.id}: {answer.status_code}"]
    told = resolved(told)
    name = f"{operation.id} {answer.status_code}"
    media = answer.headers.get("content-type", "").partition(";")[0]
    missing = [f"{name}: {media}"] if media and media not in told.get("content", {}) else []
    headers = {header.lower() for header in told.get("headers", {})} | OF_EVERY_ANSWER
    missing += [f"{name}: header {header}" for header in answer.headers if header not in headers]
    if kind is not None and kind not in told["content"][PROBLEM]["examples"]:
        missing.append(f"{name}: problem {kind}")
    return missing


def _problem_type(answer: httpx.Response, content: bytes) -> str | None:
    if answer.headers.get("content-type") != PROBLEM or answer.request.method == "HEAD":
        return None
    body = orjson.loads(content)
    kind = PROBLEM_TYPES[body["type"].removeprefix("/problems/")]
    assert (kind.title, kind.status, kind.status) == (body["title"], body["status"], answer.status_code)
    return kind.slug
