"""The problem types: what every `type` of a problem means and what to do about it. Documented at /problems."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = [
    "AMBIGUOUS_ID",
    "BATCH_REFUSED",
    "BUSY",
    "CONFLICT",
    "CONTENT_TOO_LARGE",
    "CURSOR_EXPIRED",
    "DATABASE_UNAVAILABLE",
    "EVENT_CONFLICT",
    "FORBIDDEN",
    "HEADERS_TOO_LARGE",
    "IDEMPOTENCY_IN_FLIGHT",
    "IDEMPOTENCY_KEY_REUSED",
    "INTERNAL_ERROR",
    "INVALID_REQUEST",
    "ISSUER_UNAVAILABLE",
    "MALFORMED_REQUEST",
    "METHOD_NOT_ALLOWED",
    "NOT_ACCEPTABLE",
    "NOT_FOUND",
    "NOT_READY",
    "PRECONDITION_FAILED",
    "PRECONDITION_REQUIRED",
    "PROBLEM_TYPES",
    "RATE_LIMITED",
    "TARGET_TOO_LONG",
    "TOO_MANY_CONNECTIONS",
    "TOO_MANY_FAILED_ATTEMPTS",
    "TOO_SLOW",
    "UNAUTHENTICATED",
    "UNSUPPORTED_MEDIA_TYPE",
    "ProblemType",
    "type_of_status",
]


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem. The slug is a promise: it never changes its meaning and is never taken away."""

    slug: str
    title: str
    status: int
    meaning: str
    """What has happened, to be read by whoever meets it."""
    remedy: str
    """What to do about it."""

    @property
    def uri(self) -> str:
        """The `type` of such a problem, a relative reference that leads to its documentation."""
        return f"/problems/{self.slug}"


MALFORMED_REQUEST: Final = ProblemType(
    "malformed-request",
    "Malformed request",
    400,
    "The request cannot be read: its body is no JSON, no CloudEvent, or ended early; or `errors` names a cursor "
    "that is none of this list (`?cursor`), or a header that has no such form (`if-match:`, `idempotency-key:`).",
    "Mend the sender. The same request will fail again.",
)
UNAUTHENTICATED: Final = ProblemType(
    "unauthenticated",
    "Unauthenticated",
    401,
    "The request carries no API key, or none that counts: it is unknown, has expired or was revoked.",
    "Send `Authorization: Bearer pw_…` with a key that counts.",
)
FORBIDDEN: Final = ProblemType(
    "forbidden",
    "Forbidden",
    403,
    "The key counts, but it does not carry the scope that this needs; `detail` names the scope.",
    "Use a key with that scope.",
)
NOT_FOUND: Final = ProblemType(
    "not-found",
    "Not found",
    404,
    "There is nothing at this path, or nothing of this id that the key may see; what other tenants have is not found.",
    "Check the path and the id; in a path, an id is percent-encoded. A client is known from its first event on.",
)
METHOD_NOT_ALLOWED: Final = ProblemType(
    "method-not-allowed",
    "Method not allowed",
    405,
    "The path exists, but not with this method.",
    "Use a method that the header `Allow` names.",
)
CONFLICT: Final = ProblemType(
    "conflict",
    "Conflict",
    409,
    "This cannot be done as things stand; `detail` says why.",
    "Read how things stand, decide anew, and ask again.",
)
AMBIGUOUS_ID: Final = ProblemType(
    "ambiguous-id",
    "Ambiguous id",
    409,
    "Several sources sent an event with this id.",
    "Name the source too: `?source=`.",
)
EVENT_CONFLICT: Final = ProblemType(
    "event-conflict",
    "Event conflict",
    409,
    "An event with this source and id was stored before, with other content. The first one stays.",
    "Give each event an id of its own; correct an event by sending another one.",
)
IDEMPOTENCY_IN_FLIGHT: Final = ProblemType(
    "idempotency-in-flight",
    "Request in flight",
    409,
    "A request with this `Idempotency-Key` is being worked on, or the server that did so has died a moment ago.",
    "Send it again after the seconds in `Retry-After`: you will get the answer, or the work is done again.",
)
CURSOR_EXPIRED: Final = ProblemType(
    "cursor-expired",
    "Cursor expired",
    410,
    "What came after this cursor is not kept any more, so that following from it would miss something.",
    "Take a new cursor by `after=latest`, read all clients anew, then follow from that cursor.",
)
PRECONDITION_FAILED: Final = ProblemType(
    "precondition-failed",
    "Precondition failed",
    412,
    "What is to be changed is not as `If-Match` or `If-None-Match` says: somebody else has changed it, or made it.",
    "Read it again, decide anew, and send its `ETag`.",
)
CONTENT_TOO_LARGE: Final = ProblemType(
    "content-too-large",
    "Content too large",
    413,
    "The body, or one line of a stream, has more bytes than are read.",
    "Send less at once; an NDJSON stream of events may have any length.",
)
UNSUPPORTED_MEDIA_TYPE: Final = ProblemType(
    "unsupported-media-type",
    "Unsupported media type",
    415,
    "The body has a Content-Type or a Content-Encoding that is not read here; `detail` says what is.",
    "Send what `detail` names.",
)
NOT_ACCEPTABLE: Final = ProblemType(
    "not-acceptable",
    "Not acceptable",
    406,
    "`Accept` or `Accept-Encoding` leaves out every form that there is of this answer; `detail` says which there are.",
    "Accept what `detail` names, or leave the header out.",
)
TOO_SLOW: Final = ProblemType(
    "too-slow",
    "Too slow",
    408,
    "The request did not arrive in the time that there is for it. The connection is closed.",
    "Send it again, faster: headers at once, and a body without long pauses.",
)
TARGET_TOO_LONG: Final = ProblemType(
    "target-too-long",
    "Target too long",
    414,
    "The path and query are longer than what is read. The connection is closed.",
    "Ask for less in one request; GraphQL documents can be sent by POST.",
)
HEADERS_TOO_LARGE: Final = ProblemType(
    "headers-too-large",
    "Headers too large",
    431,
    "There are more headers, or longer ones, than what is read. The connection is closed.",
    "Leave out what is not needed.",
)
INVALID_REQUEST: Final = ProblemType(
    "invalid-request",
    "Invalid request",
    422,
    "The request can be read, but fields of it cannot be used. `errors` names each one: a JSON pointer into the "
    "body, `?name` for a query parameter, `{name}` for a part of the path, `name:` for a header.",
    "Correct the fields that `errors` names. The same request will fail again.",
)
BATCH_REFUSED: Final = ProblemType(
    "batch-refused",
    "Batch refused",
    422,
    "The batch was to be stored as a whole (`?atomic=true`) and holds events that cannot be, so nothing was stored. "
    "`errors` names each field by its place in the batch.",
    "Correct or leave out those events and send the batch again; or send it without `atomic`, which stores the rest.",
)
IDEMPOTENCY_KEY_REUSED: Final = ProblemType(
    "idempotency-key-reused",
    "Idempotency-Key reused",
    422,
    "This `Idempotency-Key` was sent before with another request: another path, query, Content-Type or body.",
    "Give each request a key of its own; send a request again with the same bytes.",
)
PRECONDITION_REQUIRED: Final = ProblemType(
    "precondition-required",
    "Precondition required",
    428,
    "This change needs `If-Match`, so that nobody undoes what another has done meanwhile without knowing.",
    "Read what `detail` names and send its `ETag` in `If-Match`; or `If-Match: *` where it is to be done in any case.",
)
RATE_LIMITED: Final = ProblemType(
    "rate-limited",
    "Rate limited",
    429,
    "The key has asked for more than it may within a window; `violated-policies` names the limit, as the fields "
    "`RateLimit-Policy` and `RateLimit` do. Nothing was stored.",
    "Send it again after the seconds in `Retry-After`, and not faster than `RateLimit` lets you.",
)
TOO_MANY_FAILED_ATTEMPTS: Final = ProblemType(
    "too-many-failed-attempts",
    "Too many failed attempts",
    429,
    "Too many requests with keys that do not count came from this address; for a while no new key is looked at.",
    "Check the key, then come again after the seconds in `Retry-After`.",
)
INTERNAL_ERROR: Final = ProblemType(
    "internal-error",
    "Internal error",
    500,
    "An error on our side. It has been logged, and nothing of it is told.",
    "Try again later. If it stays, tell the operator when it happened.",
)
BUSY: Final = ProblemType(
    "busy",
    "Busy",
    503,
    "More is being written at present than there is room for.",
    "Send it again after the seconds in `Retry-After`. Events may be sent again without harm.",
)
DATABASE_UNAVAILABLE: Final = ProblemType(
    "database-unavailable",
    "Database unavailable",
    503,
    "The database cannot be reached at present. Whether a write was stored is not known.",
    "Send it again after the seconds in `Retry-After`. Events may be sent again without harm.",
)
ISSUER_UNAVAILABLE: Final = ProblemType(
    "issuer-unavailable",
    "Issuer unavailable",
    503,
    "The keys that the token's issuer signs with cannot be read at present, and none are at hand. Nothing was done.",
    "Send it again after the seconds in `Retry-After`. API keys go on working meanwhile.",
)
NOT_READY: Final = ProblemType(
    "not-ready",
    "Not ready",
    503,
    "The process was told to end, or a part of it stands still; `detail` says which. Only probes are told so.",
    "Ask another one.",
)
TOO_MANY_CONNECTIONS: Final = ProblemType(
    "too-many-connections",
    "Too many connections",
    503,
    "More connections are open at present than the server takes. This one is closed; nothing was read from it.",
    "Send it again after the seconds in `Retry-After`, over fewer connections.",
)

# A new type gets its row here; its page, the OpenAPI document and the tests follow by themselves.
_ALL: Final = (
    MALFORMED_REQUEST,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    CONFLICT,
    AMBIGUOUS_ID,
    EVENT_CONFLICT,
    IDEMPOTENCY_IN_FLIGHT,
    CURSOR_EXPIRED,
    PRECONDITION_FAILED,
    CONTENT_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    NOT_ACCEPTABLE,
    TOO_SLOW,
    TARGET_TOO_LONG,
    HEADERS_TOO_LARGE,
    INVALID_REQUEST,
    BATCH_REFUSED,
    IDEMPOTENCY_KEY_REUSED,
    PRECONDITION_REQUIRED,
    RATE_LIMITED,
    TOO_MANY_FAILED_ATTEMPTS,
    INTERNAL_ERROR,
    BUSY,
    DATABASE_UNAVAILABLE,
    ISSUER_UNAVAILABLE,
    TOO_MANY_CONNECTIONS,
    NOT_READY,
)


def _by_slug(types: Iterable[ProblemType]) -> Mapping[str, ProblemType]:
    found = {}
    for one in types:
        assert one.slug not in found, one.slug
        found[one.slug] = one
    return MappingProxyType(found)


PROBLEM_TYPES: Final = _by_slug(_ALL)
"""All types, by slug."""


def type_of_status(status: int) -> ProblemType:
    """The type of an error that the framework raised, of which only the status is known."""
    return next((one for one in _ALL if one.status == status), INTERNAL_ERROR)
