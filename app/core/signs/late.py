"""Sign 5: pays late, and it has become a habit."""

from app.core.decibans import day_fading, saturating_share
from app.core.facts import Facts, Invoice
from app.core.message import N_
from app.core.money import convert
from app.core.payment_scale import payment_index
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.punctuality import delays_of
from app.core.signs.habits import Habit, Occasion, events_behind, habit_of
from app.core.signs.sign import Figure, Sign, Weighed, bounded

__all__ = ["LATE", "occasions_of"]


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weighed:
    """Every invoice that was paid or is overdue is an occasion; how late it is decides how much it counts."""
    judged = [invoice for invoice in facts.invoices if invoice.is_judged(facts.today)]
    delays = delays_of(facts.invoices, facts.today, policy.half_life_days)
    probability = portfolio.punctuality.late_probability(delays, policy.late.grace_days)
    expected = portfolio.punctuality.late_probability(delays_of((), facts.today, 1.0), policy.late.grace_days)
    figures = {"next_invoice_late_probability": Figure(round(probability, 9), "probability")}
    held_against = {
        "next_invoice_late_probability": Figure(round(expected, 9), "probability"),
        "late_share": Figure(round(portfolio.habits.late.priors.ordinary.mean, 4), "ratio"),
        "fitted_to_clients": Figure(portfolio.habits.late.clients, "count"),
    }
    if not judged:
        return Weighed(0.0, "nothing_due", figures=figures, held_against=held_against)
    occasions = occasions_of(facts, policy)
    habit = habit_of(occasions, portfolio.habits.late.priors)
    late = [invoice for invoice in judged if _days_late(facts, invoice, policy) > 0]
    overdue = sum(invoice.is_overdue(facts.today) for invoice in judged)
    beyond = _days_beyond_terms(facts, judged, policy)
    figures |= {
        "days_beyond_terms": Figure(round(beyond, 2), "days"),
        "payment_index": Figure(round(payment_index(beyond), 1), "index"),
        "late_invoices": Figure(len(late), "count"),
        "invoices": Figure(len(judged), "count"),
        "overdue_invoices": Figure(overdue, "count"),
        "longest_delay": Figure(max(invoice.days_beyond_terms(facts.today) for invoice in judged), "days"),
    }
    decibans, spread = bounded(habit.decibans, habit.spread, policy.late.caps, habit.after_telling)
    return Weighed(
        decibans=decibans,
        spread=spread,
        reason=_reason(len(late), habit),
        occasions=habit.bad + habit.good,
        figures=figures,
        held_against=held_against,
        events=events_behind(occasions, decibans),
    )


def occasions_of(facts: Facts, policy: Policy) -> list[Occasion]:
    """Every invoice that was paid or is overdue, and not excused."""
    return [_occasion(facts, invoice, policy) for invoice in facts.invoices if invoice.is_judged(facts.today)]


def _days_late(facts: Facts, invoice: Invoice, policy: Policy) -> int:
    return max(invoice.days_beyond_terms(facts.today) - policy.late.grace_days, 0)


def _occasion(facts: Facts, invoice: Invoice, policy: Policy) -> Occasion:
    """An invoice fades from the day it was settled; while it is not paid it does not fade.

    It was late after telling when its due day passed after the client was told, or a reminder of it was ignored. The
    payment itself decides neither, so that paying never makes it worse.
    """
    mark = invoice.settled or invoice.issued
    fresh = day_fading(facts.days_since(invoice.settled_day or facts.today), policy.half_life_days)
    days = _days_late(facts, invoice, policy)
    if days == 0:
        return Occasion(0.0, fresh, mark.ref)
    told = invoice.ignored_reminder(facts.as_of, policy.reminder_days) or _told_in_time(facts, invoice, policy)
    weight = policy.told_weight if told else 1.0
    settings = policy.late
    bad = settings.least + (1.0 - settings.least) * saturating_share(days, settings.full_days)
    return Occasion(bad * weight * fresh, 0.0, mark.ref, told)


def _told_in_time(facts: Facts, invoice: Invoice, policy: Policy) -> bool:
    """Whether the client knew before the invoice fell due that payments have to come in time."""
    told = facts.talks.expectations.get("late")
    return told is not None and told.at < policy.calendar.end_of(invoice.due)


def _days_beyond_terms(facts: Facts, invoices: list[Invoice], policy: Policy) -> float:
    """Days from the due day to payment, weighted by amount; without a rate, invoices of other currencies stay out."""
    currencies = {invoice.amount.currency for invoice in invoices}
    total = weighted = 0.0
    for invoice in invoices:
        money = (
            invoice.amount.amount
            if len(currencies) == 1
            else convert(invoice.amount, policy.currency, policy.exchange_rates)
        )
        if money is not None:
            total += float(money)
            weighted += float(money) * invoice.days_beyond_terms(facts.today)
    return weighted / total if total else 0.0


def _reason(late: int, habit: Habit) -> str:
    if not late:
        return "in_time"
    return "habit" if habit.decibans > 0 and habit.bad > 1.5 else "exception"


LATE = Sign(
    name="late",
    title=N_("Pays late"),
    client_type="slow_payer",
    weigh=_weigh,
    sentences={
        "nothing_due": N_("No invoice has been paid or has come due, so there is nothing to weigh."),
        "in_time": N_("Everything was paid in time: {invoices:invoice}."),
        "exception": N_("Paid late: {late_invoices:count} of {invoices:invoice}, which is not yet a habit."),
        "habit": N_(
            "Paid late: {late_invoices:count} of {invoices:invoice}, by amount {days_beyond_terms:day} after "
            "terms; the longest delay is {longest_delay:day}."
        ),
    },
)
