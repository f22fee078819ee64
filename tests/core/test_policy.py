"""Policies: whatever the bounds allow, the axioms hold."""

import dataclasses
import math
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.decibans import fading, score_of
from app.core.events import Event
from app.core.explanation import explain
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, ContractPolicy, NonpaymentPolicy, Policy, ScopePolicy
from app.core.portfolio import portfolio_of
from app.core.priors import Counts, fitted_to
from app.core.recourse import recourse_of
from app.core.shares import share_of
from app.core.signs import SIGNS
from app.core.verdict import Verdict
from app.core.working_calendar import WorkingCalendar
from app.language import LANGUAGES, speaker
from app.rest.explanation import ExplanationAnswer
from app.use_cases.viewpoint import Viewpoint
from app.wire.policies import JsonPolicies
from tests.core.policies import LEAVES, changed, policies
from tests.core.strategies import NOW, events, histories, instants, named
from tests.core.telling import alone, assessed
from tests.core.test_axioms import _BAD, _is_bad, _kinds


@given(policies(), histories(30), instants(0, 600))
@settings(max_examples=300)
def test_every_policy_can_score_every_history(policy: Policy, history: list[Event], as_of):
    portfolio = portfolio_of({"acme": share_of(gather(history, policy, as_of), policy)}, policy)
    found = explain("acme", history, policy, portfolio.beside("acme"), as_of)
    now = found.assessment
    assert 0 <= now.interval.low <= now.score <= now.interval.high <= 100
    assert abs(now.prior_decibans + sum(part.decibans for part in now.signs) - now.total_decibans) < 1e-9
    assert abs(sum(part.points for part in now.signs) - (now.score - score_of(now.prior_decibans))) < 1e-9
    for language in LANGUAGES:
        text = ExplanationAnswer.explained("acme", Viewpoint(as_of), found, speaker(language)).model_dump_json()
        assert "NaN" not in text
        assert "Infinity" not in text
    if now.verdict is Verdict.PART:
        assert now.interval.low >= policy.thresholds.part or now.deal_breakers


def _extreme(history: list[Event], turn: int) -> list[Event]:
    """The same with amounts as they are, the smallest and the largest, by turns."""

    def of(name: str, value: Decimal, place: int) -> Decimal:
        largest = Decimal(10_000) if name == "hours" else Decimal(10**12)
        return (value, Decimal("0.000001"), largest)[place % 3]

    found = []
    for place, event in enumerate(history, turn):
        said = {name: getattr(event.data, name, None) for name in ("amount", "hours", "price", "rate")}
        changes = {name: of(name, value, place) for name, value in said.items() if value is not None}
        found.append(dataclasses.replace(event, data=dataclasses.replace(event.data, **changes)))
    return found


@given(policies(), st.lists(histories(20), min_size=1, max_size=5), instants(0, 600), st.integers(0, 2))
@settings(max_examples=60)
def test_extreme_policies_can_score_extreme_portfolios(policy: Policy, drawn: list[list[Event]], as_of, turn: int):
    clients = {str(number): _extreme(history, number + turn) for number, history in enumerate(drawn)}
    shares = {name: share_of(gather(history, policy, as_of), policy) for name, history in clients.items()}
    portfolio = portfolio_of(shares, policy)
    for name, history in clients.items():
        found = explain(name, history, policy, portfolio.beside(name), as_of)
        text = ExplanationAnswer.explained(name, Viewpoint(as_of), found, speaker("en")).model_dump_json()
        assert not re.search("NaN|Infinity", text)


@given(policies())
def test_1_silence_is_neutral_with_every_policy(policy: Policy):
    found = assessed([], policy=policy, portfolio=alone(policy), as_of=NOW)
    assert [part.decibans for part in found.signs] == [0.0] * len(SIGNS)
    assert math.isclose(found.score, score_of(policy.prior_decibans))


@given(policies(), histories(), _kinds(_BAD))
def test_3_one_more_bad_event_never_reassures_with_any_policy(
    policy: Policy, history: list[Event], bad: tuple[str, Event]
):
    sign, event = bad
    if not _is_bad(sign, event, history) or sign == "time" or policy.calendar.zone != "UTC":
        return
    before, after = (
        next(part.decibans for part in assessed(one, policy=policy, as_of=NOW).signs if part.sign.name == sign)
        for one in (history, [*history, *named([event], "x")])
    )
    assert after >= before - 1e-9


@given(policies(), events())
def test_10_one_event_never_parts_unless_a_policy_says_so(policy: Policy, event: Event):
    spread = dataclasses.replace(policy, model_spread=6.0, prior_decibans=-10.0, thresholds=DEFAULT_POLICY.thresholds)
    found = assessed(named([event]), policy=spread, as_of=NOW)
    assert found.verdict is not Verdict.PART or found.deal_breakers or found.interval.low >= 80


@given(policies(), histories(15))
@settings(max_examples=50)
def test_recourse_keeps_its_promise_with_any_policy(policy: Policy, history: list[Event]):
    if not history:
        return
    for one in recourse_of(history, policy, alone(policy), NOW).recourse:
        done = history + [event for step in one.steps for event in step.action.events]
        assert assessed(done, policy=policy, as_of=NOW).verdict is one.verdict


@given(policies())
def test_a_policy_survives_the_way_through_json(policy: Policy):
    form = JsonPolicies()
    assert form.load(policy.version, form.dump(policy)) == policy
    assert form.patched(form.dump(policy), {}) == form.dump(policy)


@pytest.mark.parametrize(("path", "kind", "low", "high"), LEAVES, ids=str)
def test_every_number_has_bounds_that_hold_the_default(path, kind, low: float, high: float):
    value: Any = DEFAULT_POLICY
    for name in path:
        value = getattr(value, name)
    assert kind(value) == value
    assert low <= value <= high
    assert changed(DEFAULT_POLICY, path, value) == DEFAULT_POLICY


@pytest.mark.parametrize(
    "make",
    [
        lambda: ContractPolicy(days_to_sign=60),
        lambda: ScopePolicy(ordinary_overrun=0.4),
        lambda: NonpaymentPolicy(never_paid=((0, 0.1),)),
        lambda: NonpaymentPolicy(never_paid=((1, 0.1), (2, 0.2))),
        lambda: NonpaymentPolicy(never_paid=((0, 0.2), (2, 0.1))),
        lambda: Policy(currency="XXX"),
        lambda: WorkingCalendar(zone="Mars"),
        lambda: WorkingCalendar(week=()),
        lambda: WorkingCalendar(country="XX"),
        lambda: WorkingCalendar(country="DE", subdivision="ZZ"),
        lambda: WorkingCalendar(subdivision="BY"),
        lambda: WorkingCalendar(country="DE", subdivision=""),
        lambda: WorkingCalendar(country="US", subdivision="California"),
        *(
            lambda name=name: WorkingCalendar(country=name)
            for name in ("utils", "registry", "__name__", "NYSE", "Germany", "DEU", "UK", "de", "")
        ),
        lambda: WorkingCalendar(zone="../UTC"),
        lambda: WorkingCalendar(week=(None,) * 7),
        lambda: Policy(exchange_rates={"USD": Decimal(1)}),
        lambda: Policy(exchange_rates={"ABC": Decimal(1)}),
    ],
)
def test_what_does_not_hold_together_is_refused(make):
    with pytest.raises(ValueError):  # noqa: PT011 - each part says it in its own words
        make()


@pytest.mark.parametrize("many", [100, 10_000, 1_000_000])
def test_a_portfolio_of_none_but_habitual_clients_can_be_fitted_to(many: int):
    found = fitted_to([Counts(bad=many)] * 3, DEFAULT_POLICY.time.priors, DEFAULT_POLICY)
    assert 0 < found.priors.ordinary.mean < 0.2
    assert score_of(-1e9) == pytest.approx(0)
    assert score_of(1e9) == 100


@given(st.floats(0, 1e6), st.floats(7, 1e4))
def test_what_is_forgotten_is_nothing_or_enough_to_divide_by(age: float, half_life: float):
    assert fading(age, half_life) == 0 or fading(age, half_life) > 1e-20
