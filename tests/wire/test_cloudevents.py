"""The decoder of events: what it takes, what it names, and that it never breaks."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import CATALOGUE
from app.ports.ledger import NewEvent
from app.wire.cloudevents import MOST_BYTES_OF_ONE, EventDecoder
from app.wire.faults import Fault, Invalid, InvalidBodyError, MalformedBodyError
from app.wire.surrogates import HALF_OF_PAIR
from tests.cloud_events import EVERY_TYPE, as_json, cloud_event
from tests.core.strategies import events

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Noon:
    def now(self) -> datetime:
        return NOON


DECODER = EventDecoder(Noon())


def read(event: Any) -> NewEvent | Invalid:
    return DECODER.structured(event if isinstance(event, bytes) else as_json(event))


def faults(event: Any) -> dict[str, str]:
    found = read(event)
    assert isinstance(found, Invalid), found
    return {fault.pointer: fault.detail for fault in found.faults}


def test_there_is_an_example_of_every_type():
    assert set(EVERY_TYPE) == set(CATALOGUE)


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_type_is_read_stored_and_loaded_again(kind: str):
    found = read(cloud_event(kind=kind))
    assert isinstance(found, NewEvent), found
    assert isinstance(DECODER.load(kind, found.data), CATALOGUE[kind].data)


@pytest.mark.parametrize("kind", CATALOGUE)
def test_the_schema_takes_what_the_decoder_takes_and_refuses_what_it_refuses(kind: str):
    schema = DECODER.schemas()[kind]
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(EVERY_TYPE[kind])
    wrongs: list[Any] = [{**EVERY_TYPE[kind], "nonsense": 1}, [], None, "x"]
    for wrong in wrongs:
        assert not validator.is_valid(wrong)
        assert faults(cloud_event(kind=kind, data=wrong) | {"data": wrong})


@pytest.mark.parametrize("amount", ["5", "5.00", "0.000001", 5, 5.5, 1e2, "1000000000000"])
def test_a_decimal_is_a_number_or_digits(amount: Any):
    data = {**EVERY_TYPE["invoice.issued"], "amount": amount}
    assert isinstance(read(cloud_event(data=data)), NewEvent)
    jsonschema.validate(data, DECODER.schemas()["invoice.issued"])


def test_a_decimal_may_be_written_with_escapes():
    raw = as_json(cloud_event()).replace(b'"0.01"', rb'"\u0035"')
    assert isinstance(read(raw), NewEvent)


@given(events())
def test_data_survives_the_way_to_the_store_and_back(event: Any):
    raw = msgspec.json.encode(event.data)
    found = read({**cloud_event(kind=event.type), "data": json.loads(raw)})
    assert isinstance(found, NewEvent), found
    assert DECODER.load(event.type, found.data) == event.data


def test_an_event_without_a_time_happens_when_it_comes():
    found = read(cloud_event(time=None))
    assert isinstance(found, NewEvent)
    assert found.time == NOON


def test_the_same_content_has_the_same_digest_however_it_is_written():
    one = read(cloud_event(time="2026-01-01T01:00:00+01:00"))
    other = read(b"  " + json.dumps(cloud_event(), indent=3).encode() + b"\n")
    assert isinstance(one, NewEvent)
    assert isinstance(other, NewEvent)
    assert one.digest == other.digest
    amended = read(cloud_event(data={**EVERY_TYPE["invoice.issued"], "amount": "0.02"}))
    assert isinstance(amended, NewEvent)
    assert amended.digest != one.digest


@pytest.mark.parametrize(
    ("change", "pointer", "expected"),
    [
        ({"specversion": "0.3"}, "/specversion", "1.0"),
        ({"specversion": None}, "/specversion", "missing"),
        ({"id": ""}, "/id", "length"),
        ({"id": "x" * 201}, "/id", "length"),
        ({"id": 1}, "/id", "expected str"),
        ({"id": "a\x00b"}, "/id", "control characters"),
        ({"source": None}, "/source", "missing"),
        ({"subject": None}, "/subject", "missing"),
        ({"type": "invoice.isued"}, "/type", "did you mean 'invoice.issued'"),
        ({"time": "yesterday"}, "/time", "RFC3339"),
        ({"time": "2026-01-01T00:00:00"}, "/time", "timezone"),
        ({"time": "1969-12-31T23:59:59Z"}, "/time", "1970"),
        ({"time": "2200-01-01T00:00:00Z"}, "/time", "2199"),
        ({"data": None}, "/data", "missing"),
        ({"datacontenttype": "text/xml"}, "/datacontenttype", "application/json"),
        ({"data": "text"}, "/data", "expected an object"),
    ],
)
def test_a_wrong_attribute_is_named(change: dict[str, Any], pointer: str, expected: str):
    assert expected.lower() in faults(cloud_event(**change))[pointer].lower()


@pytest.mark.parametrize(
    ("change", "pointer", "expected"),
    [
        ({"amount": 0}, "/data/amount", "above 0"),
        ({"amount": -1}, "/data/amount", "above 0"),
        ({"amount": "1e13"}, "/data/amount", "at most"),
        ({"amount": "0.0000001"}, "/data/amount", "decimals"),
        ({"amount": "NaN"}, "/data/amount", "number"),
        ({"amount": "1e2"}, "/data/amount", "plain digits"),
        ({"amount": "+5"}, "/data/amount", "plain digits"),
        ({"amount": " 5"}, "/data/amount", "plain digits"),
        ({"amount": "1_000"}, "/data/amount", "plain digits"),
        ({"amount": ".5"}, "/data/amount", "plain digits"),
        ({"amount": "5."}, "/data/amount", "plain digits"),
        ({"amount": "\u0665"}, "/data/amount", "plain digits"),
        ({"amount": True}, "/data/amount", "decimal"),
        ({"currency": "EURO"}, "/data/currency", "ISO 4217"),
        ({"currency": "XXX"}, "/data/currency", "ISO 4217"),
        ({"due_date": "2026-02-30"}, "/data/due_date", "date"),
        ({"due_date": "1066-10-14"}, "/data/due_date", "1970"),
        ({"amont": 5}, "/data/amont", "unknown field"),
        ({"a/b~c": 5}, "/data/a~1b~0c", "unknown field"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], pointer: str, expected: str):
    raw = json.dumps(cloud_event(data={**EVERY_TYPE["invoice.issued"], **change})).encode()
    assert expected in faults(raw)[pointer]


def test_all_that_is_wrong_is_named_at_once():
    event = cloud_event(id=None, time="x", data={"invoice": "", "amount": 0})
    assert set(faults(event)) >= {"/id", "/time", "/data/invoice", "/data/amount", "/data/currency", "/data/due_date"}


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"[]", b"1", b"null", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_event_is_refused(raw: bytes):
    assert faults(raw)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(raw: bytes):
    assert isinstance(read(raw), Invalid)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(CATALOGUE)), st.data())
def test_no_json_breaks_it(kind: str, data: st.DataObject):
    event: dict[str, Any] = cloud_event(kind=kind)
    target = data.draw(st.sampled_from([event, dict(event["data"])]))
    if target is not event:
        event["data"] = target
    name = data.draw(st.sampled_from(sorted(target)) if target else st.text(max_size=5))
    target[name] = data.draw(_JSON)
    found = read(json.dumps(event).encode())
    if isinstance(found, NewEvent):
        assert DECODER.load(found.type, found.data) is not None
        found.data.encode()
        assert "\x00" not in found.data + found.id + found.source + found.client_id
    else:
        assert found.faults


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ({}, None),
        ({"ce-id": "caf%C3%A9"}, None),
        ({"ce-specversion": "2"}, "/specversion"),
        ({"ce-datacontenttype": "application/json"}, "/datacontenttype"),
        ({"ce-time": "x"}, "/time"),
        ({"ce-id": "%00"}, "/id"),
        ({"ce-id": "%fe1"}, "/id"),
        ({"ce-id": "%ed%a0%80"}, "/id"),
        ({"ce-id": "\xfe1"}, "/id"),
        ({"ce-subject": "a%ff"}, "/subject"),
        ({"ce-source": "%c3"}, "/source"),
        ({"ce-more": "%c3"}, "/more"),
    ],
)
def test_binary_mode(headers: dict[str, str], pointer: str | None):
    event = cloud_event()
    given = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    found = DECODER.binary({"host": "x", **given, **headers}.items(), as_json(event["data"]))
    if pointer is None:
        assert isinstance(found, NewEvent), found
        assert found.id in ("1", "café")
    else:
        assert isinstance(found, Invalid)
        assert pointer in {fault.pointer for fault in found.faults}


def test_binary_mode_is_the_same_event_as_structured_mode():
    event = cloud_event()
    headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    binary, structured = DECODER.binary(headers.items(), as_json(event["data"])), read(event)
    assert binary == structured


def test_what_is_no_utf8_in_binary_mode_is_named_and_nothing_is_made_of_it():
    event = {**cloud_event(), "id": "%fe1", "source": "%fe"}
    found = DECODER.binary({f"ce-{name}": value for name, value in event.items() if name != "data"}.items(), b"{}")
    assert isinstance(found, Invalid)
    expected = "expected percent-encoded UTF-8"
    assert [fault for fault in found.faults if "UTF-8" in fault.detail] == [
        Fault("/id", expected),
        Fault("/source", expected),
    ]
    assert (found.id, found.source) == (None, None)


def test_half_of_a_surrogate_pair_is_found():
    half = {**cloud_event(), "id": "\ud800"}
    assert read(json.dumps(half).encode()) == Invalid((Fault("/id", HALF_OF_PAIR),))
    nested = json.dumps({**cloud_event(), "data": {"a": ["\udc00"]}}).encode()
    assert read(nested) == Invalid((Fault("/data/a/0", HALF_OF_PAIR),))
    with pytest.raises(InvalidBodyError, match=HALF_OF_PAIR) as caught:
        DECODER.batch(json.dumps([cloud_event(), half]).encode(), 10)
    assert caught.value.pointer == "/1/id"
    with pytest.raises(InvalidBodyError, match=HALF_OF_PAIR) as caught:
        DECODER.supposed(rb'{"events": [{"type": "\udfff"}]}', 10, "acme", NOON)
    assert caught.value.pointer == "/events/0/type"
    headers = {f"ce-{name}": value for name, value in cloud_event().items() if name != "data"}
    found = DECODER.binary(headers.items(), rb'{"note": "\ud83d"}')
    assert isinstance(found, Invalid)
    assert found.faults[0] == Fault("/data/note", HALF_OF_PAIR)


@pytest.mark.parametrize("zone", ["localtime", "Factory"])
def test_the_zone_of_a_machine_is_none_of_a_client(zone: str):
    found = read(cloud_event(kind="client.created", data={"time_zone": zone}))
    assert isinstance(found, Invalid)
    assert [fault.pointer for fault in found.faults] == ["/data/time_zone"]


def test_a_batch_is_read_one_by_one():
    found = DECODER.batch(as_json([cloud_event(), {"id": "x"}, 5]), 3)
    assert [type(one) for one in found] == [NewEvent, Invalid, Invalid]


@pytest.mark.parametrize(("raw", "expected"), [(b"{}", "array"), (b"", "array"), (b"[{},{},{},{}]", "at most 3")])
def test_what_is_no_batch_is_refused(raw: bytes, expected: str):
    with pytest.raises(MalformedBodyError, match=expected):
        DECODER.batch(raw, 3)


def test_a_number_is_kept_in_plain_digits():
    raw = as_json(cloud_event(kind="time.logged", data={"hours": 100})).replace(b"100", b"1e2")
    found, plain = read(raw), read(as_json(cloud_event(kind="time.logged", data={"hours": 100})))
    assert isinstance(found, NewEvent)
    assert '"100"' in found.data
    assert found == plain


@pytest.mark.parametrize("name", [b"mo\xffre", b"mo\xed\xa0\x80re"])
def test_a_name_that_nobody_knows_is_text_too(name: bytes):
    raw = as_json(cloud_event(more="x")).replace(b"more", name)
    assert faults(raw)


def test_an_event_is_no_longer_than_a_line_however_it_is_sent():
    fine, long = ({**cloud_event(), "more": "x" * size} for size in (200_000, MOST_BYTES_OF_ONE))
    expected = Invalid((Fault("", "expected an event of at most 262,144 bytes"),))
    assert isinstance(read(fine), NewEvent)
    assert read(long) == expected
    found = DECODER.batch(as_json([fine, long, fine]), 3)
    assert [type(one) for one in found] == [NewEvent, Invalid, NewEvent]
    assert found[1] == expected
    padded = (
        b"[" + as_json(fine) + b"," + as_json(cloud_event()).replace(b"}", b" " * MOST_BYTES_OF_ONE + b"}", 1) + b"]"
    )
    assert DECODER.batch(padded, 2)[1] == expected


def test_of_a_thousand_faults_some_are_told():
    found = read(cloud_event(data={f"name-{number}": 1 for number in range(10_000)}))
    assert isinstance(found, Invalid)
    assert len(found.faults) == 100


def test_a_batch_of_anything_is_not_read_into_memory():
    for raw in (b"[" + b"1," * 300_000 + b"1]", b"[" + b'{"a":[{}]},' * 200_000 + b"{}]"):
        with pytest.raises(MalformedBodyError, match="at most 262,144 values"):
            DECODER.batch(raw, 1000)


async def test_others_have_their_turn_while_a_batch_is_looked_at():
    unusual = {**cloud_event(data={f"name-{number}": 1 for number in range(3000)})}
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    raw = as_json([unusual] * 50)
    others = asyncio.create_task(other())
    found = await DECODER.batch_in_turns(raw, 50)
    others.cancel()
    assert found == DECODER.batch(raw, 50)
    assert turns >= 10
