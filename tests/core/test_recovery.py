"""What becomes of overdue invoices: the tenant's experience beside a prior."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.policy import DEFAULT_POLICY
from app.core.recovery import OverdueCounts, Recovery

PRIOR = DEFAULT_POLICY.nonpayment.never_paid


Overdue = tuple[int, bool]
"""For how many days, and whether it was paid then."""


def counted(*overdue: Overdue) -> OverdueCounts:
    found = OverdueCounts()
    for days, paid in overdue:
        found = found.plus(days, paid=paid)
    return found


def learned(*overdue: Overdue) -> Recovery:
    return Recovery.learned(PRIOR, DEFAULT_POLICY.nonpayment.prior_invoices, [counted(*overdue)])


@pytest.mark.parametrize(("days", "probability"), PRIOR)
def test_without_experience_it_is_the_prior(days: int, probability: float):
    assert learned().never_paid(days) == pytest.approx(probability, rel=1e-6)


@given(
    st.lists(st.tuples(st.integers(1, 900), st.booleans()), max_size=200),
    st.integers(0, 1000),
    st.integers(0, 300),
)
def test_it_is_a_probability_that_grows_with_the_days(overdue: list[Overdue], days: int, more: int):
    recovery = learned(*overdue)
    assert 0 < recovery.never_paid(days) <= recovery.never_paid(days + more) <= 1


def test_with_clients_who_pay_in_the_end_a_debt_says_less():
    """A hundred invoices, all paid after four months: three months overdue is nothing unusual here."""
    patient = learned(*[(120, True)] * 100)
    assert patient.never_paid(100) < learned().never_paid(100) / 2


def test_kaplan_and_meier_with_hardly_any_prior():
    """Of ten invoices six are paid within a month and four stay open for two years: the share still open is 0.4."""
    recovery = Recovery.learned(PRIOR, 1e-9, [counted(*[(10, True)] * 6, *[(800, False)] * 4)])
    assert recovery.never_paid(0) / recovery.never_paid(30) == pytest.approx(0.4, rel=1e-3)
