"""Requests of GraphQL: how they are read, and how they are refused that cannot be understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive

from app.graphql.scalars import decode_json
from app.use_cases.errors import RateLimitedError
from app.wire.codings import CODINGS, BrokenCodingError, InflatedBodyError, UnknownCodingError
from app.wire.repeats import REPEATED, TOO_DEEP, holds_more, repeated
from app.wire.surrogates import HALF_OF_PAIR, half_of_pair

__all__ = [
    "JSON",
    "MOST_BYTES",
    "Refused",
    "Request",
    "body_of",
    "check_media",
    "left",
    "limited",
    "read_body",
    "read_object",
    "read_parameters",
    "read_query",
]

MOST_BYTES: Final = 8 * 1024 * 1024
JSON: Final = b"application/json"
_MOST_VALUES: Final = 50_000
_MOST_BESIDE: Final = 100
"""Values of a request beside its variables."""


class Refused(Exception):
    """The request itself cannot be understood, or not be let in."""

    def __init__(self, status: int, message: str, code: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Say why, and with which status and headers over HTTP."""
        super().__init__(message)
        self.status = status
        self.errors = [{"message": message, "extensions": {"code": code}}]
        self.headers = headers


def limited(error: RateLimitedError) -> Refused:
    """The key has asked for too much."""
    return Refused(429, str(error), "RATE_LIMITED", ((b"retry-after", str(error.wait).encode()),))


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters of a GraphQL request."""

    query: str | None
    operation_name: str | None
    variables: dict[str, Any]
    digest: str | None


def check_media(headers: Mapping[bytes, bytes]) -> None:
    """Take JSON in UTF-8 alone.

    Raises:
        Refused: it is something else.
    """
    media, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    if media.strip() != JSON:
        accepted = ((b"accept", JSON),)
        raise Refused(415, "expected Content-Type application/json", "UNSUPPORTED_MEDIA_TYPE", accepted)
    charset = parameters.partition(b"charset=")[2].strip(b' "')
    if charset not in (b"", b"utf-8", b"utf8"):
        raise Refused(415, "expected UTF-8", "UNSUPPORTED_MEDIA_TYPE")


async def body_of(receive: Receive) -> bytes:
    """The body of a request.

    Raises:
        Refused: it is too long, or cannot be decoded, or ended early.
    """
    chunks, size = [], 0
    while True:
        try:
            message = await receive()
        except UnknownCodingError as error:
            accepted = ((b"accept-encoding", ", ".join(CODINGS).encode()),)
            raise Refused(415, str(error), "UNSUPPORTED_MEDIA_TYPE", accepted) from None
        except InflatedBodyError as error:
            raise Refused(413, str(error), "TOO_LARGE") from None
        except BrokenCodingError as error:
            raise Refused(400, str(error), "BAD_REQUEST") from None
        if message["type"] == "http.disconnect":
            raise Refused(400, "the request ended early", "BAD_REQUEST")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise Refused(413, f"expected at most {MOST_BYTES} bytes", "TOO_LARGE")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


async def left(receive: Receive) -> None:
    """Wait until the client has gone; a request without a body still begins with an empty one."""
    while (await receive())["type"] != "http.disconnect":
        pass


def read_body(body: bytes) -> Request:
    """Read a request that is JSON.

    Raises:
        Refused: it is none.
    """
    if len(body) > _MOST_VALUES and holds_more(body, _MOST_VALUES + _MOST_BESIDE):
        raise _too_much()
    found = read_object(body)
    if len(body) > _MOST_VALUES and not _is_bounded(found.get("variables")):
        raise _too_much()
    return read_parameters(found)


def read_object(body: bytes) -> dict[str, Any]:
    """Read an object of JSON.

    Raises:
        Refused: it is none.
    """
    try:
        found = decode_json(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        _refuse_half_of_pair(body)
        raise Refused(400, f"the body is no JSON: {error}", "BAD_REQUEST") from None
    _refuse_repeated(body)
    if isinstance(found, list):
        raise Refused(400, "expected one operation: batches are not taken", "BAD_REQUEST")
    if not isinstance(found, dict):
        raise Refused(400, "expected an object with `query`", "BAD_REQUEST")
    return found


def _too_much() -> Refused:
    return Refused(400, f"expected at most {_MOST_VALUES:,} values in variables", "LIMIT_VARIABLES")


def _refuse_repeated(text: bytes, name: str = "") -> None:
    try:
        pointer = repeated(text)
    except RecursionError:
        raise Refused(400, f"the body is no JSON: {TOO_DEEP}", "BAD_REQUEST") from None
    except ValueError:
        raise Refused(400, "the body is no JSON in UTF-8", "BAD_REQUEST") from None
    if pointer is not None:
        raise Refused(400, f"{name}{pointer or 'a name'}: {REPEATED}", "BAD_REQUEST")


def _refuse_half_of_pair(text: bytes, name: str = "") -> None:
    at = half_of_pair(text)
    if at is not None:
        raise Refused(400, f"{name}{at}: {HALF_OF_PAIR}", "BAD_REQUEST")


def _is_bounded(value: object) -> bool:
    """Whether variables hold no more values than can be looked at in passing."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += len(inner)
        if count > _MOST_VALUES:
            return False
        waiting.extend(inner)
    return True


def read_query(query: bytes) -> Request:
    """Read a request that is the query of a URL.

    Raises:
        Refused: it is none.
    """
    try:
        given = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise Refused(400, "expected at most 20 parameters, in percent-encoded UTF-8", "BAD_REQUEST") from None
    twice = next((name for name, values in given.items() if len(values) > 1), None)
    if twice is not None:
        raise Refused(400, f"?{twice[:100]}: {REPEATED}", "BAD_REQUEST")
    found: dict[str, Any] = {name: values[0] for name, values in given.items()}
    for name in ("variables", "extensions"):
        if found.get(name):
            _refuse_repeated(found[name].encode(), f"?{name}")
            try:
                found[name] = decode_json(found[name])
            except (msgspec.DecodeError, RecursionError, ValueError):
                _refuse_half_of_pair(found[name].encode(), f"?{name}")
                raise Refused(400, f"expected `{name}` as a JSON object", "BAD_REQUEST") from None
        else:
            found.pop(name, None)
    return read_parameters(found)


def read_parameters(given: dict[str, Any]) -> Request:
    """Read the parameters of a request.

    Raises:
        Refused: they are not as GraphQL over HTTP has them.
    """
    for name, kind, told in (
        ("query", str, "a string"),
        ("operationName", str, "a string"),
        ("variables", dict, "an object"),
        ("extensions", dict, "an object"),
        ("documentId", str, "a string"),
    ):
        if not isinstance(given.get(name), kind | None):
            raise Refused(400, f"expected `{name}` to be {told}", "BAD_REQUEST")
    extensions = given.get("extensions") or {}
    digest = given.get("documentId")
    persisted = extensions.get("persistedQuery")
    if isinstance(persisted, dict):
        digest = persisted.get("sha256Hash", digest)
    if digest is not None and not isinstance(digest, str):
        raise Refused(400, "expected `sha256Hash` to be a string", "BAD_REQUEST")
    query: str | None = given.get("query")
    if query is None and digest is None:
        raise Refused(400, "expected `query`, the text of a document", "BAD_REQUEST")
    return Request(
        query=query,
        operation_name=given.get("operationName") or None,
        variables=given.get("variables") or {},
        digest=None if digest is None else digest.removeprefix("sha256:"),
    )
