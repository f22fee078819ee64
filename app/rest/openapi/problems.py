"""Which problems an operation may answer with, and how the document tells of them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count, groupby
from typing import Any, Final

from app.rest.openapi.headers import NEED_MATCH, is_conditional, is_tagged
from app.rest.openapi.operations import Operation
from app.rest.problem_types import (
    AMBIGUOUS_ID,
    BATCH_REFUSED,
    BUSY,
    CONFLICT,
    CONTENT_TOO_LARGE,
    CURSOR_EXPIRED,
    DATABASE_UNAVAILABLE,
    EVENT_CONFLICT,
    FORBIDDEN,
    HEADERS_TOO_LARGE,
    IDEMPOTENCY_IN_FLIGHT,
    IDEMPOTENCY_KEY_REUSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    ISSUER_UNAVAILABLE,
    MALFORMED_REQUEST,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    NOT_READY,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    RATE_LIMITED,
    TARGET_TOO_LONG,
    TOO_MANY_FAILED_ATTEMPTS,
    UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemType,
)
from app.rest.problems import problem_body

__all__ = ["PROBLEM", "add_problems", "problems_of", "share_problems"]

PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Which kind of problem it is: compare this. The reference leads to its documentation.",
            "examples": [NOT_FOUND.uri],
        },
        "title": {"type": "string", "description": "The same for all problems of a type."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the answer."},
        "detail": {"type": "string", "description": "What happened this time, for people."},
        "request_id": {
            "type": "string",
            "description": "The name of the request, as in `X-Request-Id`: our logs have it too.",
            "examples": ["crm-2026-10-01-17"],
        },
        "errors": {
            "type": "array",
            "maxItems": 100_000,
            "description": "What is wrong with fields of the request, one by one.",
            "items": {"$ref": "#/components/schemas/FaultAnswer"},
        },
        "violated-policies": {
            "type": "array",
            "maxItems": 10,
            "description": "The limits, as `RateLimit-Policy` names them, that do not let the request through now.",
            "items": {"type": "string", "maxLength": 20},
        },
    },
}


def _may_be_malformed(operation: Operation) -> bool:
    has_key = operation.method == "POST"
    return operation.has_body or has_key or is_conditional(operation) or is_tagged(operation)


_Rule = tuple[ProblemType, Callable[[Operation], bool]]
# A problem that many operations may answer with gets its row here.
_RULES: Final[tuple[_Rule, ...]] = (
    (MALFORMED_REQUEST, _may_be_malformed),
    (UNAUTHENTICATED, lambda operation: operation.needs_key),
    (FORBIDDEN, lambda operation: operation.needs_key),
    (NOT_FOUND, lambda operation: operation.names_one),
    (NOT_ACCEPTABLE, lambda operation: True),
    (PRECONDITION_FAILED, is_conditional),
    (PRECONDITION_REQUIRED, lambda operation: operation.id in NEED_MATCH),
    (CONTENT_TOO_LARGE, lambda operation: operation.has_body),
    (HEADERS_TOO_LARGE, is_tagged),
    (TARGET_TOO_LONG, lambda operation: operation.has_variable_target),
    (UNSUPPORTED_MEDIA_TYPE, lambda operation: operation.has_body),
    # Everywhere: a parameter that is given twice is refused.
    (INVALID_REQUEST, lambda operation: True),
    (IDEMPOTENCY_IN_FLIGHT, lambda operation: operation.method == "POST"),
    (IDEMPOTENCY_KEY_REUSED, lambda operation: operation.method == "POST"),
    (RATE_LIMITED, lambda operation: operation.needs_key),
    (TOO_MANY_FAILED_ATTEMPTS, lambda operation: operation.needs_key),
    (INTERNAL_ERROR, lambda operation: True),
    (BUSY, lambda operation: operation.id in {"sendEvents", "putClient"}),
    (DATABASE_UNAVAILABLE, lambda operation: operation.needs_key or operation.id == "getReadiness"),
    (ISSUER_UNAVAILABLE, lambda operation: operation.needs_key),
    (NOT_READY, lambda operation: operation.id in {"getLiveness", "getReadiness"}),
)
_OWN: Final[Mapping[str, tuple[ProblemType, ...]]] = {
    "sendEvents": (EVENT_CONFLICT, BATCH_REFUSED),
    "getEvent": (AMBIGUOUS_ID,),
    "followChanges": (CURSOR_EXPIRED,),
    "putClient": (CONFLICT,),
    "draftPolicy": (CONFLICT,),
    "createApiKey": (CONFLICT,),
    "rotateApiKey": (CONFLICT,),
    "revokeApiKey": (CONFLICT,),
    "createWebhook": (CONFLICT,),
    "rotateWebhook": (CONFLICT,),
    "pingWebhook": (CONFLICT,),
    "replayDelivery": (CONFLICT,),
    "replayPeriod": (CONFLICT,),
}
"""What one operation alone answers with, by its id."""
_SAID: Final[Mapping[ProblemType, tuple[str, tuple[tuple[str, str], ...]]]] = {
    NOT_FOUND: ("there is no client 'acme'", ()),
    INVALID_REQUEST: (
        "the request has fields that cannot be used",
        (("/currency", "expected an active ISO 4217 currency code, such as EUR"),),
    ),
    BATCH_REFUSED: (
        "nothing was stored: the batch is atomic and holds events that cannot be",
        (("/1/data/due_date", "expected a local day such as 2026-03-31"),),
    ),
    EVENT_CONFLICT: ("the event was not stored", (("/id", "this id was sent before with other content"),)),
}
"""Details and errors for examples; of other types the meaning does."""


def problems_of(operation: Operation) -> list[ProblemType]:
    """The problems that an operation may answer with, by status."""
    found = [kind for kind, applies in _RULES if applies(operation)]
    found += _OWN.get(operation.id, ())
    return sorted(dict.fromkeys(found), key=lambda kind: kind.status)


def add_problems(operation: Operation) -> None:
    """Tell of the problems of an operation."""
    for status, group in groupby(problems_of(operation), key=lambda kind: kind.status):
        operation.spec["responses"][str(status)] = _answer(list(group))


def share_problems(document: dict[str, Any], operation: Operation) -> None:
    """Write answers that several operations have once, as components."""
    shared = document["components"].setdefault("responses", {})
    for status, answer in operation.spec["responses"].items():
        if "application/problem+json" not in answer.get("content", ()):
            continue
        slugs = answer["content"]["application/problem+json"]["examples"]
        name = "Or".join("".join(word.title() for word in slug.split("-")) for slug in slugs)
        names = chain([name], (f"{name}{number}" for number in count(2)))
        free = next(one for one in names if shared.setdefault(one, answer) == answer)
        operation.spec["responses"][status] = {"$ref": f"#/components/responses/{free}"}


def _answer(kinds: Sequence[ProblemType]) -> dict[str, Any]:
    return {
        "description": "\n".join(f"- `{kind.uri}`: {kind.meaning} {kind.remedy}" for kind in kinds),
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {kind.slug: {"summary": kind.title, "value": _example(kind)} for kind in kinds},
            }
        },
    }


def _example(kind: ProblemType) -> dict[str, Any]:
    detail, errors = _SAID.get(kind, (kind.meaning, ()))
    faults = [{"pointer": pointer, "detail": text} for pointer, text in errors]
    return problem_body(kind, detail, faults, "crm-2026-10-01-17")
