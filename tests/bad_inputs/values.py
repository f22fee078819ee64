"""Values that no field takes, as they are written in JSON, in a path, in a query."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["IN_JSON", "IN_TEXT", "MOMENTS", "NOT_JSON", "WHOLE_NUMBERS", "Kind", "kind_of"]

Kind = str
"""What a field takes: text, number, boolean, array, object; or any."""

IN_JSON: Final[Mapping[str, tuple[bytes, frozenset[Kind]]]] = {
    "NUL byte, escaped": (rb'"a\u0000b"', frozenset()),
    "NUL byte in an inner value": (rb'{"a": [{"b": "\u0000"}]}', frozenset()),
    "NUL byte in a name": (rb'{"a\u0000b": 1}', frozenset()),
    "lone surrogate, escaped": (rb'"\ud800"', frozenset()),
    "lone surrogates, escaped, in the wrong order": (rb'"\udc00\ud800"', frozenset()),
    "lone surrogate in a name": (rb'{"\udfff": 1}', frozenset()),
    "control character, escaped": (rb'"a\u001bb"', frozenset()),
    "text of 100,000 characters": (b'"' + b"x" * 100_000 + b'"', frozenset()),
    "`true`": (b"true", frozenset({"boolean"})),
    "`false`": (b"false", frozenset({"boolean"})),
    "`0`": (b"0", frozenset({"number"})),
    "`-1`": (b"-1", frozenset()),
    "`1e400`": (b"1e400", frozenset()),
    "`-1e400`": (b"-1e400", frozenset()),
    "2^63": (b"9223372036854775808", frozenset()),
    "2^64": (b"18446744073709551616", frozenset()),
    "an integer of 10,000 digits": (b"9" * 10_000, frozenset()),
    "a fraction of 10,000 digits": (b"0." + b"3" * 10_000, frozenset({"number"})),
    "`1e-999999999`": (b"1e-999999999", frozenset({"number"})),
    "`[]`": (b"[]", frozenset({"array"})),
    "`{}`": (b"{}", frozenset({"object"})),
    "empty text": (b'""', frozenset()),
    "a day that is none, `2026-02-30`": (b'"2026-02-30"', frozenset({"text"})),
    "the year 1": (b'"0001-01-01T00:00:00Z"', frozenset({"text"})),
    "the year 9999": (b'"9999-12-31T23:59:59Z"', frozenset({"text"})),
    "the year 292277026596": (b'"+292277026596-12-04T15:30:07Z"', frozenset({"text"})),
    "an instant without an offset": (b'"2026-01-01T00:00:00"', frozenset({"text"})),
}
"""By name: JSON, and the kinds of fields that may take it after all."""

NOT_JSON: Final[Mapping[str, bytes]] = {
    "`NaN`": b"NaN",
    "`Infinity`": b"Infinity",
    "`-Infinity`": b"-Infinity",
    "NUL byte, raw": b'"a\x00b"',
    "lone surrogate, raw": b'"\xed\xa0\x80"',
    "invalid UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\x80"',
    "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects nested 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a line end in a text": b'"a\nb"',
    "`01`": b"01",
    "`'a'`": b"'a'",
    "nothing": b"",
}
"""What is no JSON, in the place of a value."""

IN_TEXT: Final[Mapping[str, str]] = {
    "NUL byte": "%00",
    "NUL byte in the middle": "a%00b",
    "invalid UTF-8": "%ff",
    "overlong UTF-8": "%C0%80",
    "lone surrogate": "%ED%A0%80",
    "control character": "a%1Bb",
    "line end": "a%0D%0Ab",
    "8,000 characters": "x" * 8_000,
}
"""What no path and no query takes, percent-encoded."""

WHOLE_NUMBERS: Final[Mapping[str, str]] = {
    "`false`": "false",
    "`NaN`": "NaN",
    "`Infinity`": "Infinity",
    "`1e400`": "1e400",
    "`1.5`": "1.5",
    "`0`": "0",
    "`-1`": "-1",
    "2^63": "9223372036854775808",
    "an integer of 10,000 digits": "9" * 10_000,
    "empty text": "",
}

MOMENTS: Final[Mapping[str, str]] = {
    "a day that is none, `2026-02-30`": "2026-02-30",
    "the year 1": "0001-01-01T00:00:00Z",
    "the year 1969": "1969-12-31",
    "the year 2200": "2200-01-01",
    "the year 9999": "9999-12-31T23:59:59-14:00",
    "the year 292277026596": "%2B292277026596-12-04T15:30:07Z",
    "an instant without an offset": "2026-01-01T00:00:00",
    "second 60": "2026-03-31T12:00:60Z",
    "`NaN`": "NaN",
    "a number": "1767225600",
    "empty text": "",
}


def kind_of(schema: Mapping[str, Any]) -> frozenset[Kind]:
    """What a field of a JSON Schema takes; references resolved by the caller."""
    found: set[Kind] = set()
    names = {"string": "text", "integer": "number"}
    for one in schema.get("anyOf") or schema.get("oneOf") or [schema]:
        kinds = one.get("type", "object" if "properties" in one or "additionalProperties" in one else "any")
        found.update(names.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))
    return frozenset(found)
