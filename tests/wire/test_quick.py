"""The quick way of reading events takes nothing that the thorough way would not take, or take otherwise."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.events import CATALOGUE
from app.ports.ledger import NewEvent
from app.wire.cloudevents import EventDecoder
from app.wire.faults import Invalid
from app.wire.quick import QuickReader
from tests.cloud_events import EVERY_TYPE, as_json, cloud_event
from tests.core.strategies import events

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Noon:
    def now(self) -> datetime:
        return NOON


QUICK = QuickReader(CATALOGUE, Noon())
DECODER = EventDecoder(Noon())

_TRICKY: list[Any] = [
    *(
        "1e2",
        "+5",
        " 5",
        "5 ",
        "1_000",
        ".5",
        "5.",
        "٥",
        "007",
        "0",
        "0.0",
        "0.000000",
        "0.10",
        "1.1234567",
        "-1",
        "NaN",
        "",
    ),
    *(
        0,
        -1,
        5,
        1.5,
        1e2,
        1e300,
        10**12,
        10**12 + 1,
        10_000,
        10_001,
        "1000000000000",
        "999999999999.999999",
        True,
        None,
    ),
    *("2026-02-30", "1969-12-31", "1970-01-01", "2199-12-31", "2200-01-01", "2026-01-01T00:00:00"),
    *(
        "2199-12-31T23:59:59-01:00",
        "1970-01-01T00:00:00+01:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ),
    *("2026-01-01T12:00:00.123456789Z", "2026-01-01t12:00:00z", "2026-01-01 12:00:00+02:00", "2026-06-30T23:59:60Z"),
    *(
        "EUR",
        "eur",
        "XXX",
        "Europe/Berlin",
        "Europe/Nowhere",
        "email",
        "pigeon",
        "week",
        "us",
        "DE",
        "DEU",
        "1.0",
        "0.3",
    ),
    *("x" * 200, "x" * 201, "a\x00b", "a\x1fb", "a\x7fb", "a\nb", "a\tb", "ﷰ", "\ufdd0", "😀", "Ä", "\\n", "a/b", '"'),
    *("application/json", "Application/JSON; charset=utf-8", "text/xml", "application/x+json", [], {}, [1], {"a": 1}),
]
_RAW = [
    b"1.10",
    b"1e2",
    b"1.5E0",
    b"-0",
    b"1E+2",
    b'"\\u0035"',
    b'"\\ud800"',
    b'"\\ud83d\\ude00"',
    b'"\\ufdd0"',
    b'"\\u007F"',
]
_RAW += [b'"\xed\xa0\x80"', b'"\x01"', b'"\xff"', b"nul", b"01", b'"a\\/b"', b'"\\\\u0000"', b"1" * 400, b"[" * 2000]
_tricky = st.sampled_from([*map(as_json, _TRICKY), *(json.dumps(each).encode() for each in _TRICKY), *_RAW])
_attributes = st.sampled_from(
    ["id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema", "x"]
)


def _object(members: list[tuple[bytes, bytes]]) -> bytes:
    return b"{" + b",".join(name + b":" + value for name, value in members) + b"}"


def _members(values: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(as_json(name), value if isinstance(value, bytes) else as_json(value)) for name, value in values.items()]


@st.composite
def _changed(draw: st.DrawFn, members: list[tuple[bytes, bytes]], names: st.SearchStrategy[str]) -> bytes:
    """A JSON object with some members put in, in place of others or twice, left out, or in another order."""
    for _ in range(draw(st.integers(0, 2))):
        match draw(st.sampled_from(["replace", "insert", "drop", "move"])):
            case "insert":
                place = draw(st.integers(0, len(members)))
                members = [*members[:place], (as_json(draw(names)), draw(_tricky)), *members[place:]]
            case "move":
                members = draw(st.permutations(members))
            case what if members:
                place = draw(st.integers(0, len(members) - 1))
                kept = [(members[place][0], draw(_tricky))] if what == "replace" else []
                members = [*members[:place], *kept, *members[place + 1 :]]
            case _:
                pass
    return _object(list(members))


@st.composite
def sent(draw: st.DrawFn) -> bytes:
    """An event as somebody may send it, right or wrong."""
    kind = draw(st.sampled_from(sorted(CATALOGUE)))
    if draw(st.booleans()):
        values = EVERY_TYPE[kind]
    else:
        drawn = draw(events())
        kind, values = drawn.type, json.loads(msgspec.json.encode(drawn.data))
    data = draw(_changed(_members(values), st.sampled_from([*values, "note", "amount", "x"])))
    return draw(_changed(_members(cloud_event(kind=kind) | {"data": data}), _attributes))


def agree(raw: bytes) -> NewEvent | Invalid:
    quick, thorough = QUICK.one(raw), DECODER.thorough(raw)
    assert quick is None or quick == thorough
    assert DECODER.structured(raw) == thorough
    return thorough


@given(sent())
@example(as_json(cloud_event()).replace(b'"data":', b'"data":{"invoice":"B"},"data":'))
@example(as_json(cloud_event()).replace(b'"amount":', b'"amount":true,"amount":'))
@example(as_json(cloud_event()).replace(b'"amount":', rb'"\u0061mount":true,"amount":'))
@example(as_json(cloud_event()).replace(b'"type":', b'"type":"invoice.paid","type":'))
def test_one_event_is_judged_alike(raw: bytes):
    agree(raw)


@pytest.mark.parametrize("kind", CATALOGUE)
@pytest.mark.parametrize("value", [*_TRICKY, *_RAW], ids=repr)
def test_each_field_of_each_type_is_judged_alike(kind: str, value: Any):
    hints = CATALOGUE[kind].data.__dataclass_fields__
    for name in hints:
        data = _object(
            [
                *_members({other: one for other, one in EVERY_TYPE[kind].items() if other != name}),
                *_members({name: value}),
            ]
        )
        agree(_object(_members(cloud_event(kind=kind) | {"data": data})))


@given(st.lists(sent(), min_size=1, max_size=4))
def test_several_are_judged_as_each_by_itself(several: list[bytes]):
    lines = [raw for raw in several if b"\n" not in raw]
    if lines:
        assert DECODER.lines(lines) == [DECODER.thorough(raw) for raw in lines]
    if all(isinstance(DECODER.thorough(raw), NewEvent) for raw in several):
        assert DECODER.batch(b"[" + b",".join(several) + b"]", 10) == [DECODER.thorough(raw) for raw in several]


@given(events())
def test_what_is_usual_is_read_in_the_quick_way(event: Any):
    raw = as_json(
        cloud_event(kind=event.type, time="2026-03-01T10:00:00+02:00")
        | {"data": json.loads(msgspec.json.encode(event.data))}
    )
    found = QUICK.one(raw)
    assert found is not None
    assert found == DECODER.thorough(raw)


@pytest.mark.parametrize("kind", CATALOGUE)
def test_examples_are_read_in_the_quick_way_however_they_are_written(kind: str):
    for event in (cloud_event(kind=kind), cloud_event(kind=kind, time=None), cloud_event(kind=kind, subject="Ä😀")):
        assert QUICK.one(as_json(event)) is not None
    assert QUICK.one(json.dumps(cloud_event(kind=kind, subject="Ärger")).encode()) is not None
    assert QUICK.array(as_json([cloud_event(kind=kind)] * 3), 3) is not None
    assert QUICK.lines([as_json(cloud_event(kind=kind))] * 3) is not None


def test_lines_that_are_events_only_together_are_refused():
    whole = as_json(cloud_event(extra=[{}, {}]))
    head, tail = whole[: whole.index(b"{}, {}") + 2], whole[whole.index(b"{}, {}") + 4 :]
    two = as_json(cloud_event("1")) + b"," + as_json(cloud_event("2"))
    found = DECODER.lines([head, tail, two])
    assert [type(one) for one in found] == [Invalid, Invalid, Invalid]
    assert QUICK.lines([two]) is None
    fenced = as_json(cloud_event("1")) + b",0," + as_json(cloud_event("2"))
    assert [type(one) for one in DECODER.lines([fenced, head, tail])] == [Invalid] * 3


def test_one_bad_event_of_a_batch_leaves_the_others():
    good, bad = cloud_event("1"), cloud_event("2", data={"invoice": "A", "amount": "1e2"})
    assert QUICK.array(as_json([good, bad]), 2) is None
    assert [type(one) for one in DECODER.batch(as_json([good, bad, 5]), 3)] == [NewEvent, Invalid, Invalid]


def test_a_name_that_stands_twice_is_refused_by_either_way():
    for kind in CATALOGUE:
        usual = as_json(cloud_event(kind=kind, dataschema="x", datacontenttype="application/json"))
        assert QUICK.one(usual) is not None
        for name, value in json.loads(usual).items():
            twice = as_json(name) + b":" + as_json(value) + b","
            for raw in (b"{" + twice + usual[1:], usual.replace(b'"data": {', b'"data": {' + twice * 2)):
                found = agree(raw)
                assert isinstance(found, Invalid)
        for name, value in EVERY_TYPE[kind].items():
            twice = as_json(name) + b":" + as_json(value)
            for raw in (
                usual.replace(b'"data": {', b'"data": {' + twice + b","),
                usual.replace(b'"data": {', b'"x":"' + rb"\u0022\u0022" + b'","data": {' + twice + b","),
                usual.replace(b'"data": {', rb'"x":"\\\\","data": {' + twice + b","),
            ):
                found = agree(raw)
                assert isinstance(found, Invalid)
                assert ("/data/" + name, "given more than once") in [(f.pointer, f.detail) for f in found.faults]
                lines = DECODER.lines([usual, raw])
                assert [type(one) for one in lines] == [NewEvent, Invalid]


def test_what_is_told_beside_the_event_does_not_make_it_unusual():
    for more in ({"traceparent": "00-1"}, {"x": {"y": [1, {"z": '"'}]}}, {"dataschema": "x"}, {"time": None}):
        assert QUICK.one(as_json(cloud_event(kind="rate.refused", data={"rate": None, "reason": "a\\Z"}) | more))
