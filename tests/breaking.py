"""What in a newer OpenAPI document breaks the clients of an older one: those who speak HTTP, and generated ones.

One relation does for both ways: every value of one schema is one of another. What clients send must fit the newer
schema where it fitted the older one; what is answered must fit the older one. What cannot be judged counts as breaking.

`python -m tests.breaking OLDER NEWER` lists it.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["breaking_changes", "is_raised"]

Json = Mapping[str, Any]

_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SAME = ("pattern", "format", "multipleOf", "uniqueItems", "propertyNames", "prefixItems", "not", "allOf")
_KNOWN = {
    *(*_UPPER, *_LOWER, *_SAME, "type", "enum", "const", "properties", "required", "items", "additionalProperties"),
    *("anyOf", "oneOf", "$ref"),
    # Told to people and generators alone. What a discriminator maps is in `oneOf`.
    *("title", "description", "examples", "example", "default", "deprecated", "discriminator", "$comment"),
}
_ALL_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def is_raised(older: str, newer: str) -> bool:
    """Whether a version may break clients of another one, by semantic versioning: before 1.0 each minor one may."""
    was, is_now = ([int(part) for part in version.split(".")] for version in (older, newer))
    place = 1 if was[0] == 0 else 0
    return is_now[: place + 1] > was[: place + 1]


def breaking_changes(older: Json, newer: Json) -> list[str]:
    """Each change that breaks a client, in the order of the older document."""
    return list(dict.fromkeys(_Comparison(older, newer).changes()))


class _Comparison:
    def __init__(self, older: Json, newer: Json) -> None:
        self._older = older
        self._newer = newer
        self._under_way: set[tuple[int, int, bool]] = set()

    def changes(self) -> Iterator[str]:
        for path, methods in self._older["paths"].items():
            for method, older in methods.items():
                name = f"{method.upper()} {path}"
                newer = self._newer["paths"].get(path, {}).get(method)
                if newer is None:
                    yield f"{name}: gone"
                else:
                    yield from (f"{name}: {change}" for change in self._operation(older, newer))
        # Names of types in generated clients.
        named = self._newer.get("components", {}).get("schemas", {})
        for name in self._older.get("components", {}).get("schemas", {}):
            if name not in named:
                yield f"schema {name}: gone"

    def _operation(self, older: Json, newer: Json) -> Iterator[str]:
        if older.get("operationId") != newer.get("operationId"):
            yield "has another operationId"
        if not _lets_in(newer.get("security", []), older.get("security", [])):
            yield "asks for another key or scope"
        yield from self._parameters(older, newer)
        yield from self._request_body(older.get("requestBody"), newer.get("requestBody"))
        yield from self._answers(older["responses"], newer["responses"])

    def _parameters(self, older: Json, newer: Json) -> Iterator[str]:
        was, is_now = self._parameters_of(self._older, older), self._parameters_of(self._newer, newer)
        for key, parameter in was.items():
            name = f"{key[0]} parameter {key[1]}"
            if key not in is_now:
                yield f"{name}: gone"
                continue
            found = is_now[key]
            if found.get("required", False) and not parameter.get("required", False):
                yield f"{name}: required now"
            if any(parameter.get(word) != found.get(word) for word in ("style", "explode", "allowReserved", "content")):
                yield f"{name}: written differently"
            schema, changed = parameter.get("schema", {}), found.get("schema", {})
            if "default" in schema and schema["default"] != changed.get("default"):
                yield f"{name}: means something else when it is left out"
            yield from (f"{name}{change}" for change in self._fits(schema, changed, is_sent=True))
        for key, parameter in is_now.items():
            if key not in was and parameter.get("required", False):
                yield f"{key[0]} parameter {key[1]}: new and required"

    def _parameters_of(self, document: Json, operation: Json) -> dict[tuple[str, str], Json]:
        found = (_resolved(document, one) for one in operation.get("parameters", ()))
        # The names of headers know no case.
        return {(one["in"], one["name"].lower() if one["in"] == "header" else one["name"]): one for one in found}

    def _request_body(self, older: Json | None, newer: Json | None) -> Iterator[str]:
        if older is None or newer is None:
            if older is not None:
                yield "body: not taken any more"
            elif newer is not None and newer.get("required", False):
                yield "body: new and required"
            return
        older, newer = _resolved(self._older, older), _resolved(self._newer, newer)
        if newer.get("required", False) and not older.get("required", False):
            yield "body: required now"
        yield from self._content("body", older, newer, is_sent=True)

    def _content(self, name: str, older: Json, newer: Json, *, is_sent: bool) -> Iterator[str]:
        for media, content in older.get("content", {}).items():
            found = newer.get("content", {}).get(media)
            if found is None:
                yield f"{name}: no {media} any more"
            else:
                inner, outer = content.get("schema", {}), found.get("schema", {})
                yield from (f"{name}{change}" for change in self._fits(inner, outer, is_sent=is_sent))

    def _answers(self, older: Json, newer: Json) -> Iterator[str]:
        for status, answer in older.items():
            if status not in newer:
                # An error that happens no more harms nobody.
                if status[0] in "123":
                    yield f"{status}: not answered any more"
                continue
            was, is_now = _resolved(self._older, answer), _resolved(self._newer, newer[status])
            yield from self._content(status, was, is_now, is_sent=False)
            headers = {name.lower(): header for name, header in is_now.get("headers", {}).items()}
            for name, header in was.get("headers", {}).items():
                if name.lower() not in headers:
                    yield f"{status}: no header {name} any more"
                    continue
                inner = _resolved(self._older, header).get("schema", {})
                outer = _resolved(self._newer, headers[name.lower()]).get("schema", {})
                yield from (f"{status} header {name}{one}" for one in self._fits(inner, outer, is_sent=False))
        for status in newer:
            if status not in older and status[0] == "2":
                yield f"{status}: a new way to succeed"

    def _fits(self, older: Json, newer: Json, *, is_sent: bool, at: str = "") -> Iterator[str]:
        """Why there are values that were sent and are not taken, or that are answered and were not."""
        key = (id(older), id(newer), is_sent)
        if key in self._under_way:  # A schema within itself.
            return
        self._under_way.add(key)
        try:
            was, is_now = _alternatives(self._older, older), _alternatives(self._newer, newer)
            inner, outer = (was, is_now) if is_sent else (is_now, was)
            for one in inner:
                if is_sent or not _is_new_event(one, _resolved(self._older, older)):
                    yield from self._is_one_of(one, outer, is_sent=is_sent, at=at)
        finally:
            self._under_way.discard(key)

    def _is_one_of(self, inner: Json, outer: list[Json], *, is_sent: bool, at: str) -> Iterator[str]:
        best: list[str] = []
        for one in outer:
            if one["type"] != inner["type"] and (inner["type"], one["type"]) != ("integer", "number"):
                continue
            found = list(self._is_within(inner, one, is_sent=is_sent, at=at))
            if not found:
                return
            if not best or len(found) < len(best):
                best = found
        yield from best or [f"{at}: {inner['type']} {'is not taken any more' if is_sent else 'is answered now'}"]

    def _is_within(self, inner: Json, outer: Json, *, is_sent: bool, at: str) -> Iterator[str]:
        """Why values of the one are no values of the other; both are of one type."""
        if (allowed := _values(outer)) is not None:
            found = _values(inner)
            for value in [None] if found is None else [one for one in found if one not in allowed]:
                yield f"{at}: {'any value' if found is None else json.dumps(value)} is beyond the other's values"
        for words, sign in ((_UPPER, 1), (_LOWER, -1)):
            for word in words:
                if word in outer and not (word in inner and sign * inner[word] <= sign * outer[word]):
                    yield f"{at}: {word} is {inner.get(word, 'none')}, of the other {outer[word]}"
        for word in _SAME:
            if word in outer and inner.get(word) != outer[word]:
                yield f"{at}: {word} is {inner.get(word, 'none')}, of the other {outer[word]}"
        for word in {*inner, *outer} - _KNOWN:
            if not word.startswith("x-") and inner.get(word) != outer.get(word):
                yield f"{at}: {word} has changed"
        if inner["type"] == "object":
            yield from self._has_fields(inner, outer, is_sent=is_sent, at=at)
        if inner["type"] == "array" and "items" in outer:
            older, newer = (inner, outer) if is_sent else (outer, inner)
            yield from self._fits(older.get("items", {}), newer.get("items", {}), is_sent=is_sent, at=f"{at}/*")

    def _has_fields(self, inner: Json, outer: Json, *, is_sent: bool, at: str) -> Iterator[str]:
        older, newer = (inner, outer) if is_sent else (outer, inner)
        was, is_now = older.get("properties", {}), newer.get("properties", {})
        for name in outer.get("required", ()):
            if name not in inner.get("required", ()):
                yield f"{at}/{name}: {'required now' if is_sent else 'may be missing now'}"
        for name, schema in was.items():
            if name in is_now:
                yield from self._fits(schema, is_now[name], is_sent=is_sent, at=f"{at}/{name}")
            else:
                yield f"{at}/{name}: gone"
        # What is beyond the fields: readers ignore what they do not know, but senders may not be refused.
        others, allowed = older.get("additionalProperties", True), newer.get("additionalProperties", True)
        if isinstance(others, Mapping) and isinstance(allowed, Mapping):
            yield from self._fits(others, allowed, is_sent=is_sent, at=f"{at}/*")
        elif is_sent and others is not False and allowed is not True:
            yield f"{at}: other fields are not taken any more"
        elif not is_sent and isinstance(others, Mapping) and allowed is True:
            yield f"{at}: other fields may be anything now"


def _resolved(document: Json, part: Json) -> Json:
    while "$ref" in part:
        found: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        part = found
    return part


def _alternatives(document: Json, schema: Json) -> list[Json]:
    """What a schema is a choice of: schemas of one type each."""
    found = _resolved(document, schema)
    for word in ("anyOf", "oneOf"):
        if word in found:
            rest = {key: value for key, value in found.items() if key != word}
            return [{**rest, **inner} for one in found[word] for inner in _alternatives(document, one)]
    types = found.get("type") or {_type_of(value) for value in _values(found) or ()} or _ALL_TYPES
    return [{**found, "type": one} for one in ([types] if isinstance(types, str) else types)]


def _values(schema: Json) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _type_of(value: object) -> str:
    kinds = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")


def _is_new_event(answered: Json, union: Json) -> bool:
    """Whether it is a type of event that the older document does not know: readers ignore those."""
    told = union.get("discriminator", {})
    if "mapping" not in told:
        return False
    kinds = _values(answered.get("properties", {}).get(told["propertyName"], {}))
    return kinds is not None and not set(kinds) & set(told["mapping"])


def _lets_in(newer: Iterable[Json], older: Iterable[Json]) -> bool:
    """Whether every way in still is one; no way asked for is the way without a key."""
    ways = [*newer] or [{}]
    return all(any(_is_enough(given, asked) for asked in ways) for given in [*older] or [{}])


def _is_enough(given: Json, asked: Json) -> bool:
    return all(scheme in given and set(scopes) <= set(given[scheme]) for scheme, scopes in asked.items())


if __name__ == "__main__":
    first, second = (json.loads(Path(name).read_text()) for name in sys.argv[1:])
    found = breaking_changes(first, second)
    print("\n".join(found))
    sys.exit(bool(found))
