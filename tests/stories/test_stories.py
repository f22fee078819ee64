"""The canonical stories have the verdicts that a sensible owner of a studio would expect, in any week."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import MappingProxyType

import pytest

from app.core.course import assessment_at
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import Portfolio, portfolio_of
from app.core.reasons import Reasoned, reasoned_at
from app.core.recourse import recourse_of
from app.core.shares import share_of
from app.core.verdict import Verdict
from app.ports.ledger import NewEvent
from app.stories import STORIES, Story, events_of, monday_of
from app.wire.cloudevents import EventDecoder

CALENDAR = DEFAULT_POLICY.calendar


class Midnight:
    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)


DECODER = EventDecoder(Midnight())


def history(story: Story, monday: date) -> list[Event]:
    return _histories(monday)[story.client_id]


@cache
def _histories(monday: date) -> dict[str, list[Event]]:
    return {story.client_id: _history(story, monday) for story in STORIES}


def _history(story: Story, monday: date) -> list[Event]:
    found = [DECODER.structured(raw) for raw in events_of(story, monday)]
    return [
        Event(one.source, one.id, one.type, one.client_id, one.time, DECODER.load(one.type, one.data), one.time)
        for one in found
        if isinstance(one, NewEvent)
    ]


def portfolio_at(monday: date, now: datetime, others: Mapping[str, list[Event]] = MappingProxyType({})) -> Portfolio:
    """The portfolio of all stories as the day began, some of them told otherwise."""
    histories = {story.client_id: history(story, monday) for story in STORIES} | dict(others)
    began = CALENDAR.end_of(now.date() - timedelta(days=1))
    shares = {
        client: share_of(gather(events, DEFAULT_POLICY, began), DEFAULT_POLICY) for client, events in histories.items()
    }
    return portfolio_of(shares, DEFAULT_POLICY)


def told(monday: date, now: datetime) -> dict[str, Reasoned]:
    """All stories as one portfolio, as of an instant."""
    histories = {story.client_id: history(story, monday) for story in STORIES}
    portfolio = portfolio_at(monday, now)
    return {
        client: reasoned_at(events, DEFAULT_POLICY, portfolio.beside(client), now)
        for client, events in histories.items()
    }


@pytest.mark.parametrize("monday", [date(2026, 11, 23), date(2024, 2, 26), date(2027, 1, 4)])
@pytest.mark.parametrize("days", [0, 3, 6])
def test_each_story_has_its_verdict_type_and_leading_sign(monday: date, days: int):
    now = datetime(monday.year, monday.month, monday.day, 8, tzinfo=UTC) + timedelta(days=days)
    found = told(monday, now)
    for story in STORIES:
        answer = found[story.client_id].assessment
        leading = max(answer.signs, key=lambda part: part.decibans)
        assert answer.verdict == story.outcome.verdict, story.client_id
        assert answer.client_type.name == story.outcome.client_type, story.client_id
        assert (leading.sign.name if leading.decibans > 0 else None) == story.outcome.leading_sign, story.client_id


@pytest.mark.parametrize("monday", [date(2026, 11, 23), date(2024, 2, 26), date(2027, 1, 4)])
@pytest.mark.parametrize("days", [0, 3, 6])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.client_id)
def test_recourse_is_what_an_owner_would_expect_and_keeps_its_promise(monday: date, days: int, story: Story):
    now = datetime(monday.year, monday.month, monday.day, 8, tzinfo=UTC) + timedelta(days=days)
    events = history(story, monday)
    portfolio = portfolio_at(monday, now).beside(story.client_id)
    found = recourse_of(events, DEFAULT_POLICY, portfolio, now).recourse
    kinds = {step.action.kind for one in found for step in one.steps}
    assert kinds == ({story.outcome.action} if story.outcome.action else set())
    assert (found[-1].verdict if found else None) == story.outcome.reaches
    for one in found:
        done = [*events, *(event for step in one.steps for event in step.action.events)]
        # Held against the portfolio of that day, which what is done today is not part of.
        assert assessment_at(done, DEFAULT_POLICY, portfolio, now).verdict is one.verdict
        simulated = portfolio_at(monday, now, {story.client_id: done}).beside(story.client_id)
        assert assessment_at(done, DEFAULT_POLICY, simulated, now).verdict is one.verdict


def test_there_is_one_for_each_sign_and_four_more():
    signs = [story.outcome.leading_sign for story in STORIES if story.outcome.leading_sign]
    assert signs == ["contract", "scope", "time", "rate", "late", "nonpayment"]
    assert len(STORIES) == 10
    assert {story.outcome.verdict for story in STORIES if not story.outcome.leading_sign} == {Verdict.KEEP}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.client_id)
def test_every_event_of_a_story_is_valid_and_lies_in_the_past(story: Story):
    monday = monday_of(date(2026, 11, 26))
    assert len(history(story, monday)) == len(story.happenings)
    assert all(event.time.date() < monday for event in history(story, monday))
    assert list(events_of(story, monday)) == list(events_of(story, monday))


def test_the_newcomer_has_no_evidence():
    monday = date(2026, 11, 23)
    found = told(monday, datetime(2026, 11, 24, tzinfo=UTC))["first-light-yoga"].assessment
    assert found.evidence_level == "none"
    assert found.total_decibans == DEFAULT_POLICY.prior_decibans


def test_the_page_of_the_documentation_is_that_of_the_stories():
    from docs.stories import FILE, render

    assert FILE.read_text() == render(), "`make docs` writes it anew"
