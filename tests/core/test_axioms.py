"""The axioms of the scoring model, as properties of histories drawn from the whole catalogue."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.assessment import assess
from app.core.decibans import score_of
from app.core.events import CATALOGUE, Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import Portfolio, portfolio_of
from app.core.reasons import reasoned_at
from app.core.shares import share_of
from app.core.signs import SIGNS
from app.core.verdict import Verdict
from app.core.working_calendar import WorkingCalendar
from tests.core.strategies import BEGIN, NOW, events, histories, instants, named
from tests.core.telling import alone, assessed, evidence, invoice, sign_of, told

POLICY = DEFAULT_POLICY
NAMES = [sign.name for sign in SIGNS]


def others(n: int = 4) -> Portfolio:
    """A portfolio of other clients, each with work and invoices."""
    shares = {}
    for client in range(n):
        history = [
            event
            for number in range(6)
            for event in (
                told("time.logged", 300 - 30 * number, hours=10),
                *invoice(f"{client}-{number}", 295 - 30 * number, 270 - 30 * number + 2 * client),
            )
        ]
        shares[f"other-{client}"] = share_of(gather(history, POLICY, NOW), POLICY)
    return portfolio_of(shares, POLICY)


PORTFOLIOS = (alone(), others())


# ------------------------------------------------------------------------------------------------ 1, 2, 8, 4


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_1_silence_is_neutral(portfolio: Portfolio):
    found = assessed([], portfolio=portfolio)
    assert [part.decibans for part in found.signs] == [0.0] * len(SIGNS)
    assert found.score == score_of(POLICY.prior_decibans)
    assert found.verdict is Verdict.KEEP
    assert found.evidence_level == "none"


@given(histories(), st.sampled_from(PORTFOLIOS))
def test_2_the_sum_is_exact(history: list[Event], portfolio: Portfolio):
    found = assessed(history, portfolio=portfolio, as_of=NOW)
    decibans = sum(part.decibans for part in found.signs)
    points = sum(part.points for part in found.signs)
    assert abs(found.prior_decibans + decibans - found.total_decibans) < 1e-9
    assert abs(points - (found.score - score_of(found.prior_decibans))) < 1e-9
    assert found.interval.low <= found.score <= found.interval.high


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_4_order_batches_and_repetition_do_not_matter(history: list[Event], random, data: st.DataObject):
    shuffled = list(history)
    random.shuffle(shuffled)
    again = data.draw(st.lists(st.sampled_from(history), max_size=5)) if history else []
    assert assessed(shuffled + again, as_of=NOW) == assessed(history, as_of=NOW)


@given(histories(), instants())
def test_4_what_comes_later_changes_nothing_before(history: list[Event], as_of: datetime):
    by_then = [event for event in history if event.time <= as_of]
    assert assessed(history, as_of=as_of) == assessed(by_then, as_of=as_of)


# --------------------------------------------------------------------------------------------------------- 3

_BAD = {
    "contract": ("contract.declined",),
    "scope": ("change.requested", "time.logged"),
    "time": ("call.received", "message.received", "meeting.missed", "deadline.requested"),
    "rate": ("rate.refused",),
    "late": ("invoice.issued", "reminder.sent", "payment.charged_back"),
    "nonpayment": ("invoice.issued", "invoice.written_off", "payment.charged_back"),
}
_GOOD = {
    "contract": ("contract.signed",),
    "scope": ("change.approved",),
    "time": ("message.received",),
    "rate": ("rate.accepted",),
    "late": ("invoice.paid",),
    "nonpayment": ("invoice.paid",),
}
OFFICE = POLICY.calendar


def _is_bad(sign: str, event: Event, history: list[Event]) -> bool:
    """Whether the event is bad for the sign whatever else happened; what is only sometimes so is left out."""
    data = event.data
    if sign == "time":
        disregard = {
            "deadline.requested": lambda: data.due_at < event.time + timedelta(hours=1),
            "meeting.missed": lambda: data.by == "client",
        }
        return disregard.get(event.type, lambda: data.urgent or not OFFICE.is_open(event.time))()
    match event.type:
        case "change.requested":
            return all(getattr(other.data, "change", None) != data.change for other in history)
        case "time.logged":
            # For work on a change, hours that were logged take the place of those that its delivery told.
            return data.change is None
        case "invoice.issued":
            # A second issue of the same invoice, or one that is not due yet, is no bad news.
            fresh = all(getattr(other.data, "invoice", None) != data.invoice for other in history)
            return fresh and data.due_date < NOW.date()
    return True


def _is_good(sign: str, event: Event) -> bool:
    if sign == "time":
        return not event.data.urgent and OFFICE.is_open(event.time)
    return True


def _kinds(table: Mapping[str, tuple[str, ...]]) -> st.SearchStrategy[tuple[str, Event]]:
    pairs = [(sign, kind) for sign, kinds in table.items() for kind in kinds]
    return st.sampled_from(pairs).flatmap(lambda pair: st.tuples(st.just(pair[0]), events(st.just(pair[1]))))


@given(histories(), _kinds(_BAD), st.sampled_from(PORTFOLIOS))
def test_3_one_more_bad_event_never_reassures(history: list[Event], bad: tuple[str, Event], portfolio: Portfolio):
    sign, event = bad
    assume(_is_bad(sign, event, history))
    before = sign_of(assessed(history, portfolio=portfolio, as_of=NOW), sign).decibans
    after = sign_of(assessed([*history, *named([event], "x")], portfolio=portfolio, as_of=NOW), sign).decibans
    assert after >= before - 1e-9


@given(histories(), _kinds(_GOOD), st.sampled_from(PORTFOLIOS))
def test_3_one_more_good_event_never_worries(history: list[Event], good: tuple[str, Event], portfolio: Portfolio):
    sign, event = good
    assume(_is_good(sign, event))
    before = sign_of(assessed(history, portfolio=portfolio, as_of=NOW), sign).decibans
    after = sign_of(assessed([*history, *named([event], "x")], portfolio=portfolio, as_of=NOW), sign).decibans
    assert after <= before + 1e-9


# --------------------------------------------------------------------------------------------------------- 5

_PAST = (
    "call.received",
    "message.received",
    "meeting.missed",
    "deadline.requested",
    "rate.refused",
    "change.requested",
)


@given(histories(kinds=st.sampled_from([*_PAST, "rate.accepted", "contract.declined", "change.rejected"])))
def test_5_the_past_is_forgotten(history: list[Event]):
    found = assessed(history, as_of=NOW + timedelta(days=30 * POLICY.half_life_days))
    assert all(abs(part.decibans) < 1e-3 for part in found.signs)


@given(histories(kinds=st.sampled_from(_PAST)), st.integers(1, 1000))
def test_5_bad_behaviour_alone_fades_from_day_to_day(history: list[Event], days: int):
    history = [event for event in history if not OFFICE.is_open(event.time) or event.type != "message.received"]
    sooner = assessed(history, as_of=NOW)
    later = assessed(history, as_of=NOW + timedelta(days=days))
    for name in ("time", "rate"):
        assert sign_of(later, name).decibans <= max(sign_of(sooner, name).decibans, 0.0) + 1e-9


@given(st.integers(31, 400), st.integers(1, 1000), st.booleans())
def test_5_a_debt_does_not_fade(issued: int, days: int, written_off: bool):
    history = [*invoice(0, 500, 480), *invoice(1, issued)]
    if written_off:
        history.append(told("invoice.written_off", 1, invoice="INV-1"))
    at = invoice(1, 0)[0].time
    sooner = sign_of(assessed(history, as_of=at), "nonpayment").decibans
    assert sign_of(assessed(history, as_of=at + timedelta(days=days)), "nonpayment").decibans >= sooner - 1e-9


def test_5_an_unsigned_contract_does_not_fade_while_work_goes_on():
    def history(weeks: int) -> list[Event]:
        refused = [told("contract.sent", 7 * weeks), told("contract.declined", 7 * weeks - 7)]
        return refused + [told("time.logged", 7 * week, hours=1) for week in range(weeks)]

    assert evidence(history(100), "contract") >= evidence(history(20), "contract")


# ------------------------------------------------------------------------------------------------------ 6, 10


@given(st.integers(1, 90), st.integers(0, 11))
def test_6_one_late_invoice_among_twelve_is_an_exception(days: int, which: int):
    def history(late: set[int]) -> list[Event]:
        found = []
        for number in range(12):
            issued = 480 - 30 * number
            found += invoice(number, issued, issued - 30 - days if number in late else issued - 25)
        return found

    assert assessed(history({which})).verdict is assessed(history(set())).verdict
    assert assessed(history(set(range(12)))).verdict is not Verdict.KEEP


@given(instants(), st.integers(11, 40))
def test_6_one_call_at_night_is_an_exception(night: datetime, calm: int):
    calls = [told("message.received", 7 * week + 0.1) for week in range(calm)]
    late = told(
        "call.received", (calls[0].time.replace(hour=22) - night.replace(hour=22)).days % 200 + 0.6, urgent=True
    )
    assert assessed([*calls, late]).verdict is assessed(calls).verdict


@given(events())
def test_10_one_event_is_thin_evidence(event: Event):
    found = assessed(named([event]), as_of=NOW + timedelta(days=700))
    assert found.verdict is not Verdict.PART


@given(histories())
def test_10_part_is_said_only_when_its_interval_says_so(history: list[Event]):
    found = assessed(history, as_of=NOW)
    if found.verdict is Verdict.PART:
        assert found.interval.low >= POLICY.thresholds.part


# --------------------------------------------------------------------------------------------------------- 7


@given(histories())
def test_7_the_currency_does_not_matter(history: list[Event]):
    rates = MappingProxyType({"EUR": Decimal(2)})
    policy = dataclasses.replace(POLICY, exchange_rates=rates)

    def in_pesos(event: Event) -> Event:
        """The same money at a quarter of a dollar for a peso."""
        changes = {}
        for name in ("amount", "price", "rate"):
            if (value := getattr(event.data, name, None)) is not None:
                changes[name] = value * 4 * (2 if getattr(event.data, "currency", "USD") == "EUR" else 1)
        if getattr(event.data, "currency", None) and event.type != "client.created":
            changes["currency"] = "MXN"
        return dataclasses.replace(event, data=dataclasses.replace(event.data, **changes))

    one_currency = [event for event in history if not (event.type in _PARTLY and event.data.amount is not None)]
    pesos = dataclasses.replace(policy, currency="USD", exchange_rates={"MXN": Decimal("0.25")})
    before = assessed(one_currency, policy=policy, as_of=NOW)
    after = assessed([in_pesos(event) for event in one_currency], policy=pesos, as_of=NOW)
    assert [part.decibans for part in after.signs] == pytest.approx([part.decibans for part in before.signs], abs=1e-9)
    assert after.verdict is before.verdict


# Amounts without a currency of their own are in that of their invoice, which `in_pesos` cannot see.
_PARTLY = ("invoice.paid", "payment.charged_back")


@given(histories(), st.integers(-11, 13))
def test_7_the_time_zone_does_not_matter(history: list[Event], hours: int):
    shift = timedelta(hours=hours)
    zone = f"Etc/GMT{-hours:+d}" if hours else "UTC"
    assert datetime(2024, 1, 1, tzinfo=timezone(shift)).utcoffset() == shift
    moved = dataclasses.replace(POLICY, calendar=WorkingCalendar(zone=zone))

    def move(event: Event) -> Event:
        changes = {
            name: value - shift
            for name in ("due_at", "scheduled_at", "moved_to")
            if (value := getattr(event.data, name, None)) is not None
        }
        data = dataclasses.replace(event.data, **changes)
        return dataclasses.replace(event, time=event.time - shift, recorded_at=event.recorded_at - shift, data=data)

    before = assessed(history, as_of=NOW)
    after = assessed([move(event) for event in history], policy=moved, as_of=NOW - shift)
    assert [part.decibans for part in after.signs] == [part.decibans for part in before.signs]
    assert (after.score, after.interval, after.verdict) == (before.score, before.interval, before.verdict)


# --------------------------------------------------------------------------------------------------------- 8

_PROGRAM = """
from tests.core.telling import NOW, alone, invoice, told
from app.core.explanation import explain
from app.core.policy import DEFAULT_POLICY
from app.language import speaker
from app.rest.explanation import ExplanationAnswer
from app.use_cases.viewpoint import Viewpoint
history = [e for n in range(9) for e in invoice(n, 400 - 30 * n, 360 - 30 * n)] + [
    told("contract.sent", 90), told("contract.declined", 80), told("time.logged", 50, hours=33.25),
    told("call.received", 3.5), told("rate.refused", 8), told("agreement.made", 60, hours=10)]
found = explain("acme", history, DEFAULT_POLICY, alone(), NOW)
for language in ("en", "ru"):
    print(ExplanationAnswer.explained("acme", Viewpoint(NOW), found, speaker(language)).model_dump_json())
"""


def test_8_the_same_in_every_process():
    def run(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", _PROGRAM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert len({run(seed) for seed in ("0", "1", "4711")}) == 1


# --------------------------------------------------------------------------------------------------------- 9


def worst(sign: str, *, mended: bool) -> list[Event]:
    """One sign at its worst and nothing else; `mended`: the client was told in the middle of it."""
    found: list[Event] = []
    if sign == "contract":
        found = [told("contract.sent", 90), told("contract.explained", 85)]
        found += [told("contract.declined", 80 - 10 * n) for n in range(6)]
        found += [told("time.logged", 80 - 7 * n, hours=20) for n in range(11)]
    elif sign == "scope":
        found = [told("agreement.made", 180, hours=40, period="month")]
        found += [told("time.logged", 179 - n, hours=6) for n in range(0, 178, 2)]
        for n in range(12):
            found += [
                told("change.requested", 170 - 14 * n, change=f"C{n}"),
                told("change.delivered", 168 - 14 * n, change=f"C{n}", hours=8),
            ]
    elif sign == "time":
        found = [told("call.received", 2 * n + 0.6, urgent=True) for n in range(60)]
    elif sign == "rate":
        found = [told("time.logged", 180 - 6 * n, hours=30) for n in range(30)]
        found += [e for n in range(6) for e in invoice(n, 175 - 30 * n, 160 - 30 * n, amount=1000)]
        found += [told("rate.refused", 150 - 30 * n) for n in range(5 if mended else 1)]
    elif sign == "late":
        found = [e for n in range(20) for e in invoice(n, 480 - 20 * n, 390 - 20 * n)]
    else:
        found = [e for n in range(6) for e in invoice(n, 700 - 30 * n)]
    if mended:
        found.append(told("expectation.stated", 300 if sign == "late" else 100, sign=sign))
    return found


@pytest.mark.parametrize("sign", NAMES)
def test_9_each_sign_can_be_enough_to_renegotiate(sign: str):
    found = assessed(worst(sign, mended=False), portfolio=others())
    assert found.verdict in (Verdict.RENEGOTIATE, Verdict.PART)
    assert max(found.signs, key=lambda part: part.decibans).sign.name == sign
    if sign in ("contract", "nonpayment"):
        assert found.verdict is Verdict.PART


@pytest.mark.parametrize("sign", NAMES)
def test_9_what_goes_on_after_telling_is_enough_to_part(sign: str):
    found = assessed(worst(sign, mended=True), portfolio=others())
    assert found.verdict is Verdict.PART
    assert max(found.signs, key=lambda part: part.decibans).sign.name == sign


@pytest.mark.parametrize("sign", NAMES)
def test_9_what_happens_after_telling_weighs_more(sign: str):
    untold, after = worst(sign, mended=False), worst(sign, mended=True)
    assert evidence(after, sign, portfolio=others()) >= evidence(untold, sign, portfolio=others())


# ------------------------------------------------------------------------------------------ all of the catalogue


@given(histories(), st.sampled_from(PORTFOLIOS))
def test_every_contribution_names_its_events(history: list[Event], portfolio: Portfolio):
    found = reasoned_at(history, POLICY, portfolio, NOW)
    for part, reason in zip(found.assessment.signs, found.reasons, strict=True):
        assert reason.events or part.decibans == 0
        assert {ref.id for ref in reason.events} <= {event.id for event in history}


@given(histories(60), instants())
def test_every_history_can_be_assessed(history: list[Event], as_of: datetime):
    facts = gather(history, POLICY, as_of)
    portfolio = portfolio_of({"acme": share_of(facts, POLICY)}, POLICY)
    found = assess(facts, POLICY, portfolio.beside("acme"))
    assert 0 <= found.score <= 100
    for part in found.signs:
        assert -30 <= part.decibans <= 30
        assert part.sign.reason(facts, POLICY, portfolio.beside("acme")).code in part.sign.sentences


def test_the_strategies_know_every_type():
    assert {kind for table in (_BAD, _GOOD) for kinds in table.values() for kind in kinds} <= set(CATALOGUE)
    assert date(2024, 1, 1) == BEGIN.astimezone(UTC).date()
