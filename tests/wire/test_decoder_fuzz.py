"""The decoder keeps its promises for bytes of any kind; `make fuzz` tries for longer, guided by coverage."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cloud_events import EVERY_TYPE, as_json, cloud_event
from tests.fuzzing.decoder import judge, mutated


@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_every_type_of_event(kind: str):
    judge(as_json(cloud_event(kind=kind)))


@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 2**64))
def test_events_with_something_wrong(seed: int):
    judge(mutated(random.Random(seed)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_of_any_kind(raw: bytes):
    judge(raw)


# What fuzzing found.
@pytest.mark.parametrize(
    "raw",
    [
        as_json(cloud_event(more="x")).replace(b'"more"', b'"mo\xed\xa0\x80re"'),
        as_json(cloud_event(more="x")).replace(b'"more"', b'"mo\xffre"'),
        as_json(cloud_event(kind="time.logged", data={"hours": "the hours"})).replace(b'"the hours"', b"1e2"),
        as_json(cloud_event(time="2026-01-01T00:00:00.9999999Z")),
    ],
    ids=[
        "half a surrogate in a name",
        "no UTF-8 in a name",
        "a number with an exponent",
        "a long fraction of a second",
    ],
)
def test_what_was_found_before(raw: bytes):
    judge(raw)
