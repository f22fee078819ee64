"""The cost of staying, term by term, against sums done by hand."""

import dataclasses
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cost import Cost, cost_of_staying, window_begins
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, Policy, RatePolicy
from tests.core.strategies import NOW, histories
from tests.core.telling import NOW as MONDAY
from tests.core.telling import alone, invoice, told

HUNDRED = dataclasses.replace(DEFAULT_POLICY, rate=RatePolicy(floor=Decimal(100)))
MONTH = 365.25 / 12
OLD = told("time.logged", 400, hours=1)
"""Known for long, so that the window is the whole half year."""


def cost(events: list[Event], policy: Policy = HUNDRED, as_of: datetime = MONDAY) -> Cost:
    then = gather(events, policy, window_begins(policy, as_of))
    return cost_of_staying(gather(events, policy, as_of), then, policy, alone(policy))


def amounts(found: Cost) -> dict[str, float | None]:
    return {term.name: None if term.amount is None else float(term.amount) for term in found.terms}


def only(found: Cost, **expected: float) -> None:
    nothing = dict.fromkeys(amounts(found), 0.0)
    assert amounts(found) == {name: pytest.approx(value, abs=0.005) for name, value in {**nothing, **expected}.items()}
    assert float(found.per_month) == pytest.approx(sum(expected.values()), abs=0.01)


def test_unpaid_hours_are_worth_what_others_pay():
    agreed = [OLD, told("agreement.made", 170, hours=10), told("time.logged", 160, hours=40)]
    only(cost(agreed), unpaid_hours=30 * 100 * MONTH / 180)


def test_out_of_hours_takes_half_an_hour_each():
    calls = [told("call.received", 10 * n + 0.6) for n in range(12)]
    only(cost([OLD, *calls]), out_of_hours=12 * 0.5 * 100 * MONTH / 180)


def test_a_rate_gap_is_what_paid_hours_would_have_brought():
    work = [OLD, told("time.logged", 100, hours=50), *invoice(1, 90, 80, amount=3000)]
    only(cost(work), rate_gap=(50 * 100 - 3000) * MONTH / 180)
    only(cost([OLD, told("time.logged", 100, hours=50), *invoice(1, 90, 80, amount=9000)]))
    only(cost([*work, told("time.logged", 5, hours=99)]), rate_gap=(50 * 100 - 3000) * MONTH / 180)


def test_waiting_costs_interest():
    only(cost([OLD, *invoice(1, 100, 20, amount=7300)]), waiting=7300 * 0.10 * 50 / 365 * MONTH / 180)


def test_what_is_probably_lost_is_spread_over_a_year():
    written_off = [*invoice(1, 300, amount=1200), told("invoice.written_off", 1, invoice="INV-1")]
    only(cost([OLD, *written_off]), expected_loss=1200 * MONTH / 365)
    only(cost([OLD, *invoice(1, 400, amount=1200), told("invoice.written_off", 1, invoice="INV-1")]))


def test_a_new_client_is_reckoned_by_the_days_it_is_known():
    found = cost([told("agreement.made", 44, hours=10), told("time.logged", 44, hours=20)])
    assert found.days == 45
    only(found, unpaid_hours=10 * 100 * MONTH / 45)
    assert cost([told("time.logged", 3, hours=1)]).days == 30


def test_without_any_rate_hours_have_no_price():
    calls = [OLD, told("call.received", 0.6)]
    found = cost(calls, DEFAULT_POLICY)
    assert amounts(found)["out_of_hours"] is None
    assert found.per_month == 0


def test_a_client_is_not_held_against_itself():
    work = [OLD, told("time.logged", 150, hours=10), *invoice(1, 140, 130, amount=5000)]
    more = [told("time.logged", 100, hours=50), *invoice(2, 90, 80, amount=1000)]
    only(cost([*work, *more], DEFAULT_POLICY))


def test_currencies_are_never_mixed_without_a_rate():
    euros = [dataclasses.replace(e, data=dataclasses.replace(e.data, currency="EUR")) for e in invoice(1, 100)]
    found = cost([OLD, *euros])
    only(found)
    assert found.left_out == ("EUR",)
    policy = dataclasses.replace(HUNDRED, exchange_rates=MappingProxyType({"EUR": Decimal("1.25")}))
    known = cost([OLD, *euros], policy)
    assert known.left_out == ()
    assert amounts(known) == amounts(cost([OLD, *invoice(1, 100, amount=1250)]))


def test_an_hour_has_no_price_where_what_it_brought_is_not_known():
    work = [OLD, told("time.logged", 100, hours=50), *invoice(1, 90, 80), *invoice(2, 90, 80, currency="EUR")]
    found = cost([*work, told("call.received", 0.6)], DEFAULT_POLICY)
    assert amounts(found)["out_of_hours"] is None
    assert found.left_out == ("EUR",)


@given(histories(40), st.sampled_from([HUNDRED, DEFAULT_POLICY]))
def test_no_term_is_negative_and_they_add_up(history: list[Event], policy: Policy):
    found = cost(history, policy, NOW)
    known = [term.amount for term in found.terms if term.amount is not None]
    assert all(amount >= 0 for amount in known)
    assert found.per_month == sum(known)
    assert all(amount == amount.quantize(Decimal("0.01")) for amount in known)
    assert 30 <= found.days <= 180


@given(histories(40), st.randoms(use_true_random=False))
def test_order_does_not_matter(history: list[Event], random):
    shuffled = list(history)
    random.shuffle(shuffled)
    one, other = (cost(told, HUNDRED, NOW) for told in (history, shuffled))
    assert one == other
