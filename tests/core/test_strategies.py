"""Strategies and partings: there is one for every type, and letters name what the client did."""

import dataclasses
from datetime import date, timedelta

import pytest
from hypothesis import given

from app.core.client_type import client_type_of
from app.core.deal_breakers import DEAL_BREAKERS
from app.core.events import Event
from app.core.explanation import explain
from app.core.facts import gather
from app.core.parting import parting_from
from app.core.policy import DEFAULT_POLICY, DealBreaker, Policy
from app.core.signs import SIGNS
from app.core.strategies import APPROACHES, Case, strategy_for
from app.core.verdict import Verdict
from app.core.working_calendar import WorkingCalendar
from app.language import LANGUAGES, speaker
from tests.core.policies import policies
from tests.core.strategies import NOW, histories
from tests.core.telling import NOW as MONDAY
from tests.core.telling import alone, invoice, told
from tests.core.test_verdict import BREAKERS

SAY = speaker("en").say


def case(events: list[Event], calendar: WorkingCalendar | None = None) -> Case:
    policy = dataclasses.replace(DEFAULT_POLICY, calendar=calendar or DEFAULT_POLICY.calendar)
    before = gather(events, policy, MONDAY - timedelta(days=90))
    return Case("Acme", gather(events, policy, MONDAY), policy, before)


def letter(client_type: str, *events: Event) -> str:
    (draft,) = strategy_for(client_type, case(list(events))).drafts
    assert SAY(draft.subject)
    return speaker("en").paragraphs(draft.paragraphs)


def test_every_type_has_a_strategy():
    types = set(client_type_of([(sign.client_type, 0.0) for sign in SIGNS], known=True).probabilities)
    assert set(APPROACHES) == types | {"unknown"}


@pytest.mark.parametrize("client_type", APPROACHES)
def test_a_strategy_says_what_to_do_even_where_nothing_is_known(client_type: str):
    found = strategy_for(client_type, case([]))
    assert found.client_type == client_type
    assert len(found.steps) >= 4
    assert len(found.in_writing) >= 2
    assert letter(client_type).startswith("Dear Acme,\n\n")


@pytest.mark.parametrize(
    ("client_type", "events", "named"),
    [
        (
            "contract_dodger",
            [told("contract.sent", 61), told("time.logged", 5, hours=33)],
            ["December 31, 2025", "33 hours", "March 9, 2026"],
        ),
        (
            "scope_stretcher",
            [
                told("agreement.made", 60, hours=20),
                told("time.logged", 50, hours=27),
                told("change.requested", 9, change="CR-7", hours=5),
            ],
            ["20 hours", "7 hours", "CR-7: 5 hours"],
        ),
        (
            "firefighter",
            [told("call.received", 1.6), told("call.received", 100.6)],
            ["1 contact reached", "from 09:00"],
        ),
        ("bargain_hunter", [told("rate.proposed", 30, rate=90.5, currency="EUR")], ["€90.50", "January 31, 2026"]),
        (
            "slow_payer",
            [*invoice(17, 100, 60), *invoice(18, 40)],
            ["1 of 1 invoice", "by 10 days", "INV-18: $1,000.00, due on February 20, 2026"],
        ),
        (
            "non_payer",
            [*invoice(17, 100), *invoice(18, 140, amount=250.5)],
            ["INV-17: $1,000.00", "INV-18: $250.50", "Together: $1,250.50", "March 9, 2026"],
        ),
        ("reliable_partner", [*invoice(17, 100, 90), *invoice(18, 140, 120)], ["2 invoices"]),
        ("unknown", [], ["March 9, 2026"]),
    ],
)
def test_letters_are_filled_in(client_type: str, events: list[Event], named: list[str]):
    text = letter(client_type, *events)
    assert [one for one in named if one not in text] == []


@pytest.mark.parametrize(
    ("events", "named", "not_so"),
    [
        ([told("contract.sent", 61)], ["We sent you the contract on December 31, 2025", "Please sign it"], ["draft"]),
        ([told("contract.explained", 61)], ["we told you why", "You get our draft"], ["sent", "sign it by"]),
        (
            [told("contract.sent", 61), told("contract.declined", 30)],
            ["on January 31, 2026 you told us that you would not sign it", "Please sign it by"],
            ["draft"],
        ),
        (
            [told("contract.signed", 400), told("contract.expired", 30), told("time.logged", 9, hours=2.5)],
            ["Our contract ended on January 31, 2026", "2.5 hours", "You get our draft"],
            ["sent", "sign it by"],
        ),
        (
            [told("contract.sent", 90), told("contract.expired", 30)],
            ["Our offer of a contract ended on January 31, 2026", "You get our draft"],
            ["sign it by"],
        ),
        ([], ["You get our draft"], ["sent", "sign it by"]),
    ],
)
def test_what_is_said_of_a_contract_is_so(events: list[Event], named: list[str], not_so: list[str]):
    text = letter("contract_dodger", *events)
    assert [one for one in named if one not in text] == []
    assert [one for one in not_so if one in text] == []


def test_without_a_proposal_there_is_no_new_rate():
    assert "new rate" not in letter("bargain_hunter", told("rate.refused", 30))
    agreed = [
        told("rate.proposed", 30, rate=90, currency="EUR"),
        told("rate.accepted", 20, rate=90, currency="EUR"),
    ]
    assert "new rate" not in letter("bargain_hunter", *agreed)
    proposed = letter("bargain_hunter", agreed[0])
    assert "new rate" in proposed
    assert "other clients" not in proposed


def test_reminders_are_spoken_of_only_where_there_were_some():
    reminded = [*invoice(1, 100), told("reminder.sent", 50, invoice="INV-1")]
    assert "In spite of our reminders" in letter("non_payer", *reminded)
    assert "reminder" not in letter("non_payer", *reminded, *invoice(2, 100))
    assert "reminder" not in letter("non_payer")


def test_what_is_not_paid_was_not_paid_late():
    text = letter("slow_payer", *invoice(1, 200))
    assert "Paid after terms" not in text
    assert "INV-1" in text


@pytest.mark.parametrize("client_type", APPROACHES)
def test_after_the_end_letters_only_say_goodbye(client_type: str):
    history = [told("contract.sent", 90), told("rate.proposed", 80, rate=90, currency="EUR"), *invoice(1, 100)]
    ended = letter(client_type, *history, told("relationship.ended", 10))
    assert "ended on February 20, 2026" in ended
    assert "INV-1" in ended
    assert [one for one in ("sign", "new rate", "decided") if one in ended] == []
    again = letter(client_type, *history, told("relationship.ended", 10), told("agreement.made", 5, hours=3))
    assert again == letter(client_type, *history, told("agreement.made", 5, hours=3))


def test_a_parting_says_that_it_has_ended():
    parting = parting_from(case([told("time.logged", 20, hours=2), told("relationship.ended", 10, by="client")]))
    text = speaker("en").paragraphs(parting.letter.paragraphs)
    assert "ended on February 20, 2026" in text
    assert "2 hours" in text
    assert "decided" not in text
    assert "Stop taking new work" not in " ".join(map(SAY, parting.hand_over))


def test_a_letter_goes_on_as_its_greeting_asks_for():
    for client_type in APPROACHES:
        (draft,) = strategy_for(client_type, case([])).drafts
        for language in LANGUAGES:
            assert speaker(language).say(draft.paragraphs[1])[0].isupper()


def test_debts_of_two_currencies_are_not_added_up():
    euros = dataclasses.replace(invoice(2, 100)[0], id="e")
    euros = dataclasses.replace(euros, data=dataclasses.replace(euros.data, currency="EUR"))
    assert "Together: €1,000.00\nTogether: $1,000.00" in letter("non_payer", *invoice(1, 100), euros)


def test_a_deadline_is_a_working_day():
    holiday = WorkingCalendar(days_off=frozenset({date(2026, 3, 9), date(2026, 3, 10)}))
    assert case([], holiday).deadline == date(2026, 3, 11)
    assert case([]).deadline == MONDAY.date() + timedelta(days=7)
    never = WorkingCalendar(days_off=frozenset(MONDAY.date() + timedelta(days=n) for n in range(100)))
    assert case([], never).deadline > MONDAY.date()


def test_a_parting_lists_what_is_open():
    events = [
        told("contract.sent", 300),
        told("contract.signed", 299),
        told("time.logged", 200, hours=10),
        *invoice(1, 190, 180),
        *invoice(2, 100),
        told("change.requested", 50, change="CR-1"),
        told("change.approved", 49, change="CR-1"),
        told("time.logged", 20, hours=12),
        told("time.logged", 10, hours=5, billable=False),
    ]
    found = parting_from(case(events))
    assert [SAY(one) for one in found.obligations] == [
        "The client owes $1,000.00 for invoice INV-2, due on December 22, 2025.",
        "You owe the change CR-1, which the client approved.",
        "The contract main is signed: keep to its notice.",
    ]
    assert found.final_invoice is not None
    assert found.final_invoice.hours == 12
    assert found.final_invoice.amount is not None
    text = speaker("en").paragraphs(found.letter.paragraphs)
    assert "12 hours" in text
    assert "INV-2" in text


def test_a_parting_from_somebody_who_owes_nothing():
    found = parting_from(case([]))
    assert (found.obligations, found.final_invoice) == ((), None)
    unbilled = parting_from(case([told("time.logged", 3, hours=2)])).final_invoice
    assert unbilled is not None
    assert (unbilled.hours, unbilled.amount) == (2, None)


def test_a_last_invoice_has_no_amount_where_the_rate_is_not_known():
    billed = [told("time.logged", 90, hours=10), *invoice(1, 80, 60), *invoice(2, 80, 60, currency="EUR")]
    found = parting_from(case([*billed, told("time.logged", 3, hours=2)])).final_invoice
    assert found is not None
    assert (found.hours, found.amount) == (2, None)


@given(histories(40))
def test_one_is_told_how_to_part_where_that_is_the_verdict(history: list[Event]):
    found = explain("acme", history, DEFAULT_POLICY, alone(), NOW)
    assert (found.parting is not None) == (found.assessment.verdict is Verdict.PART)


@given(policies(), histories(30))
def test_a_strategy_fits_the_type_and_never_speaks_against_the_verdict(policy: Policy, history: list[Event]):
    found = explain("acme", history, policy, alone(policy), NOW)
    now, chosen = found.assessment, found.strategy.client_type
    assert chosen in APPROACHES
    if now.verdict is Verdict.KEEP:
        assert chosen == now.client_type.name
    else:
        assert chosen != "reliable_partner"
        worrying = {part.sign.client_type for part in now.signs if part.decibans > 0}
        assert now.deal_breakers or chosen in (worrying or {"unknown"})


@pytest.mark.parametrize("name", DEAL_BREAKERS)
def test_the_strategy_is_about_the_deal_breaker_that_holds(name: DealBreaker):
    good = [event for n in range(12) for event in invoice(f"good-{n}", 700 - 40 * n, 690 - 40 * n, amount=9000)]
    policy = dataclasses.replace(DEFAULT_POLICY, deal_breakers=frozenset([name]))
    found = explain("acme", [*good, *BREAKERS[name][0]], policy, alone(policy), MONDAY)
    assert found.assessment.verdict is Verdict.PART
    assert found.strategy.client_type == ("contract_dodger" if name == "contract_refused" else "non_payer")


def test_whoever_is_watched_for_a_reason_is_not_thanked():
    found = explain("acme", [told("contract.sent", 30), told("contract.declined", 20)], DEFAULT_POLICY, alone(), MONDAY)
    assert (found.assessment.verdict, found.assessment.client_type.name) == (Verdict.WATCH, "reliable_partner")
    assert found.strategy.client_type == "contract_dodger"
