"""The cost of staying: what this client costs beside what it brings, per month and term by term."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import exp
from typing import Final

from app.core.earnings import earnings_of
from app.core.facts import Facts, Invoice
from app.core.message import N_, Message
from app.core.money import Money, convert, to_cents
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs.creep import creep_of
from app.core.signs.sign import Figure

__all__ = ["Cost", "CostTerm", "cost_of_staying"]

_DAYS_PER_MONTH: Final = 365.25 / 12
_FEWEST_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class CostTerm:
    """One part of the cost: money per month, or None where an hour's worth is not known."""

    name: str
    amount: Decimal | None
    figures: Mapping[str, Figure]
    message: Message


@dataclass(frozen=True, slots=True)
class Cost:
    """Money per month.

    Attributes:
        currency: ISO 4217 code of the tenant's currency, in which all amounts are.
        per_month: the sum of the terms' amounts.
        days: how many days the figures are of.
        terms: in the order of the signs that they go with.
        left_out: currencies of invoices that no exchange rate is stated for: they are in no amount.
    """

    currency: str
    per_month: Decimal
    days: int
    terms: tuple[CostTerm, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Window:
    """The days that are looked at, and what an hour is worth: by the others, and at all."""

    facts: Facts
    policy: Policy
    portfolio: Portfolio
    begins: date
    days: int
    reference: float | None
    hour: float | None
    unpaid: tuple[tuple[date, float], ...]

    def has(self, day: date) -> bool:
        return day > self.begins

    def monthly(self, total: float) -> float:
        return total * _DAYS_PER_MONTH / self.days

    def converted(self, invoice: Invoice, amount: Decimal) -> float:
        """Money in the tenant's currency; nothing without a rate, for which the currency is named beside the cost."""
        money = Money(amount, invoice.amount.currency)
        return float(convert(money, self.policy.currency, self.policy.exchange_rates) or 0)

    def term(self, name: str, amount: float | None, message: str, nothing: str, **figures: Figure) -> CostTerm:
        """One term, which says `nothing` where all of its figures are nil."""
        rounded = None if amount is None else to_cents(amount)
        values = {name: figure.value for name, figure in figures.items()}
        said = Message(message, values) if any(values.values()) else Message(nothing)
        return CostTerm(name, rounded, figures, said)


def cost_of_staying(facts: Facts, policy: Policy, portfolio: Portfolio) -> Cost:
    """Add up what the last half year cost.

    An hour is worth what it brings with the other clients (the median; the policy's floor or this client's own rate
    where they are too few), so that time spent here is valued by what it could have brought there.
    """
    window = _window(facts, policy, portfolio)
    terms = tuple(of(window) for of in _TERMS)
    longest = max(window.days, policy.cost.loss_days)
    currencies = {
        invoice.amount.currency
        for invoice in facts.invoices
        if invoice.is_open or facts.days_since(invoice.issued_day) < longest
    }
    known = {policy.currency, *policy.exchange_rates}
    return Cost(
        currency=policy.currency,
        per_month=sum((term.amount for term in terms if term.amount is not None), Decimal("0.00")),
        days=window.days,
        terms=terms,
        left_out=tuple(sorted(currencies - known)),
    )


def _window(facts: Facts, policy: Policy, portfolio: Portfolio) -> _Window:
    """As long as the policy says, or as long as anything is known of the client."""
    first = min(
        [
            *(effort.day for effort in facts.work.efforts),
            *(invoice.issued_day for invoice in facts.invoices),
            *(policy.calendar.day_of(mark.at) for mark in [facts.contacts.calm.first] if mark),
            *(policy.calendar.day_of(one.mark.at) for one in facts.contacts.disturbances[:1]),
        ],
        default=facts.today,
    )
    days = min(max(facts.days_since(first) + 1, _FEWEST_DAYS), policy.cost.window_days)
    unpaid = creep_of(facts, policy).unpaid
    reference = _reference(policy, portfolio)
    own = earnings_of(facts, policy).log_rate
    hour = reference if reference is not None else None if own is None else exp(own)
    return _Window(facts, policy, portfolio, facts.today - timedelta(days=days), days, reference, hour, unpaid)


def _reference(policy: Policy, portfolio: Portfolio) -> float | None:
    """What an hour brings with the other clients, or is to bring at least."""
    settings = policy.rate
    if portfolio.rates is not None and portfolio.rates.clients >= settings.fewest_clients:
        return portfolio.rates.median
    return None if settings.floor is None else float(settings.floor)


def _unpaid_hours(window: _Window) -> CostTerm:
    """Hours that nobody pays for, as if another client had paid for them."""
    unpaid = sum(hours for day, hours in window.unpaid if window.has(day))
    hours = window.monthly(unpaid)
    return window.term(
        "unpaid_hours",
        None if window.hour is None and hours else hours * (window.hour or 0.0),
        N_("Unpaid work beyond the agreement: {hours:hour} per month."),
        N_("No unpaid work beyond the agreement."),
        hours=Figure(round(hours, 2), "hours"),
    )


def _rate_gap(window: _Window) -> CostTerm:
    """What the paid hours would have brought more with the others; up to the last invoice, as newer may be billed."""
    facts = window.facts
    last = max((invoice.issued_day for invoice in facts.invoices), default=window.begins)
    hours = sum(effort.hours for effort in facts.work.efforts if window.begins < effort.day <= last)
    hours -= sum(spent for day, spent in window.unpaid if window.begins < day <= last)
    billed = [invoice for invoice in facts.invoices if window.has(invoice.issued_day)]
    brought = sum(window.converted(invoice, invoice.amount.amount) for invoice in billed)
    # Where a currency has no rate what the hours brought is not known, and neither is a gap.
    known = bool(brought) and all(_comparable(window, invoice) for invoice in billed)
    gap = max((window.reference or 0.0) * hours - brought, 0.0) if known else 0.0
    return window.term(
        "rate_gap",
        window.monthly(gap),
        N_("Paid hours that would bring more with your other clients: {hours:hour} per month."),
        N_("No paid hours that would bring more with your other clients."),
        hours=Figure(round(window.monthly(hours if gap else 0.0), 2), "hours"),
    )


def _comparable(window: _Window, invoice: Invoice) -> bool:
    return convert(invoice.amount, window.policy.currency, window.policy.exchange_rates) is not None


def _expected_loss(window: _Window) -> CostTerm:
    """Of what was billed in a year, what will probably never come; older debts are lost whether one stays or not."""
    facts, days = window.facts, window.policy.cost.loss_days
    loss = count = 0.0
    for invoice in facts.invoices:
        lost = invoice.written_off is not None or invoice.charged_back is not None
        if facts.days_since(invoice.issued_day) < days and (lost or invoice.is_overdue(facts.today)):
            never = 1.0 if lost else window.portfolio.recovery.never_paid(invoice.days_beyond_terms(facts.today))
            loss += window.converted(invoice, invoice.open_amount) * never
            count += 1
    return window.term(
        "expected_loss",
        loss * _DAYS_PER_MONTH / days,
        N_("Money that will probably never come, from {invoices:invoice}."),
        N_("No money that is overdue or lost."),
        invoices=Figure(count, "count"),
    )


def _waiting(window: _Window) -> CostTerm:
    """Interest on money that came, or is still to come, after its due day, for the days in the window."""
    facts = window.facts
    days = interest = 0.0
    for invoice in facts.invoices:
        until = min(invoice.settled_day or facts.today, facts.today)
        late = (until - max(invoice.due, window.begins)).days
        if late > 0 and invoice.written_off is None and until > invoice.due:
            amount = invoice.amount.amount if invoice.settled_day else invoice.open_amount
            interest += window.converted(invoice, amount) * window.policy.cost.interest * late / 365
            days += late
    return window.term(
        "waiting",
        window.monthly(interest),
        N_("Interest on money paid after terms: {days:day} of waiting in all."),
        N_("No waiting for money after terms."),
        days=Figure(days, "days"),
    )


def _out_of_hours(window: _Window) -> CostTerm:
    """Each contact out of hours takes some of an hour that is not to be had twice."""
    day_of = window.policy.calendar.day_of
    contacts = sum(one.out_of_hours and window.has(day_of(one.mark.at)) for one in window.facts.contacts.disturbances)
    hours = window.monthly(contacts * window.policy.cost.out_of_hours)
    return window.term(
        "out_of_hours",
        None if window.hour is None and hours else hours * (window.hour or 0.0),
        N_("Disturbed evenings and weekends: {contacts:contact} outside your working hours."),
        N_("No contact outside your working hours."),
        contacts=Figure(contacts, "count"),
        hours=Figure(round(hours, 2), "hours"),
    )


_TERMS: Final[tuple[Callable[[_Window], CostTerm], ...]] = (
    _unpaid_hours,
    _out_of_hours,
    _rate_gap,
    _waiting,
    _expected_loss,
)
