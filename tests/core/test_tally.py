"""What a client adds to the portfolio metrics: what answers say of it, and sums that do not depend on any order."""

import dataclasses
import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import Event
from app.core.explanation import explain
from app.core.facts import gather
from app.core.money import Money
from app.core.policy import DEFAULT_POLICY
from app.core.signs import SIGNS
from app.core.snapshot import Snapshot, instants_of, money_at_risk, snapshot_of
from app.core.tally import SCORE_STEPS, Tally, Term, difference_of, kind_of, step_of, tally_of, total_of
from tests.core.strategies import NOW, histories
from tests.core.telling import NOW as MONDAY
from tests.core.telling import alone, invoice, told

DAY = timedelta(days=1)


def snapshot(events: list[Event], as_of: datetime = NOW) -> Snapshot:
    return snapshot_of(events, DEFAULT_POLICY, alone(), as_of)


@given(histories())
def test_it_is_what_the_explanation_says(events: list[Event]):
    found, explanation = snapshot(events), explain("acme", events, DEFAULT_POLICY, alone(), NOW)
    assert found.assessment == explanation.assessment
    assert found.change == explanation.trends[0].since.score
    assert found.cost == Money(explanation.cost.per_month, explanation.cost.currency)


@given(histories())
def test_a_tally_has_each_part_once(events: list[Event]):
    found = snapshot(events)
    tally, assessment = tally_of(found), found.assessment
    assert kind_of(tally) == (assessment.verdict, assessment.client_type.name)
    ones = [amount for (term, _), amount in tally.items() if term in {Term.CLIENTS, Term.STEP, Term.LEADS}]
    assert ones == [1, 1, 1]
    assert abs(float(tally[Term.SCORE, ""]) - assessment.score) <= 5e-7
    strain = {label: float(amount) for (term, label), amount in tally.items() if term == Term.STRAIN}
    assert strain == pytest.approx({one.sign.name: one.decibans for one in assessment.signs}, abs=1e-6)
    assert list(strain) == [sign.name for sign in SIGNS]


@pytest.mark.parametrize("window_days", [20, 30, 365])
def test_a_snapshot_looks_at_its_instants_in_their_order(window_days: int):
    """Whichever is earlier: the begin of the cost's window, or a month ago."""
    policy = dataclasses.replace(DEFAULT_POLICY, cost=dataclasses.replace(DEFAULT_POLICY.cost, window_days=window_days))
    events = [*invoice(1, 100, 40), told("time.logged", 25, hours=9), told("contract.declined", 10)]
    found = snapshot_of(events, policy, alone(policy), MONDAY)
    explanation = explain("acme", events, policy, alone(policy), MONDAY)
    assert (found.assessment, found.cost.amount) == (explanation.assessment, explanation.cost.per_month)
    instants = instants_of(policy, MONDAY)
    assert instants == sorted(instants)
    assert {MONDAY, MONDAY - 30 * DAY} <= set(instants)


def test_money_at_risk_is_what_is_owed_too_long_or_was_taken_back():
    def at_risk(*events: Event) -> dict[str, Decimal]:
        return money_at_risk(gather(list(events), DEFAULT_POLICY, MONDAY))

    overdue, paid, due = invoice(1, 60), invoice(2, 60, 20), invoice(3, 10, amount=70)
    assert at_risk(*overdue, *paid, *due) == {"USD": 1000}
    assert at_risk(*overdue, *invoice(4, 50, currency="EUR", amount=30)) == {"EUR": 30, "USD": 1000}
    assert at_risk(*overdue, told("invoice.paid", 5, invoice="INV-1", amount=400)) == {"USD": 600}
    assert at_risk(*overdue, told("invoice.written_off", 5, invoice="INV-1")) == {}
    assert at_risk(*overdue, told("invoice.voided", 5, invoice="INV-1")) == {}
    early = told("invoice.paid", 8, invoice="INV-3")
    assert at_risk(*due, early, told("payment.charged_back", 5, invoice="INV-3", amount=20)) == {"USD": 20}
    assert at_risk() == {}


@pytest.mark.parametrize(("score", "step"), [(0.0, 5), (5.0, 5), (5.000001, 10), (99.9, 100), (100.0, 100)])
def test_steps(score: float, step: int):
    assert step_of(score) == step
    assert SCORE_STEPS[0] == 5
    assert SCORE_STEPS[-1] == 100


amounts = st.decimals(-1000, 1000, places=6)
tallies = st.dictionaries(st.tuples(st.sampled_from(["strain", "cost", "new"]), st.sampled_from("ab")), amounts)


@given(st.lists(tallies, max_size=8), st.randoms(use_true_random=False))
def test_sums_do_not_depend_on_the_order_of_what_was_added_and_taken(found: list[Tally], chance: random.Random):
    """Clients come, change and go in any order: what stays is what those that stay add."""
    steps: list[tuple[Tally | None, Tally | None]] = []
    for one in found:
        other = chance.choice(found)
        steps += [(None, other), (other, one)]
    gone = found[: len(found) // 2]
    steps += [(one, None) for one in gone]
    chance.shuffle(steps)
    assert total_of(difference_of(before, after) for before, after in steps) == total_of(found[len(gone) :])
