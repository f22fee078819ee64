"""What is stored of assessments and portfolios is read again as it was, to the last bit."""

from datetime import UTC, datetime

import pytest

from app.composition import SystemClock
from app.core.course import assessment_at
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY
from app.core.shares import share_of
from app.ports.ledger import NewEvent
from app.ports.portfolios import ClientShare, DayOf
from app.stories import STORIES, events_of, monday_of
from app.use_cases.portfolios import put_together
from app.wire.assessments import PackedAssessments, PackedPortfolios
from app.wire.cloudevents import EventDecoder

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FORM, PORTFOLIOS = PackedAssessments(), PackedPortfolios()


def told(story) -> list[Event]:
    decoder = EventDecoder(SystemClock())
    found = [decoder.structured(raw) for raw in events_of(story, monday_of(NOW.date()))]
    return [
        Event(one.source, one.id, one.type, one.client_id, one.time, decoder.load(one.type, one.data), NOW)
        for one in found
        if isinstance(one, NewEvent)
    ]


HISTORIES = {story.client_id: told(story) for story in STORIES}
SHARES = {name: share_of(gather(events, DEFAULT_POLICY, NOW), DEFAULT_POLICY) for name, events in HISTORIES.items()}
MADE = put_together(
    DayOf(NOW.date(), "default-1"), {name: ClientShare(name, 1, one) for name, one in SHARES.items()}, DEFAULT_POLICY
)


@pytest.mark.parametrize("client_id", HISTORIES)
def test_assessments_and_shares(client_id: str):
    found = assessment_at(HISTORIES[client_id], DEFAULT_POLICY, MADE.portfolio.beside(client_id), NOW)
    assert FORM.load(FORM.dump(found)) == found
    assert PORTFOLIOS.load_share(PORTFOLIOS.dump_share(SHARES[client_id])) == SHARES[client_id]


def test_a_portfolio_with_what_each_client_is_held_against():
    packed = PORTFOLIOS.dump(MADE)
    found = PORTFOLIOS.load(*packed)
    assert found == MADE.portfolio
    assert any(MADE.portfolio.beside(name).rates != MADE.portfolio.rates for name in HISTORIES), "it matters"
    for name in HISTORIES:
        assert found.beside(name).rates == MADE.portfolio.beside(name).rates
    backwards = {name: ClientShare(name, 1, one) for name, one in reversed(SHARES.items())}
    again = put_together(MADE.of, backwards, DEFAULT_POLICY)
    assert PORTFOLIOS.dump(again) == packed, "the same, in whatever order"


@pytest.mark.parametrize("content", [b"", b"\xc0", b"\x92\x02\xc0", b"\x92\x01\xc0", b"{}"])
def test_what_another_version_wrote_is_not_read(content: bytes):
    assert FORM.load(content) is None
    assert PORTFOLIOS.load_share(content) is None
    assert PORTFOLIOS.load(content, content) is None


def test_what_a_later_form_wrote_is_not_read():
    found = assessment_at([], DEFAULT_POLICY, MADE.portfolio, NOW)
    packed = FORM.dump(found)
    assert packed[:2] == b"\x92\x01"
    assert FORM.load(b"\x92\x02" + packed[2:]) is None
