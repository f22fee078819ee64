"""Recourse: what it promises comes true, and nothing smaller would do."""

import dataclasses
from datetime import datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.deal_breakers import DEAL_BREAKERS
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, Policy
from app.core.portfolio import Portfolio, portfolio_of
from app.core.recourse import _GROUPS, Recourse, _Search, recourse_of
from app.core.shares import share_of
from app.core.signs import SIGNS
from app.core.verdict import Verdict
from tests.core.strategies import NOW, histories
from tests.core.telling import NOW as TODAY
from tests.core.telling import alone, assessed, invoice, told
from tests.core.test_axioms import others

ORDER = list(Verdict)
CALENDAR = DEFAULT_POLICY.calendar
KINDS = [
    "contract.sent",
    "contract.explained",
    "contract.declined",
    "time.logged",
    "change.requested",
    "change.delivered",
    "invoice.issued",
    "invoice.written_off",
    "rate.proposed",
    "rate.refused",
    "reminder.sent",
]
PORTFOLIOS = (alone(), others())


def keeps_its_promise(
    found: tuple[Recourse, ...],
    events: list[Event],
    portfolio: Portfolio,
    as_of: datetime = NOW,
    policy: Policy = DEFAULT_POLICY,
) -> None:
    """Each step, really done, leads where it says."""
    for one in found:
        done = list(events)
        for step in one.steps:
            done += step.action.events
            after = assessed(done, policy=policy, portfolio=portfolio, as_of=as_of)
            assert (after.score, after.verdict) == (step.score, step.verdict)
        assert one.steps[-1].verdict is one.verdict


STRICT = dataclasses.replace(DEFAULT_POLICY, deal_breakers=frozenset(DEAL_BREAKERS))


@given(histories(12, st.sampled_from(KINDS)), st.sampled_from(PORTFOLIOS), st.sampled_from([DEFAULT_POLICY, STRICT]))
@settings(max_examples=200)
def test_it_is_the_smallest_set(history: list[Event], portfolio: Portfolio, policy: Policy):
    """Against all sets of actions, tried one by one."""
    found = recourse_of(history, policy, portfolio, NOW).recourse
    keeps_its_promise(found, history, portfolio, policy=policy)
    actions = [action for group in _Search(history, policy, portfolio, NOW, None).groups for action in group]
    now = ORDER.index(assessed(history, policy=policy, portfolio=portfolio, as_of=NOW).verdict)
    smallest: dict[int, int] = {}
    for size in range(1, len(actions) + 1):
        for chosen in combinations(actions, size):
            more = [event for action in chosen for event in action.events]
            after = assessed([*history, *more], policy=policy, portfolio=portfolio, as_of=NOW)
            for reached in range(ORDER.index(after.verdict), now):
                smallest.setdefault(reached, size)
    for reached, size in smallest.items():
        fewest = min((len(one.steps) for one in found if ORDER.index(one.verdict) <= reached), default=99)
        assert fewest == size


@given(st.lists(histories(10, st.sampled_from(KINDS)), min_size=2, max_size=5))
@settings(max_examples=200)
def test_it_keeps_its_promise_in_any_portfolio(clients: list[list[Event]]):
    """What is really done today reaches the verdict, also where the portfolio is put together anew after it."""

    def portfolio(histories_: dict[str, list[Event]]) -> Portfolio:
        began = CALENDAR.end_of(CALENDAR.day_of(NOW) - timedelta(days=1))
        shares = {
            name: share_of(gather(one, DEFAULT_POLICY, began), DEFAULT_POLICY) for name, one in histories_.items()
        }
        return portfolio_of(shares, DEFAULT_POLICY)

    named_ = {str(number): history for number, history in enumerate(clients)}
    for name, history in named_.items():
        if not history:
            continue
        for one in recourse_of(history, DEFAULT_POLICY, portfolio(named_).beside(name), NOW).recourse:
            done = history + [event for step in one.steps for event in step.action.events]
            after = assessed(done, portfolio=portfolio({**named_, name: done}).beside(name), as_of=NOW)
            assert (after.verdict, after.score) == (one.verdict, one.steps[-1].score)


def test_where_nothing_would_help_nothing_is_told():
    calls = [told("call.received", 2 * n + 0.6, urgent=True) for n in range(40)]
    assert recourse_of(calls, DEFAULT_POLICY, alone(), TODAY).recourse == ()


def test_many_open_invoices_are_looked_at_in_time():
    owing = [event for n in range(40) for event in invoice(n, 300 - 3 * n, amount=100 + n)]
    found = recourse_of(owing, DEFAULT_POLICY, alone(), TODAY)
    assert not found.exact
    last = found.recourse[-1]
    keeps_its_promise((last,), owing, alone(), TODAY)
    subjects = [subject for step in last.steps for subject in step.action.subjects]
    assert len(subjects) == len(set(subjects)) <= 40


@pytest.mark.parametrize("kind", ["sign_contract", "pay_invoice", "approve_change", "accept_rate"])
def test_every_kind_of_action_can_be_the_one(kind: str):
    histories_ = {
        "sign_contract": [told("contract.sent", 60), *(told("contract.declined", 50 - 9 * n) for n in range(4))],
        "pay_invoice": invoice(1, 150),
        "approve_change": [told("change.requested", 30 - n, change=f"c{n}", hours=20) for n in range(4)]
        + [told("change.delivered", 20 - n, change=f"c{n}") for n in range(4)],
        "accept_rate": [told("rate.proposed", 50, rate=90, currency="USD")]
        + [told("rate.refused", 40 - 9 * n) for n in range(3)],
    }
    found = recourse_of(histories_[kind], DEFAULT_POLICY, alone(), TODAY).recourse
    assert found
    assert {step.action.kind for one in found for step in one.steps} == {kind}


def test_every_deal_breaker_can_be_settled_by_some_group():
    assert {name for group in _GROUPS for name in group.deal_breakers} == set(DEAL_BREAKERS)
    moved = [name for group in _GROUPS for name in group.signs]
    assert len(moved) == len(set(moved))
    assert set(moved) < {sign.name for sign in SIGNS}


@given(histories(12, st.sampled_from(KINDS)))
def test_what_is_supposed_is_what_would_be(history: list[Event]):
    """The short way to the facts after some actions gives the facts that all events together give."""
    search = _Search(history, DEFAULT_POLICY, alone(), NOW, None)
    actions = [action for group in search.groups for action in group]
    for chosen in [actions, *([one] for one in actions)]:
        more = [event for action in chosen for event in action.events]
        assert search._facts_after(chosen) == gather([*history, *more], DEFAULT_POLICY, NOW)
