"""What each sign says, and in which words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.core.earnings import earnings_of
from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, LatePolicy, Policy, RatePolicy
from app.core.reasons import sentence_of
from app.core.signs import SIGNS
from app.core.working_calendar import WorkingCalendar
from app.language import speaker
from tests.core.telling import NOW, evidence, invoice, reason_of, told


def sentence(events: list[Event], sign: str) -> str:
    sign_ = next(one for one in SIGNS if one.name == sign)
    return speaker("en").say(sentence_of(sign_, reason_of(events, sign)))


def reason(events: list[Event], sign: str) -> str:
    return reason_of(events, sign).code


def work(hours: float, days_ago: float = 10) -> Event:
    return told("time.logged", days_ago, hours=hours)


SENT = [told("contract.sent", 60)]
REFUSED = [*SENT, told("contract.declined", 50)]
AFTER = [*SENT, told("contract.explained", 55), told("contract.declined", 50)]
AGREED = [told("agreement.made", 30, hours=20, period="month")]
QUIET = [
    e
    for n in range(9)
    for e in (told("change.requested", 90 - n, change=f"q{n}"), told("change.approved", 80 - n, change=f"q{n}"))
]
GOOD = [e for n in range(8) for e in invoice(n, 300 - 30 * n, 275 - 30 * n)]
CREEP = [
    e
    for n in range(4)
    for e in (
        told("change.requested", 25 - 5 * n, change=f"C{n}", hours=5),
        told("change.delivered", 24 - 5 * n, change=f"C{n}"),
    )
]


@pytest.mark.parametrize(
    ("sign", "events", "expected"),
    [
        ("contract", [], "no_contract_asked_for"),
        ("contract", [told("contract.signed", 9)], "signed"),
        ("contract", SENT, "not_signed_yet"),
        ("contract", [*SENT, work(5)], "working_unsigned"),
        ("contract", REFUSED, "refused"),
        ("contract", AFTER, "refused_after_explanation"),
        ("scope", [], "nothing_agreed"),
        ("scope", [*AGREED, work(15)], "within_agreement"),
        ("scope", [*AGREED, work(21)], "usual_hours"),
        ("scope", [*AGREED, work(45)], "unpaid_hours"),
        ("scope", [*QUIET, told("change.requested", 300, change="x")], "usual_requests"),
        ("scope", [told("change.requested", 5, change="x")] * 1, "unpaid_requests"),
        ("time", [], "no_contact"),
        ("time", [told("message.received", 4.1)], "respectful"),
        ("time", [told("call.received", 4.6)], "out_of_hours"),
        ("time", [told("message.received", 4.1, urgent=True)], "emergencies"),
        ("time", [told("meeting.missed", 4)], "meetings_missed"),
        ("rate", [], "nothing_to_compare"),
        ("rate", [told("rate.accepted", 4, rate=100, currency="USD")], "fair"),
        ("rate", [told("rate.refused", 4)], "refused"),
        ("late", [], "nothing_due"),
        ("late", invoice(1, 10), "nothing_due"),
        ("late", invoice(1, 60, 40), "in_time"),
        ("late", invoice(1, 60), "exception"),
        (
            "late",
            [e for n in range(8) for e in invoice(n, 300 - 30 * n, 275 - 30 * n)] + invoice(9, 60, 20),
            "exception",
        ),
        ("late", [e for n in range(8) for e in invoice(n, 300 - 30 * n, 240 - 30 * n)], "habit"),
        ("nonpayment", [], "nothing_billed"),
        ("nonpayment", invoice(1, 60, 40), "nothing_overdue"),
        ("nonpayment", invoice(1, 60), "overdue"),
        ("nonpayment", [*invoice(1, 60), told("reminder.sent", 20, invoice="INV-1")], "ignores_reminders"),
        ("nonpayment", [*invoice(1, 60), told("invoice.written_off", 2, invoice="INV-1")], "written_off"),
        ("nonpayment", [*invoice(1, 60, 40), told("payment.charged_back", 5, invoice="INV-1")], "charged_back"),
    ],
)
def test_the_reason_has_a_code_and_a_sentence(sign: str, events: list[Event], expected: str):
    assert reason(events, sign) == expected
    text = sentence(events, sign)
    assert text.endswith(".")
    assert "{" not in text


def test_sentences_name_what_moves_people():
    assert "INV-7 is overdue" in sentence(invoice(7, 70), "nonpayment")
    assert "40 days" in sentence(invoice(7, 70), "nonpayment")
    assert "Paid late: 2 of 2 invoices" in sentence(
        [*invoice(1, 100, 40), *invoice(2, 100, 40), told("reminder.sent", 60, invoice="INV-1")], "late"
    )


def test_the_events_that_weigh_most_come_first():
    mild, grave = invoice(1, 100, 68), invoice(2, 130, 50)
    found = reason_of([*mild, *grave], "late")
    assert [ref.id for ref in found.events] == [grave[1].id, mild[1].id]


def test_an_explained_refusal_weighs_more_than_an_unexplained_one():
    assert evidence(AFTER, "contract") > evidence(REFUSED, "contract") > evidence(SENT, "contract") > 0


def test_an_approved_change_is_no_creep():
    approved = [told("change.approved", 24 - 5 * n, change=f"C{n}") for n in range(4)]
    assert evidence([*AGREED, *CREEP], "scope") > 5
    assert evidence([*AGREED, *CREEP, *approved], "scope") <= 0


def test_creep_that_accelerates_says_so():
    steady = [told("agreement.made", 360, hours=20, period="month")]
    steady += [told("time.logged", 355 - 30 * n, hours=22) for n in range(12)]
    sudden = [told("time.logged", 20 - n, hours=6) for n in range(8)]
    assert reason([*steady, *sudden], "scope") == "accelerating"
    assert evidence([*steady, *sudden], "scope") > evidence(steady, "scope")


def test_a_rush_job_is_one_that_leaves_too_few_working_hours():
    asked = NOW - timedelta(days=3.9)
    tight = told("deadline.requested", 3.9, due_at=asked + timedelta(hours=3))
    ample = told("deadline.requested", 3.9, due_at=asked + timedelta(days=9))
    assert evidence([tight], "time") > 0
    assert evidence([ample], "time") < 0
    assert reason([tight], "time") == "rush_jobs"


def test_a_meeting_moved_in_good_time_is_no_slip():
    base = NOW - timedelta(days=10)
    late = told("meeting.moved", 10, scheduled_at=base + timedelta(hours=2))
    early = told("meeting.moved", 10, scheduled_at=base + timedelta(days=5))
    ours = told("meeting.moved", 10, scheduled_at=base + timedelta(hours=2), by="us")
    assert evidence([late], "time") > 0
    assert evidence([early], "time") <= 0
    assert evidence([ours], "time") == 0


def test_the_probability_of_a_late_invoice_follows_the_past():
    def probability(events: list[Event]) -> float:
        return reason_of(events, "late").figures["next_invoice_late_probability"].value

    good = [e for n in range(8) for e in invoice(n, 300 - 30 * n, 285 - 30 * n)]
    bad = [e for n in range(8) for e in invoice(n, 300 - 30 * n, 255 - 30 * n)]
    assert probability(good) < probability([]) < probability(bad)
    assert probability(good) < 0.1
    assert probability(bad) > 0.8


def test_hours_without_a_contract_count_from_the_local_day_it_was_asked_for():
    """At 23:30 in London it is the next day in Berlin: the work of the London day was before."""
    berlin = replace(DEFAULT_POLICY, calendar=WorkingCalendar(zone="Europe/Berlin"))
    sent = told("contract.sent", 10 + 12.5 / 24)
    day = sent.time.date()
    worked = told("time.logged", 5, hours=8, day=day)

    def hours(policy: Policy) -> float:
        return reason_of([sent, worked], "contract", policy=policy).figures["hours_without_contract"].value

    assert sent.time.hour == 23
    assert hours(DEFAULT_POLICY) == 8
    assert hours(berlin) == 0


def test_a_rate_is_not_known_where_money_has_no_exchange_rate():
    floor = replace(DEFAULT_POLICY, rate=RatePolicy(floor=Decimal(50)))
    both = [
        *(work(10, 100 - n) for n in range(10)),
        *invoice(1, 80, 60, amount=5000),
        *invoice(2, 50, 30, amount=5000, currency="EUR"),
    ]
    assert evidence(both, "rate", policy=floor) == 0, "a hundred an hour is not low because half of it is in euros"
    assert reason_of(both, "rate", policy=floor).code == "no_exchange_rate"
    assert "is not known" in sentence(both, "rate")
    known = replace(floor, exchange_rates={"EUR": Decimal(1)})
    assert reason_of(both, "rate", policy=known).figures["effective_rate"].value == pytest.approx(100, rel=0.2)
    assert earnings_of(gather(both, floor, NOW), floor).log_rate is None


def test_days_beyond_terms_of_amounts_that_cannot_be_compared_are_a_plain_mean():
    pounds = [*invoice(1, 100, 50, currency="GBP"), *invoice(2, 100, 60, amount=9000, currency="EUR")]
    figures = reason_of(pounds, "late").figures
    assert figures["days_beyond_terms"].value == 15
    assert figures["payment_index"].value == 70
    dollars = reason_of([*pounds, *invoice(3, 100, 70)], "late").figures
    assert dollars["days_beyond_terms"].value == 10, "none is left out"


@pytest.mark.parametrize(
    ("code", "events"),
    [
        ("written_off", [*invoice(9, 40, amount=10), told("invoice.written_off", 2, invoice="INV-9")]),
        ("charged_back", [*invoice(9, 40, 20, amount=10), told("payment.charged_back", 5, invoice="INV-9")]),
        ("ignores_reminders", [*invoice(9, 40, amount=10), told("reminder.sent", 9, invoice="INV-9")]),
    ],
)
def test_the_invoice_that_is_named_is_one_that_it_is_true_of(code: str, events: list[Event]):
    graver = [*invoice(1, 300, 290), *invoice(2, 250, amount=5000), *events]
    assert reason(graver, "nonpayment") == code
    assert "INV-9" in sentence(graver, "nonpayment")


def test_whoever_was_told_but_never_reminded_ignores_no_reminder():
    told_before = [told("expectation.stated", 90, sign="nonpayment"), *invoice(1, 60)]
    assert reason(told_before, "nonpayment") == "overdue"


def test_an_overrun_is_told_as_the_share_that_it_is():
    tiny = [told("agreement.made", 30, hours=1), work(43)]
    assert reason_of(tiny, "scope").figures["overrun_share"].value == 42
    assert "42 hours, which is 4,200% of what was agreed" in sentence(tiny, "scope")
    without = [told("change.requested", 9, change="x"), told("change.delivered", 8, change="x", hours=40)]
    assert "overrun_share" not in reason_of(without, "scope").figures
    assert "%" not in sentence([*without, told("change.requested", 9, change="y")], "scope")


def test_hours_beyond_are_told_even_where_they_are_no_more_than_usual():
    assert sentence([*AGREED, work(20)], "scope") == "The work keeps to what was agreed."
    assert sentence([*AGREED, work(20.5)], "scope") == (
        "Unpaid work beyond the agreement: 0.5 hours, no more than is usual."
    )


def test_what_is_late_and_unpaid_is_not_called_paid():
    unpaid = [e for n in range(5) for e in invoice(n, 300 - 30 * n)]
    assert sentence([*unpaid, *invoice(9, 310, 290)], "late").startswith(
        "Late: 5 of 6 invoices, 5 of them unpaid so far; on average"
    )
    assert reason_of(unpaid, "late").figures["unpaid_late_invoices"].value == 5


def test_days_after_terms_are_never_before_them():
    early = [
        *invoice(1, 400, 399, amount=90_000),
        *(e for n in range(2, 8) for e in invoice(n, 300 - 9 * n, 230 - 9 * n)),
    ]
    assert reason_of(early, "late").figures["days_beyond_terms"].value < 0
    assert sentence(early, "late") == "Paid late: 6 of 7 invoices; the longest delay is 40 days."


def test_days_of_grace_are_no_delay():
    patient = replace(DEFAULT_POLICY, late=LatePolicy(grace_days=9))
    sign = next(one for one in SIGNS if one.name == "late")
    found = reason_of(invoice(1, 35), "late", policy=patient)
    assert found.code == "in_grace"
    assert "days of grace" in speaker("en").say(sentence_of(sign, found))


def test_a_contract_asked_for_today_waits_for_no_days():
    today = [told("contract.sent", 0.1)]
    assert sentence(today, "contract") == "The contract has been waiting for a signature since March 2, 2026."
    assert sentence([*today, told("contract.declined", 0.05)], "contract").endswith(
        "no work was done without a contract."
    )
