"""What Schemathesis has to be told of this API, and checks that it has not."""

import json
import os
import re
import uuid
from typing import Any, Final

import schemathesis

# What may be refused though the schema takes it, with the reason: an operation, the fields as problems name them.
BEYOND_A_SCHEMA: Final = (
    ("", "if-(none-)?match:", "it is a list of tags, each with its quotation marks"),
    ("", r"\?cursor", "it is signed; none that is made up is one of ours"),
    ("", r"\?(as_of|known_at|since|until|from)", "a day that exists, and in order"),
    ("GET /v1/changes", r"\?after|last-event-id:", "they are signed, as cursors of lists are"),
    ("GET /v1/portfolio/changes", r"\?(after|period)", "signed as cursors are; either a cursor, a period or its ends"),
    ("GET /v1/clients/{client_id}/history", r"\?(step|from|as_of)", "at most 400 steps"),
    ("GET /v1/audit-log", r"\?client_id", "either a client or another subject"),
    ("PUT /v1/clients/{client_id}", "/time_zone", "one of the IANA time zones, which change"),
    ("PUT /v1/clients/{client_id}", "/currency", "one of the active currencies, which change"),
    ("POST /v1/api-keys", "/expires_at", "in the future"),
    ("POST /v1/api-keys/{key_id}/rotate", "/overlap", "at most 30 days, also written as a duration"),
    ("POST /v1/webhooks", "/url", "a host and a port that there may be, in no private network"),
    ("PATCH /v1/webhooks/{webhook_id}", "/url", "a host and a port that there may be, in no private network"),
    ("POST /v1/webhooks/{webhook_id}/rotate", "/overlap", "at most 30 days, also written as a duration"),
    ("POST /v1/webhooks/{webhook_id}/replay", "/since|/until", "a period that begins within the last 30 days"),
    ("POST /v1/policies", "/based_on", "a version that there is"),
    ("POST /v1/policies", "/settings(/.*)?", "settings are merged into others and must fit together"),
    ("POST /v1/clients/{client_id}/simulate", r"/events/\d+(/.*)?", "what `data` may be depends on `type`"),
    (
        "GET /v1/events/{event_id}",
        r"\{event_id\}|\?source",
        "a link may lead to one refused for its name",
    ),
    ("POST /v1/events", r"\?atomic", "not with a stream"),
    ("POST /v1/events", "idempotency-key:", "none with a stream, whose answer has no end"),
    ("POST /v1/events", "(/.*)?", "headers tell whether a body is an event or the data of one"),
)


@schemathesis.serializer("application/x-ndjson")
def lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A text as it is; of what is none, each item is a line."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, bytes):
        return value
    items = value if isinstance(value, list) else [value]
    return "".join(json.dumps(item, default=str) + "\n" for item in items).encode("utf-8", "replace")


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Do not lock ourselves out, and do not be answered by what was answered before."""
    spare, *own = os.environ["FUZZ_KEY_IDS"].split()
    if case.path_parameters.get("key_id") in (*own, _KEY_ID):
        # The keys that we ask with would end here, and all else be 401.
        case.path_parameters["key_id"] = str(uuid.uuid4()) if case.method == "DELETE" else spare
    if case.headers and case.headers.get("Idempotency-Key") == _EXAMPLE:
        # One name for all requests would have all but the first refused. (Tests of their own use a name twice.)
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


# The examples of the document.
_EXAMPLE: Final = "8e03978e-40d5-43dd-bc93-6894a57f9324"
_KEY_ID: Final = "4f7e6a52-6a0c-4a5e-9c39-0d7b6a1f2b3c"


@schemathesis.check
def valid_data_is_refused_with_a_reason(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """What a schema takes is refused only for what a schema cannot say."""
    if not _is_valid(case) or response.status_code not in (400, 422):
        return
    body = response.json()
    if body["type"] == "/problems/idempotency-key-reused":
        return  # A short name is drawn twice.
    named = [error["pointer"] for error in body.get("errors", ())]
    may_be = [one for label, one, _ in BEYOND_A_SCHEMA if label in ("", case.operation.label)]
    unexplained = [pointer for pointer in named if not any(re.fullmatch(one, pointer, re.DOTALL) for one in may_be)]
    assert named, "a refusal of valid data names no field"
    assert not unexplained, f"valid data is refused, and the schema could have said so: {unexplained}"


@schemathesis.check
def an_invalid_event_is_refused(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A batch or a stream with something wrong says so of one of its events."""
    if _is_valid(case) or case.meta is None or response.status_code != 200 or case.operation.label != "POST /v1/events":
        return
    if response.headers["content-type"][0].startswith("application/x-ndjson"):
        results = [json.loads(line) for line in response.content.splitlines()]
    else:
        results = response.json()["results"]
    statuses = {result.get("status") for result in results}
    assert statuses - {"accepted", "duplicate"} or not results, f"all of an invalid batch is taken: {statuses}"


@schemathesis.check
def a_revoked_key_says_so(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A key that was revoked is told as such."""
    if case.operation.label == "DELETE /v1/api-keys/{key_id}" and response.status_code == 204:
        _revoked.add(case.path_parameters["key_id"])
    elif case.operation.label == "GET /v1/api-keys/{key_id}" and response.status_code == 200:
        found = response.json()
        assert found["key_id"] not in _revoked or found["status"] == "revoked", found["status"]


_revoked: Final[set[str]] = set()


def _is_valid(case: schemathesis.Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive
