"""Sign 5: pays late, and it has become a habit."""

from typing import NamedTuple

from app.core.decibans import day_fading, saturating_share
from app.core.facts import Facts, Invoice, measured_once
from app.core.message import N_, Message
from app.core.money import convert
from app.core.payment_scale import payment_index
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.punctuality import Delays, delays_of
from app.core.signs.habits import Habit, Occasion, events_behind, habit_of
from app.core.signs.sign import Figure, Reason, Sign, Weight, bounded

__all__ = ["LATE", "occasions_of"]


class _Payments(NamedTuple):
    """Every invoice that was paid or is overdue, with its days beyond terms and as an occasion."""

    judged: list[tuple[Invoice, int]]
    occasions: list[Occasion]
    habit: Habit


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """Every invoice that was paid or is overdue is an occasion; how late it is decides how much it counts."""
    judged, _, habit = _payments(facts, policy, portfolio)
    if not judged:
        return Weight()
    decibans, spread = bounded(habit.decibans, habit.spread, policy.late.caps, habit.after_telling)
    return Weight(decibans, spread, habit.bad + habit.good)


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    judged, occasions, habit = _payments(facts, policy, portfolio)
    delays = delays_of(facts.invoices, facts.today, policy.half_life_days)
    probability = portfolio.punctuality.late_probability(delays, policy.late.grace_days)
    expected = portfolio.punctuality.late_probability(Delays(), policy.late.grace_days)
    figures = {"next_invoice_late_probability": Figure(round(probability, 9), "probability")}
    held_against = {
        "next_invoice_late_probability": Figure(round(expected, 9), "probability"),
        "late_share": Figure(round(portfolio.habits.late.priors.ordinary.mean, 4), "ratio"),
        "fitted_to_clients": Figure(portfolio.habits.late.clients, "count"),
    }
    if not judged:
        return Reason("nothing_due", figures, held_against)
    late = [invoice for invoice, days in judged if days > policy.late.grace_days]
    unpaid = sum(invoice.settled is None for invoice in late)
    beyond, longest = _days_beyond_terms(judged, policy), max(days for _, days in judged)
    figures |= {
        "days_beyond_terms": Figure(round(beyond, 2), "days"),
        "payment_index": Figure(round(payment_index(beyond), 1), "index"),
        "late_invoices": Figure(len(late), "count"),
        "unpaid_late_invoices": Figure(unpaid, "count"),
        "invoices": Figure(len(judged), "count"),
        "overdue_invoices": Figure(sum(invoice.is_overdue(facts.today) for invoice, _ in judged), "count"),
        "longest_delay": Figure(longest, "days"),
    }
    words = {"late": _late(len(late), unpaid, len(judged)), "delay": _delay(round(beyond), longest)}
    return Reason(_code(len(late), longest, habit), figures, held_against, events_behind(occasions, habit), words)


@measured_once
def _payments(facts: Facts, policy: Policy, portfolio: Portfolio) -> _Payments:
    judged = _judged(facts)
    occasions = [_occasion(facts, invoice, days, policy) for invoice, days in judged]
    return _Payments(judged, occasions, habit_of(occasions, portfolio.habits.late.priors))


def occasions_of(facts: Facts, policy: Policy) -> list[Occasion]:
    """Every invoice that was paid or is overdue, and not excused."""
    return [_occasion(facts, invoice, days, policy) for invoice, days in _judged(facts)]


def _judged(facts: Facts) -> list[tuple[Invoice, int]]:
    today = facts.today
    return [(one, one.days_beyond_terms(today)) for one in facts.invoices if one.is_judged(today)]


def _occasion(facts: Facts, invoice: Invoice, days: int, policy: Policy) -> Occasion:
    """An invoice fades from the day it was settled; while it is not paid it does not fade.

    It was late after telling when its due day passed after the client was told, or a reminder of it was ignored. The
    payment itself decides neither, so that paying never makes it worse.
    """
    settings, settled = policy.late, invoice.settled
    if settled is None or invoice.settled_day is None:
        fresh, ref = 1.0, invoice.issued.ref
    else:
        fresh, ref = day_fading(facts.days_since(invoice.settled_day), policy.half_life_days), settled.ref
    late = days - settings.grace_days
    if late <= 0:
        return Occasion(0.0, fresh, ref)
    told = invoice.ignored_reminder(facts.as_of, policy.reminder_days) or _told_in_time(facts, invoice, policy)
    weight = policy.told_weight if told else 1.0
    bad = settings.least + (1.0 - settings.least) * saturating_share(late, settings.full_days)
    return Occasion(bad * weight * fresh, 0.0, ref, told)


def _told_in_time(facts: Facts, invoice: Invoice, policy: Policy) -> bool:
    """Whether the client knew before the invoice fell due that payments have to come in time."""
    told = facts.talks.expectations.get("late")
    return told is not None and told.at < policy.calendar.end_of(invoice.due)


def _days_beyond_terms(judged: list[tuple[Invoice, int]], policy: Policy) -> float:
    """Days from the due day to payment, weighted by amount, or evenly where amounts cannot be compared."""
    weights = _amounts([invoice for invoice, _ in judged], policy)
    weighted = sum(weight * days for weight, (_, days) in zip(weights, judged, strict=True))
    return weighted / sum(weights)


def _amounts(invoices: list[Invoice], policy: Policy) -> list[float]:
    if len({invoice.amount.currency for invoice in invoices}) == 1:
        return [float(invoice.amount.amount) for invoice in invoices]
    converted = [convert(invoice.amount, policy.currency, policy.exchange_rates) for invoice in invoices]
    return [1.0] * len(invoices) if None in converted else [float(money or 0) for money in converted]


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
