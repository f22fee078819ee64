"""Headers that many operations have. One that is the same everywhere it is gets its row here and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Final

from app.rest.etags import TAGGED, TAGS_PATTERN
from app.rest.idempotency import KEY_PATTERN, NOT_KEPT
from app.rest.openapi.operations import Operation
from app.wire.tags import MOST_CHARACTERS

__all__ = [
    "NEED_MATCH",
    "NOT_MODIFIED",
    "REQUEST_HEADERS",
    "RESPONSE_HEADERS",
    "Header",
    "add_headers",
    "is_conditional",
    "is_tagged",
]


@dataclass(frozen=True, slots=True)
class Header:
    """A header and the operations (and statuses) that it belongs to."""

    name: str
    description: str
    schema: Mapping[str, Any]
    example: Any
    belongs: Callable[[Operation, int], bool]
    """For a header of requests the status is 0."""
    required: bool = False


NOT_MODIFIED: Final = {"description": "You have it: one of the tags in `If-None-Match` still holds. No content."}
NEED_MATCH: Final = frozenset({"activatePolicy"})
"""Changes that are made on a condition alone."""
_CHANGES_OF_WEBHOOKS: Final = ("changeWebhook", "rotateWebhook", "enableWebhook", "disableWebhook")
_SECRET_ANSWERS: Final = frozenset(
    {("createApiKey", 201), ("rotateApiKey", 200), ("createWebhook", 201), ("rotateWebhook", 200)}
)
_TAGGED_CHANGES: Final = frozenset(
    {
        ("putClient", 200),
        ("putClient", 201),
        ("draftPolicy", 201),
        ("activatePolicy", 200),
        ("createApiKey", 201),
        ("rotateApiKey", 200),
        ("createWebhook", 201),
        *((name, 200) for name in _CHANGES_OF_WEBHOOKS),
    }
)
_TEXT: Final = {"type": "string"}
_TAGS: Final = {"type": "string", "maxLength": MOST_CHARACTERS, "pattern": TAGS_PATTERN}
_SECONDS: Final = {"type": "integer", "minimum": 0, "maximum": 86_400}


def is_tagged(operation: Operation) -> bool:
    """Whether the answers of an operation have tags."""
    return operation.method == "GET" and operation.path.startswith(TAGGED)


def is_conditional(operation: Operation) -> bool:
    """Whether an operation changes what has a tag."""
    return operation.id in {
        "putClient",
        "eraseClient",
        "activatePolicy",
        "rotateApiKey",
        "revokeApiKey",
        "removeWebhook",
        *_CHANGES_OF_WEBHOOKS,
    }


REQUEST_HEADERS: Final = (
    Header(
        "X-Request-Id",
        "Your own name for the request, for logs; one that cannot be written there is replaced.",
        _TEXT,
        "crm-2026-10-01-17",
        lambda operation, status: operation.is_api,
    ),
    Header(
        "Idempotency-Key",
        "A name for this request, such as a UUID, so that it can be sent again: for 24 hours the same request gets the "
        "answer of the first, and another request is refused. Not for streams.",
        {"type": "string", "pattern": KEY_PATTERN, "maxLength": 257},
        "8e03978e-40d5-43dd-bc93-6894a57f9324",
        lambda operation, status: operation.is_api and operation.method == "POST",
    ),
    Header(
        "If-None-Match",
        "Tags of answers that you have, from `ETag`: where one of them still holds, the answer is 304 without content.",
        # What is no list of tags, or too long a one, just holds for nothing; there are no longer headers than this.
        {"type": "string", "maxLength": 65_536},
        '"3q2-7wAAAAAAAAAAAAAAAA"',
        lambda operation, status: is_tagged(operation),
    ),
    Header(
        "If-Match",
        "The `ETag` of what you change as you know it: if it was changed since, nothing happens (412). `*` for "
        "whatever it is.",
        _TAGS,
        "*",
        lambda operation, status: is_conditional(operation) and operation.id not in NEED_MATCH,
    ),
    Header(
        "If-Match",
        "The `ETag` of the version as you know it, which tells whether any version was activated since: then nothing "
        "happens (412). `*` for whatever was. Without it nothing happens either (428).",
        _TAGS,
        "*",
        lambda operation, status: operation.id in NEED_MATCH,
        required=True,
    ),
    Header(
        "If-None-Match",
        "`*` to make a client that is not there yet; of one that is, nothing is changed (412).",
        _TAGS,
        "*",
        lambda operation, status: operation.id == "putClient",
    ),
)
"""Beyond those that the framework finds in the routes."""


def _is_limited(operation: Operation, status: int) -> bool:
    # Who is not known has no limits that could be told.
    return operation.needs_key and status != 401


RESPONSE_HEADERS: Final = (
    Header(
        "ETag",
        "Tells this answer from any other one: for `If-None-Match`, and `If-Match` where that is taken.",
        _TEXT,
        '"3q2-7wAAAAAAAAAAAAAAAA"',
        lambda operation, status: (
            (is_tagged(operation) and status in (200, 304)) or (operation.id, status) in _TAGGED_CHANGES
        ),
    ),
    Header(
        "X-Request-Id",
        "The name of the request, which our logs have too: yours, or a new one.",
        _TEXT,
        "crm-2026-10-01-17",
        lambda operation, status: operation.is_api,
    ),
    Header(
        "WWW-Authenticate",
        "How to be let in (RFC 6750).",
        _TEXT,
        'Bearer realm="partwise"',
        lambda operation, status: operation.needs_key and status in (401, 403),
    ),
    Header(
        "Retry-After",
        "Seconds to wait before the request is sent again.",
        _SECONDS,
        1,
        lambda operation, status: status in (429, 503) or (operation.method == "POST" and status == 409),
    ),
    Header(
        "RateLimit-Policy",
        "The limits of the key: for each its name, its quota `q` and the seconds `w` of its window.",
        _TEXT,
        '"burst";q=10000;w=10, "sustained";q=30000;w=60, "events";q=1200000;w=60',
        _is_limited,
    ),
    Header(
        "RateLimit",
        "What is left of each limit: `r` of its units, for the `t` seconds until its window ends.",
        _TEXT,
        '"burst";r=9983;t=7, "sustained";r=29872;t=37, "events";r=1199000;t=37',
        _is_limited,
    ),
    Header(
        "Deprecation",
        "Since when this is deprecated: `@` and seconds since 1970 (RFC 9745).",
        {"type": "string", "pattern": "^@[0-9]{1,12}$", "maxLength": 13},
        "@1767225600",
        lambda operation, status: operation.is_deprecated,
    ),
    Header(
        "Sunset",
        "From when on it may be gone (RFC 8594), where that is known.",
        _TEXT,
        "Thu, 31 Dec 2026 23:59:59 GMT",
        lambda operation, status: operation.is_deprecated,
    ),
    Header(
        "Accept",
        "The media types of bodies that are read here, where that of the request is none of them.",
        _TEXT,
        "application/json",
        lambda operation, status: status == 415,
    ),
    Header(
        "Accept-Encoding",
        "The content codings of bodies that are read here, where that of the request is none of them.",
        _TEXT,
        "zstd, gzip",
        lambda operation, status: status == 415,
    ),
    Header(
        "Idempotency-Replayed",
        "`true`, where this is the answer of the first request with this `Idempotency-Key`.",
        {"type": "string", "enum": ["true"]},
        "true",
        lambda operation, status: operation.method == "POST" and status < 500 and status not in NOT_KEPT,
    ),
    Header(
        "Content-Language",
        "The language of the sentences in the answer.",
        _TEXT,
        "en",
        lambda operation, status: status in (200, 304) and operation.has_parameter("accept-language"),
    ),
    Header(
        "Link",
        '`rel="first"`, and `rel="next"` where there is another page (RFC 8288): paths with all parameters.',
        _TEXT,
        '</v1/clients?limit=2>; rel="first", </v1/clients?limit=2&cursor=…>; rel="next"',
        lambda operation, status: status in (200, 304) and operation.has_parameter("cursor"),
    ),
    Header(
        "Content-Location",
        "Where what is answered is to be read: a path on this server.",
        {"type": "string", "format": "uri-reference"},
        "/v1/policies/v3",
        lambda operation, status: (operation.id, status) == ("activatePolicy", 200),
    ),
    Header(
        "Location",
        "Where it is to be read: a path on this server.",
        {"type": "string", "format": "uri-reference"},
        "/v1/policies/v3",
        lambda operation, status: (
            (operation.id, status)
            in {("draftPolicy", 201), ("eraseClient", 202), ("createApiKey", 201), ("createWebhook", 201)}
        ),
    ),
    Header(
        "Cache-Control",
        "Who may keep the answer: what has an `ETag` who asked, to ask by it again; what holds a secret nobody.",
        _TEXT,
        "private, no-cache",
        lambda operation, status: (
            (is_tagged(operation) and status in (200, 304)) or (operation.id, status) in _SECRET_ANSWERS
        ),
    ),
    Header(
        "Vary",
        "Headers of the request that the answer depends on.",
        _TEXT,
        "Accept-Encoding, Accept-Language",
        lambda operation, status: is_tagged(operation) and status in (200, 304),
    ),
)


def add_headers(document: dict[str, Any], operation: Operation) -> None:
    """Add to an operation the headers that belong to it."""
    shared = document["components"].setdefault("headers", {})
    for header in REQUEST_HEADERS:
        if header.belongs(operation, 0):
            parameters = document["components"].setdefault("parameters", {})
            parameter = {
                "name": header.name,
                "in": "header",
                "required": header.required,
                "description": header.description,
                "schema": dict(header.schema),
                "example": header.example,
            }
            names = chain([header.name], (f"{header.name}-{number}" for number in count(2)))
            free = next(one for one in names if parameters.setdefault(one, parameter) == parameter)
            operation.spec.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{free}"})
    for status, answer in operation.spec["responses"].items():
        for header in RESPONSE_HEADERS:
            if header.belongs(operation, int(status)):
                shared[header.name] = {
                    "description": header.description,
                    "schema": dict(header.schema),
                    "example": header.example,
                }
                answer.setdefault("headers", {})[header.name] = {"$ref": f"#/components/headers/{header.name}"}
