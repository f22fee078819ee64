"""Histories in parts: from whatever base a client is read, the answer is the same."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.checkpoints import checkpoints_of
from app.core.course import assessment_at
from app.core.events import Event
from app.core.explanation import explain
from app.core.facts import Base, Chronicle, OutOfReachError, State, gather
from app.core.history import History, NotLoadedError, Reader, Segment
from app.core.policy import DEFAULT_POLICY
from benchmarks.relationship import relationship
from tests.core.policies import policies
from tests.core.strategies import NOW, histories, instants
from tests.core.telling import NOW as MONDAY
from tests.core.telling import alone, invoice, told

LOADER = msgspec.msgpack.Decoder(State)


def cut(events: list[Event], count: int, policy=DEFAULT_POLICY) -> tuple[Base, list[Event]]:
    """The first events as a base, which went through bytes, and the rest."""
    first = Chronicle(events, policy)
    first.advance(count)
    state = LOADER.decode(msgspec.msgpack.encode(first.state()))
    assert state == first.state()
    return Base(state, *first.closed), first.events[count:]


@given(histories(60), st.integers(0, 60), instants(), policies())
def test_any_base_leads_to_the_same_facts(history: list[Event], count: int, as_of: datetime, policy):
    whole = Chronicle(history, policy)
    base, rest = cut(history, min(count, len(whole.events)), policy)
    last = base.state.last
    assume(last is None or last.at <= as_of)
    try:
        found = Chronicle(rest, policy, base=base).facts(as_of)
    except OutOfReachError:
        taken = [event for event in rest if event.type in {"event.voided", "agreement.made", "agreement.amended"}]
        assert taken, "only what is told of the past can be out of reach"
        return
    assert found == whole.facts(as_of)


@given(histories(60), st.data())
def test_an_explanation_in_parts_is_that_of_the_whole(history: list[Event], data: st.DataObject):
    untouched = {"event.voided", "agreement.made", "agreement.amended"}
    events = sorted((event for event in history if event.type not in untouched), key=lambda event: event.mark)
    places = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=4, unique=True)))
    parts = [Segment(None, events[: places[0]] if places else events, None)]
    for number, place in enumerate(places):
        until = places[number + 1] if number + 1 < len(places) else len(events)
        parts.append(Segment(cut(events, place)[0], events[place:until], None))
    # A part reaches as far as the next one begins.
    ends = [part.begins for part in parts[1:]]
    if any(end is None for end in ends):
        return
    bounded = [
        Segment(part.base, part.events, end - timedelta(microseconds=1))
        for part, end in zip(parts, [*ends, NOW + timedelta(days=1)], strict=True)
        if end is not None
    ]
    found = explain("acme", History(tuple(bounded)), DEFAULT_POLICY, alone(), NOW)
    assert found == explain("acme", events, DEFAULT_POLICY, alone(), NOW)


def test_what_is_told_of_before_the_base_is_out_of_reach():
    call, work = told("call.received", 50.6), told("time.logged", 40, hours=4)
    base, _ = cut([call, work], 2)
    void = told("event.voided", 10, source=call.source, id=call.id)
    with pytest.raises(OutOfReachError):
        Chronicle([void], DEFAULT_POLICY, base=base).facts(MONDAY)
    since = (MONDAY - timedelta(days=60)).date()
    with pytest.raises(OutOfReachError):
        Chronicle([told("agreement.made", 10, hours=4, starts=since)], DEFAULT_POLICY, base=base).facts(MONDAY)


def test_an_instant_that_no_part_reaches_is_named():
    base, rest = cut(relationship(100), 50)
    begins = base.state.last.at
    reader = Reader(History((Segment(base, rest, MONDAY),)), DEFAULT_POLICY)
    for instant in (begins - timedelta(seconds=1), MONDAY + timedelta(seconds=1)):
        with pytest.raises(NotLoadedError) as raised:
            reader.facts(instant)
        assert raised.value.as_of == instant


def test_a_state_does_not_grow_with_the_history():
    sizes = []
    for count in (2_000, 20_000):
        chronicle = Chronicle(relationship(count), DEFAULT_POLICY)
        chronicle.advance(len(chronicle.events))
        # What is open is listed: leave it out, as a client with more of it is another client.
        state = chronicle.state().copy()
        state.invoices.open.clear()
        state.invoices.early.clear()
        sizes.append(len(msgspec.msgpack.encode(state)))
    assert sizes[1] < 1.2 * sizes[0]


@given(histories(40))
def test_facts_hold_for_a_whole_day(history: list[Event]):
    """Nothing changes before midnight but by an event: a stored assessment holds until the day ends."""
    calendar = DEFAULT_POLICY.calendar
    events = [event for event in history if event.time <= NOW]
    evening = calendar.end_of(calendar.day_of(NOW))
    morning, night = (gather(events, DEFAULT_POLICY, at) for at in (NOW, evening))
    assert assessment_at(events, DEFAULT_POLICY, alone(), NOW).score == pytest.approx(
        assessment_at(events, DEFAULT_POLICY, alone(), evening).score, abs=0
    )
    assert (morning.work, morning.contacts, morning.invoices) == (night.work, night.contacts, night.invoices)


def test_what_is_kept_of_a_client_does_not_grow_with_the_square_of_what_is_open():
    sizes = []
    for count in (2_000, 8_000):
        issued = [event for n in range(count) for event in invoice(n, 300 - 300 * n / count)]
        sizes.append(sum(len(msgspec.msgpack.encode(one.state)) for one in checkpoints_of(issued, DEFAULT_POLICY)))
    assert sizes[1] < 8 * sizes[0]
