"""A name that stands twice in one object is found, wherever and however it is written; nothing else is."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.wire.repeats import holds_more, may_repeat, repeated
from app.wire.surrogates import half_of_pair

_names = st.sampled_from(["a", "b", '"', "\\", 'a"', "ä", "~/", "", "\ud800", "\x00", "a\\u0022"])
_leaves = st.none() | st.booleans() | st.integers() | st.sampled_from(["", '"', '\\"', "a", "😀", "\ud800", "x:1"])


class Pairs(list):
    """An object as it was written."""


_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(_names, inner), max_size=3).map(Pairs)
)


def written(value: Any, draw_space: str, *, ascii_: bool) -> str:
    """Some JSON of a value, with spaces, and with quotation marks as escapes of the long kind."""
    match value:
        case Pairs():
            members = (
                f"{written(n, '', ascii_=ascii_)}{draw_space}:{written(v, draw_space, ascii_=ascii_)}" for n, v in value
            )
            return "{" + f",{draw_space}".join(members) + "}"
        case list():
            return "[" + ",".join(written(one, draw_space, ascii_=ascii_) for one in value) + "]"
    text = json.dumps(value, ensure_ascii=True)
    return re.sub(r"\\(.)", lambda found: "\\u0022" if found[1] == '"' else found[0], text) if ascii_ else text


def expected(value: Any) -> bool:
    match value:
        case Pairs():
            names = [name for name, _ in value]
            return len(set(names)) < len(names) or any(expected(inner) for _, inner in value)
        case list():
            return any(map(expected, value))
    return False


@given(_values, st.sampled_from(["", " ", "\n\t"]), st.booleans())
@example(Pairs([("a", 1), ("a", 2), ('"', '"')]), "", True)
def test_exactly_what_stands_twice_is_found(value: Any, space: str, ascii_: bool):
    raw = written(value, space, ascii_=ascii_).encode()
    assert (repeated(raw) is not None) == expected(value)
    assert may_repeat(raw) or not expected(value)


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"a":1,"a":1}', "/a"),
        (rb'{"a":1,"\u0061":1}', "/a"),
        (b'{"a":{"b":1},"b":[{},{"c~/":1,"c~/":2}]}', "/b/1/c~0~1"),
        (b'[{"a":1},{"a":1}]', None),
        (b'{"a":"\\"a\\":1,\\"a\\":1"}', None),
        (b'{"a":NaN,"a":1}', "/a"),
        (b'{"a":' + b"9" * 10_000 + b',"a":1}', "/a"),
        (b'{"a":1e400}', None),
        (rb'{"\ud800":1,"\ud800":2}', "/?"),
        (b"5", None),
    ],
)
def test_it_is_named(raw: bytes, pointer: str | None):
    assert repeated(raw) == pointer


def test_what_is_nested_too_deeply_is_not_looked_at():
    with pytest.raises(RecursionError):
        repeated(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)


def test_a_quotation_mark_in_long_form_needs_no_closer_look(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json, "loads", None)
    assert repeated(b'{"a":"' + rb"\u0022\\u0022\"" * 1000 + b'","b":1}') is None


def test_of_much_it_is_said_that_but_not_where():
    much = b'"' + rb"\u0022" * 200_000 + b'"'
    assert repeated(b'{"a":%b,"b":1}' % much) is None
    assert repeated(b'{"a":%b,"a":1}' % much) == ""
    with pytest.raises(RecursionError):
        repeated(b'{"a":%b,"b":%b}' % (much, b"[" * 300 + b"]" * 300))


def count(value: Any) -> int:
    match value:
        case Pairs():
            return 1 + sum(count(one) for _, one in value)
        case list():
            return 1 + sum(map(count, value))
    return 1


@given(_values, st.sampled_from(["", " ", "\n\t"]), st.booleans())
@example([[], Pairs()], " ", False)
@example([",[{", '\\",[', "\\"], "", False)
def test_values_are_counted_before_they_are_made(value: Any, space: str, ascii_: bool):
    raw = written(value, space, ascii_=ascii_).encode()
    values = count(value)
    assert not holds_more(raw, values)
    assert values == 1 or holds_more(raw, values - 1)


def test_half_of_a_surrogate_pair_is_not_looked_for_in_much():
    half = rb'"\ud800"'
    assert half_of_pair(b"[%b]" % half) == "/0"
    assert half_of_pair(b"[%b%b]" % (half, b" " * 2**20)) is None
