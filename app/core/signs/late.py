"""Sign 5: pays late, and it has become a habit."""

from typing import NamedTuple

from app.core.decibans import day_fading
from app.core.facts import Facts, Invoice, measured_once
from app.core.facts.settled import Weighted, late_occasion
from app.core.message import N_, Message
from app.core.money import Money, convert
from app.core.occasions import HabitSums, Occasion
from app.core.payment_scale import payment_index
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.punctuality import STILL_TO_COME_DAYS, Delays, within_limits
from app.core.signs.habits import Habit, events_behind, habit_of
from app.core.signs.sign import Figure, Reason, Sign, Weight, bounded

__all__ = ["LATE", "delays_of", "occasions_of"]


class _Payments(NamedTuple):
    """Every invoice that was paid or is overdue as an occasion, and those that are overdue with their days."""

    judged: int
    overdue: list[tuple[Invoice, int]]
    occasions: HabitSums
    habit: Habit


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """Every invoice that was paid or is overdue is an occasion; how late it is decides how much it counts."""
    found = _payments(facts, policy, portfolio)
    if not found.judged:
        return Weight()
    habit = found.habit
    decibans, spread = bounded(habit.decibans, habit.spread, policy.late.caps, habit.after_telling)
    return Weight(decibans, spread, habit.bad + habit.good)


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    found, settled = _payments(facts, policy, portfolio), facts.settled
    probability = portfolio.punctuality.late_probability(delays_of(facts, policy), policy.late.grace_days)
    expected = portfolio.punctuality.late_probability(Delays(), policy.late.grace_days)
    figures = {"next_invoice_late_probability": Figure(round(probability, 9), "probability")}
    held_against = {
        "next_invoice_late_probability": Figure(round(expected, 9), "probability"),
        "late_share": Figure(round(portfolio.habits.late.priors.ordinary.mean, 4), "ratio"),
        "fitted_to_clients": Figure(portfolio.habits.late.clients, "count"),
    }
    if not found.judged:
        return Reason("nothing_due", figures, held_against)
    unpaid = sum(days > policy.late.grace_days for _, days in found.overdue)
    late = settled.late + unpaid
    longest = max([days for _, days in found.overdue] + ([settled.longest] if settled.longest is not None else []))
    beyond = _days_beyond_terms(facts, found.overdue, policy)
    figures |= {
        "days_beyond_terms": Figure(round(beyond, 2), "days"),
        "payment_index": Figure(round(payment_index(beyond), 1), "index"),
        "late_invoices": Figure(late, "count"),
        "unpaid_late_invoices": Figure(unpaid, "count"),
        "invoices": Figure(found.judged, "count"),
        "overdue_invoices": Figure(sum(invoice.is_overdue(facts.today) for invoice, _ in found.overdue), "count"),
        "longest_delay": Figure(longest, "days"),
    }
    words = {"late": _late(late, unpaid, found.judged), "delay": _delay(round(beyond), longest)}
    events = events_behind(found.occasions, found.habit)
    return Reason(_code(late, longest, found.habit), figures, held_against, events, words)


@measured_once
def _payments(facts: Facts, policy: Policy, portfolio: Portfolio) -> _Payments:
    overdue = _overdue(facts)
    occasions = occasions_of(facts, policy)
    habit = habit_of(occasions, portfolio.habits.late.priors)
    return _Payments(facts.settled.judged + len(overdue), overdue, occasions, habit)


def occasions_of(facts: Facts, policy: Policy) -> HabitSums:
    """Every invoice that was paid or is overdue, and not excused; while it is not paid it does not fade."""
    return facts.settled.habit.plus(_occasion(facts, invoice, days, policy) for invoice, days in _overdue(facts))


def delays_of(facts: Facts, policy: Policy) -> Delays:
    """Days beyond terms of invoices that are paid or overdue, faded by the age of the invoice."""
    found = facts.settled.delays
    for invoice, days in _overdue(facts):
        weight = day_fading(facts.days_since(invoice.issued_day), policy.half_life_days)
        found = found.plus(within_limits(days + STILL_TO_COME_DAYS), weight)
    return found


def _overdue(facts: Facts) -> list[tuple[Invoice, int]]:
    today = facts.today
    return [(one, one.days_beyond_terms(today)) for one in facts.invoices if one.is_judged(today)]


def _occasion(facts: Facts, invoice: Invoice, days: int, policy: Policy) -> Occasion:
    told = facts.talks.expectations.get("late")
    ignored = invoice.ignored_reminder(facts.today, policy.reminder_days)
    return late_occasion(invoice, days, policy, told.at if told else None, ignored=ignored)


def _days_beyond_terms(facts: Facts, overdue: list[tuple[Invoice, int]], policy: Policy) -> float:
    """Days from the due day to payment, weighted by amount, or evenly where amounts cannot be compared."""
    sums = dict(facts.settled.by_currency)
    for invoice, days in overdue:
        currency = invoice.amount.currency
        sums[currency] = sums.get(currency, Weighted()).plus(invoice, days)
    if len(sums) == 1:
        (only,) = sums.values()
        return float(only.amount_days / only.amount)
    amounts = [_converted(one, currency, policy) for currency, one in sorted(sums.items())]
    if all(amount is not None for amount, _ in amounts):
        return sum(days for _, days in amounts) / sum(amount or 0.0 for amount, _ in amounts)
    days = facts.settled.days + sum(days for _, days in overdue)
    return days / sum(one.invoices for one in sums.values())


def _converted(one: Weighted, currency: str, policy: Policy) -> tuple[float | None, float]:
    """What was billed, and the same times days, in the tenant's currency."""
    amount = convert(Money(one.amount, currency), policy.currency, policy.exchange_rates)
    days = convert(Money(one.amount_days, currency), policy.currency, policy.exchange_rates)
    return (None if amount is None else float(amount)), float(days or 0)


def _late(late: int, unpaid: int, invoices: int) -> Message:
    """How many are late: an invoice that is not paid yet was not paid late."""
    values: dict[str, float] = {"late": late, "unpaid": unpaid, "invoices": invoices}
    if not unpaid:
        return Message(N_("Paid late: {late:count} of {invoices:invoice}"), values)
    return Message(N_("Late: {late:count} of {invoices:invoice}, {unpaid:count} of them unpaid so far"), values)


def _delay(mean: int, longest: int) -> Message:
    values: dict[str, float] = {"mean": mean, "longest": longest}
    if mean <= 0:
        return Message(N_("the longest delay is {longest:day}"), values)
    return Message(N_("on average {mean:day} after terms, the longest delay is {longest:day}"), values)


def _code(late: int, longest: int, habit: Habit) -> str:
    if not late:
        return "in_grace" if longest > 0 else "in_time"
    return "habit" if habit.decibans > 0 and habit.bad > 1.5 else "exception"


LATE = Sign(
    name="late",
    title=N_("Pays late"),
    client_type="slow_payer",
    weigh=_weigh,
    reason=_reason,
    sentences={
        "nothing_due": N_("No invoice has been paid or has come due, so there is nothing to weigh."),
        "in_time": N_("Everything was paid in time: {invoices:invoice}."),
        "in_grace": N_("Nothing is later than the days of grace allow: {invoices:invoice}."),
        "exception": N_("{late}, which is not yet a habit."),
        "habit": N_("{late}; {delay}."),
    },
)
