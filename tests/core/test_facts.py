"""What events amount to: corrections, instalments, charge-backs, contracts that run out, two kinds of time travel."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.core.earnings import Earnings
from app.core.events import Event
from app.core.facts import Facts, gather
from app.core.policy import DEFAULT_POLICY
from tests.core.telling import NOW, invoice, told


def facts(*events: Event, **named: object) -> Facts:
    return gather(events, DEFAULT_POLICY, NOW, **named)  # type: ignore[arg-type]


def test_an_invoice_paid_in_parts_is_settled_by_the_last():
    issued = invoice(1, 60)
    parts = [told("invoice.paid", days, invoice="INV-1", amount=amount) for days, amount in ((40, 400), (20, 600))]
    (half,) = facts(*issued, parts[0]).invoices
    assert (half.open_amount, half.settled_day) == (Decimal(600), None)
    whole = facts(*issued, *parts)
    assert whole.invoices == ()
    assert (whole.settled.count, whole.settled.late, whole.settled.late_days) == (1, 1, 10)


def test_a_payment_before_its_invoice_counts_once_the_invoice_is_told():
    paid = told("invoice.paid", 40, invoice="INV-1")
    assert facts(paid).invoices == ()
    assert facts(paid, *invoice(1, 60)).settled.count == 1


def test_a_charge_back_opens_the_invoice_again():
    events = [*invoice(1, 60, 40), told("payment.charged_back", 10, invoice="INV-1")]
    (found,) = facts(*events).invoices
    assert found.is_overdue(NOW.date())
    assert found.charged_back is not None
    mended = facts(*events, told("invoice.paid", 5, invoice="INV-1"))
    assert (mended.invoices, mended.settled.count, mended.settled.late_days) == ((), 1, 25)


def test_an_invoice_by_mistake_was_never_issued():
    assert facts(*invoice(1, 60), told("invoice.voided", 50, invoice="INV-1")).invoices == ()


def test_another_due_date_that_was_agreed_counts():
    due = (NOW + timedelta(days=5)).date()
    (found,) = facts(*invoice(1, 60), told("invoice.due_date_changed", 35, invoice="INV-1", due_date=due)).invoices
    assert not found.is_overdue(NOW.date())


def test_a_dispute_that_the_client_won_excuses_the_delay():
    events = [*invoice(1, 60, 10), told("invoice.disputed", 40, invoice="INV-1")]
    assert facts(*events).settled.judged == 1
    won = facts(*events, told("invoice.dispute_resolved", 12, invoice="INV-1", outcome="upheld"))
    assert (won.settled.count, won.settled.judged) == (1, 0)


def test_a_contract_that_runs_out_is_open_again():
    signed, expired = told("contract.signed", 400), told("contract.expired", 30)
    (running,) = facts(signed).contracts
    assert running.signed is not None
    (over,) = facts(signed, expired).contracts
    assert over.signed is None
    assert over.ended is not None
    (renewed,) = facts(signed, expired, told("contract.signed", 10)).contracts
    assert renewed.signed is not None


def test_a_voided_event_was_never_told():
    mistake = told("rate.refused", 10)
    void = told("event.voided", 5, source=mistake.source, id=mistake.id)
    assert facts(mistake).talks.refusals == 1
    assert facts(mistake, void).talks.refusals == 0
    assert facts(mistake, void).event_count == 0


def test_what_was_true_then_and_what_we_knew_then():
    refused = told("rate.refused", 30)
    late = Event("s", "late", "rate.refused", "acme", NOW - timedelta(days=20), refused.data, NOW - timedelta(days=2))
    ten_days_ago = NOW - timedelta(days=10)
    assert gather([refused, late], DEFAULT_POLICY, NOW).talks.refusals == 2
    assert gather([refused, late], DEFAULT_POLICY, ten_days_ago).talks.refusals == 2
    assert gather([refused, late], DEFAULT_POLICY, NOW, known_at=ten_days_ago).talks.refusals == 1


def test_hours_of_a_change_are_counted_once():
    change = [told("change.requested", 30, change="x", hours=8), told("change.delivered", 20, change="x", hours=10)]
    assert facts(*change).work.hours.total.hours == 10
    logged = told("time.logged", 25, hours=4, change="x")
    assert facts(*change, logged).work.hours.total.hours == 10


def test_what_was_taken_out_leaves_nothing_behind():
    foreign = invoice(1, 60, 10, currency="JPY")
    assert facts(*foreign).settled.money is None
    assert facts(*foreign).settled.longest == 20
    void = told("invoice.voided", 5, invoice="INV-1")
    assert facts(*foreign, void).settled.money == 0
    assert facts(*foreign, void).settled.longest is None


def test_an_invoice_that_is_issued_twice_is_billed_once():
    work = [told("time.logged", 50, hours=10), *invoice(1, 40), told("time.logged", 20, hours=5)]
    again = invoice(1, 10)
    assert facts(*work, *again).work.hours.due.hours == facts(*work).work.hours.due.hours == 10
    assert facts(*work, *again).billed.count == 1


def test_hours_that_take_the_place_of_delivered_ones_leave_the_others_of_that_day():
    """Also after an invoice, when all hours of that day are in one sum."""
    events = [
        told("change.requested", 41, change="C-1", hours=10),
        told("time.logged", 40, hours=5),
        told("change.delivered", 40, change="C-1"),
        told("invoice.issued", 39, invoice="A", amount=1000, currency="USD", due_date=NOW.date()),
    ]
    instead = told("time.logged", 38, hours=4, change="C-1")
    before, after = (gather(some, DEFAULT_POLICY, NOW).work.hours for some in (events, [*events, instead]))
    assert (before.due.hours, after.due.hours) == (15, 11)
    assert after.fresh / after.due.hours == pytest.approx(before.fresh / before.due.hours)


def test_a_client_of_whose_money_rounding_leaves_less_than_nothing_has_no_rate():
    assert Earnings(-1e-17, 10.0).log_rate is None
