"""What is sent: every operation of the OpenAPI document, with one thing wrong at a time."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from app.wire.policies import PolicySettings
from tests.bad_inputs.values import IN_JSON, IN_TEXT, MOMENTS, NOT_JSON, WHOLE_NUMBERS, kind_of
from tests.cloud_events import BATCH, EVERY_TYPE, NDJSON, STRUCTURED, as_json, cloud_event

__all__ = ["Case", "Operation", "cases_of", "operations_of"]

JSON: Final = "application/json"
_MOMENT_NAMES: Final = frozenset({"as_of", "known_at", "since", "until", "from"})
_VALUE: Final = b'"the value"'


@dataclass(frozen=True)
class Case:
    """One request with one thing wrong.

    Attributes:
        what: is wrong.
        where: it is, in words.
        method: of the request.
        path: with the query, percent-encoded.
        body: of the request; None for none.
        headers: beside the key.
        pointers: one of which the answer has to name where it is 422; none where nothing can be named.
        harmless: whether the answer may also be one of success: what is wrong is not looked at there.
    """

    what: str
    where: str
    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str | bytes], ...] = ()
    pointers: tuple[str, ...] = ()
    harmless: bool = False


@dataclass(frozen=True)
class Operation:
    """One operation of the document: how a good request for it begins."""

    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...] = ()
    media: frozenset[str] = frozenset()
    body: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    def to(self, query: str = "", **path: str) -> str:
        """Its path, with a query; parameters that are not given have some value that may be."""
        given = {
            one["name"]: path.get(one["name"], _SOME.get(one["name"], "x"))
            for one in self.parameters
            if one["in"] == "path"
        }
        found = self.path
        for name, value in given.items():
            found = found.replace(f"{{{name}}}", value)
        return found + (f"?{query}" if query else "")


_SOME: Final = {"client_id": "nobody", "version": "v99", "digest": "0" * 64, "event_id": "none"}


def operations_of(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Every operation of an OpenAPI document."""

    def resolved(schema: Any) -> Any:
        while isinstance(schema, dict) and "$ref" in schema:
            found: Any = document
            for part in schema["$ref"][2:].split("/"):
                found = found[part]
            schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        return schema

    def member(schema: Any) -> dict[str, Any]:
        found = dict(resolved(schema))
        for name in ("anyOf", "oneOf"):
            if name in found:
                found[name] = [resolved(one) for one in found[name]]
        return found

    for path, item in document["paths"].items():
        for method, found in item.items():
            if method not in ("get", "put", "post", "delete", "patch"):
                continue
            parameters = [dict(resolved(one)) for one in [*item.get("parameters", []), *found.get("parameters", [])]]
            for one in parameters:
                one["schema"] = member(one["schema"])
            content = resolved(found.get("requestBody", {})).get("content", {})
            schema = resolved(content.get(JSON, {}).get("schema", {}))
            properties = {name: member(one) for name, one in schema.get("properties", {}).items()}
            body = {name: _good(properties[name]) for name in schema.get("required", [])}
            if path.endswith("/simulate"):
                body = {"events": [{"type": "invoice.disputed", "data": {"invoice": "A"}}]}
            yield Operation(method.upper(), path, tuple(parameters), frozenset(content), body, properties)


def _good(schema: Mapping[str, Any]) -> Any:
    for name in ("example", "const", "default"):
        if name in schema:
            return schema[name]
    for name in ("examples", "enum", "anyOf", "oneOf"):
        if schema.get(name):
            first = schema[name][0]
            return _good(first) if name.endswith("Of") else first
    if schema.get("type") == "array":
        return [_good(schema.get("items", {}))]
    return {"object": {}, "integer": 1, "number": 1, "boolean": True}.get(str(schema.get("type")), "x")


def cases_of(operations: list[Operation]) -> Iterator[Case]:
    """Everything that is wrong, for every operation."""
    for operation in operations:
        yield from _parameters(operation)
        yield from _methods(operation)
        if operation.media:
            yield from _bodies(operation)
        if operation.path == "/v1/events" and operation.method == "POST":
            yield from _events(operation)
        elif JSON in operation.media:
            yield from _fields(operation)
        if operation.path == "/v1/policies" and operation.method == "POST":
            yield from _settings(operation)
        if operation.path.endswith("/simulate"):
            yield from _simulated(operation)


def _parameters(operation: Operation) -> Iterator[Case]:
    good = operation.body and ((("Content-Type", JSON),), as_json(operation.body))
    headers, body = good or ((), None)
    known = operation.path.startswith("/v1/")
    for one in operation.parameters:
        name, place, kinds = one["name"], one["in"], kind_of(one["schema"])
        if place == "path":
            for what, value in IN_TEXT.items():
                path = operation.to(**{name: value})
                # Where there is nothing of such a name anyway, that is the answer.
                yield Case(what, "path", operation.method, path, body, headers, (f"{{{name}}}",) if known else ())
        elif place == "query":
            values = WHOLE_NUMBERS if "number" in kinds else MOMENTS if name in _MOMENT_NAMES else {}
            if one["schema"].get("minimum") == 0:
                values = {what: value for what, value in values.items() if value != "0"}
            for what, value in {**IN_TEXT, **values}.items():
                path = operation.to(f"{name}={value}")
                where = (
                    "query, a number"
                    if "number" in kinds
                    else "query, an instant or a day"
                    if name in _MOMENT_NAMES
                    else "query"
                )
                yield Case(what, where, operation.method, path, body, headers, (f"?{name}",))
            twice = operation.to(f"{name}=1&{name}=1")
            yield Case("a parameter given twice", "query", operation.method, twice, body, headers, (f"?{name}",))
        elif place == "header":
            for what, sent in {"8,000 characters": b"x" * 8_000, "bytes that are no text": b"\xff\xfe\x01"}.items():
                more = (*headers, (name, sent))
                yield Case(what, "header", operation.method, operation.to(), body, more, (), harmless=True)


def _methods(operation: Operation) -> Iterator[Case]:
    yield Case("a method that does not exist", "request line", "BREW", operation.to())
    yield Case("TRACE", "request line", "TRACE", operation.to())


def _bodies(operation: Operation) -> Iterator[Case]:
    """Bodies that are wrong as a whole."""
    media = STRUCTURED if STRUCTURED in operation.media else JSON

    def case(what: str, body: bytes | None, kind: str | bytes = media, *more: tuple[str, str]) -> Case:
        headers = (("Content-Type", kind), *more) if kind else more
        return Case(what, "body", operation.method, operation.to(), body, headers)

    good = as_json(operation.body if media == JSON else cloud_event())
    for what, body in NOT_JSON.items():
        yield case(what, body)
    for what, body in {"`null`": b"null", "`[]`": b"[]", "`5`": b"5", "a text": b'"x"'}.items():
        yield case(what, body)
    yield case("truncated", (good or b"{}")[:-1])
    yield case("two documents", good + good)
    yield case("a byte order mark", b"\xef\xbb\xbf" + good)
    yield case("UTF-16", good.decode().encode("utf-16"))
    yield case("UTF-32", good.decode().encode("utf-32"))
    yield case("10 MiB", b'{"x":"' + b"x" * 10 * 1024 * 1024 + b'"}')
    yield case("100,000 names", as_json({f"k{n}": n for n in range(100_000)}))
    yield case("one name 100,000 times", b"{" + b",".join([b'"a":1'] * 100_000) + b"}")
    yield case("a name given twice", good[:-1] + (b", " if len(good) > 2 else b"") + b'"a": 1, "a": 1}')
    yield case("a name of 100,000 characters given twice", b'{"%b":1,"%b":1}' % ((b"x" * 100_000,) * 2))
    for wrong in (
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "",
    ):
        yield case("a media type of another kind, or none", good, wrong)
    yield case("a media type that is no text", good, b"\xff\xfe")
    yield case("an unknown Content-Encoding", good, media, ("Content-Encoding", "snappy"))
    yield case("bytes that are not gzip, said to be", good, media, ("Content-Encoding", "gzip"))
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    blown = b"".join(bomb.compress(b" " * 1024 * 1024) for _ in range(100)) + bomb.flush()
    yield case("gzip that becomes 100 MiB", blown, media, ("Content-Encoding", "gzip"))


def _fields(operation: Operation) -> Iterator[Case]:
    """Every field of a JSON object with every value that it does not take."""
    for name, schema in operation.properties.items():
        lengths = [one.get("minLength", 0) for one in schema.get("anyOf", [schema]) if one.get("type") == "string"]
        spared = frozenset() if min(lengths, default=1) else frozenset({"empty text"})
        body = {**operation.body, name: "the value"}
        yield from _values(operation, (name,), body, kind_of(schema), JSON, "a field", spared)


def _settings(operation: Operation) -> Iterator[Case]:
    schema = PolicySettings.model_json_schema(mode="validation")

    def leaves(one: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        while "$ref" in one:
            one = schema["$defs"][one["$ref"].rpartition("/")[2]]
        if "properties" not in one:
            yield path, one
        for name, inner in one.get("properties", {}).items():
            yield from leaves(inner, (*path, name))

    for path, one in leaves(schema, ()):
        value: Any = "the value"
        for name in reversed(path):
            value = {name: value}
        # A merge patch merges objects, and what is missing in them stays.
        kinds = kind_of(one) | {"object"}
        spared = frozenset(
            {"`-1`"} if any(each.get("minimum", 0) <= -1 for each in (one, *one.get("anyOf", ()))) else ()
        )
        yield from _values(operation, ("settings", *path), {"settings": value}, kinds, JSON, "a setting", spared)


def _simulated(operation: Operation) -> Iterator[Case]:
    for name in ("invoice", "amount"):
        data = {"invoice": "A", "amount": 5, name: "the value"}
        body = {"events": [{"type": "invoice.paid", "data": data}]}
        kinds = frozenset({"text"} if name == "invoice" else {"number"})
        yield from _values(operation, ("events", "0", "data", name), body, kinds, JSON)
    for name in ("id", "source", "subject", "time", "type"):
        body = {"events": [{"type": "invoice.paid", "data": {"invoice": "A"}, name: "the value"}]}
        yield from _values(
            operation, ("events", "0", name), body, frozenset({"text"} - ({"text"} if name == "time" else set())), JSON
        )


def _events(operation: Operation) -> Iterator[Case]:
    for name in ("id", "source", "type", "subject", "specversion", "time", "datacontenttype", "dataschema", "data"):
        kinds = frozenset({"object"} if name == "data" else {"text"} if name != "time" else set())
        for media in (STRUCTURED, BATCH, NDJSON):
            yield from _values(operation, (name,), {**cloud_event(), name: "the value"}, kinds, media)
    numbers = {"hours", "price", "amount", "rate"}
    times = {"starts", "day", "due_at", "scheduled_at", "moved_to", "due_date"}
    for kind, data in EVERY_TYPE.items():
        for name in data:
            kinds = frozenset(
                {"number"}
                if name in numbers
                else {"boolean"}
                if isinstance(data[name], bool)
                else {"text"} - ({"text"} if name in times else set())
            )
            body = {**cloud_event(kind=kind), "data": {**data, name: "the value"}}
            yield from _values(operation, ("data", name), body, kinds, STRUCTURED)
    attributes = {f"ce-{name}": quote(str(value)) for name, value in cloud_event().items() if name != "data"}
    where, to, plain = "a field of an event", operation.to(), ("Content-Type", JSON)
    twice = (plain, *attributes.items(), ("ce-id", "2"))
    yield Case("an attribute given twice", where, "POST", to, b"{}", twice, ("/id",))
    for what, value in (("invalid UTF-8", "%fe1"), ("a surrogate", "%ed%a0%80"), ("bytes beyond ASCII", b"\xc3\xa9")):
        headers: tuple[tuple[str, str | bytes], ...] = (plain, *(attributes | {"ce-id": value}).items())
        yield Case(f"{what} in an attribute's header", where, "POST", to, b"{}", headers, ("/id",))


def _values(  # noqa: PLR0917 - a case
    operation: Operation,
    path: tuple[str, ...],
    body: Any,
    kinds: frozenset[str],
    media: str,
    where: str = "a field",
    spared: frozenset[str] = frozenset(),
) -> Iterator[Case]:
    written = as_json(body)
    assert written.count(_VALUE) == 1
    pointer = "/" + "/".join(path)
    if media != JSON:
        where = "a field of an event"
    # What no event of a batch can be read for is said of the batch.
    pointers = (pointer, f"/0{pointer}") if media == BATCH else (pointer,)
    frame = {BATCH: b"[%b]", NDJSON: b"%b\n"}.get(media, b"%b")
    method, to, headers = operation.method, operation.to(), (("Content-Type", media),)

    def case(what: str, value: bytes, *, harmless: bool = False) -> Case:
        whole = frame % written.replace(_VALUE, value)
        return Case(f"{what}", where, method, to, whole, headers, pointers, harmless)

    for what, (value, fine) in IN_JSON.items():
        if "any" in kinds or fine & kinds or what in spared:
            continue
        yield case(what, value)
    for what, value in NOT_JSON.items():
        yield case(what, value)
    yield case("a name given twice within", b'{"a": 1, "a": 1}')
    name = json.dumps(path[-1]).encode() + b": "
    twice = written.replace(name + _VALUE, name + _VALUE + b", " + name + _VALUE).replace(_VALUE, b'"A"')
    yield Case("the name given twice", where, method, to, frame % twice, headers, (pointer,))
