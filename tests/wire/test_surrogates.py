"""Halves of surrogate pairs, and where they stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.surrogates import half_in, half_of_pair


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (rb'"\ud800"', ""),
        (rb'{"id": "\uDFFF"}', "/id"),
        (rb'{"id": "\ud83d\ude00"}', None),
        (rb'{"id": "\\ud800"}', None),
        (rb'[1, {"a/b": ["\ud83d\ude00", "\ude00\ud83d"], "c": "\ud800"}]', "/1/a~1b/1"),
        (rb'{"a": {"b\udc00": 1}}', "/a/b?"),
        (rb'["\ud800", ', None),
        (b'"\xff\\ud800"', None),
        (rb'["\ud800", ' + b"9" * 5000 + b"]", "/0"),
        (b'{"a":' * 100_000 + rb'"\ud800"', None),
        (b"", None),
    ],
)
def test_the_first_is_found(raw: bytes, pointer: str | None):
    assert half_of_pair(raw) == pointer


_TEXT = st.text(st.characters(codec="utf-8"), max_size=3)


@given(
    st.recursive(
        st.none() | st.integers() | _TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    )
)
def test_there_is_none_in_text(value: object):
    assert half_in(value) is None
    assert half_of_pair(json.dumps(value).encode()) is None
