"""The cost of staying: what this client costs beside what it brings, per month and term by term."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import exp
from typing import Final

from app.core.earnings import earnings_of
from app.core.facts import Facts, Invoice
from app.core.message import N_, Message
from app.core.money import Money, convert, to_cents
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs.sign import Figure

__all__ = ["Cost", "CostTerm", "cost_of_staying", "window_begins"]

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
    """The days that are looked at, the facts now and as they began, and an hour's worth: by the others, and at all."""

    facts: Facts
    then: Facts
    policy: Policy
    portfolio: Portfolio
    days: int
    reference: float | None
    hour: float | None

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


def window_begins(policy: Policy, as_of: datetime) -> datetime:
    """The instant at which the window begins that the cost is reckoned for."""
    return policy.calendar.end_of(policy.calendar.day_of(as_of) - timedelta(days=policy.cost.window_days))


def cost_of_staying(facts: Facts, then: Facts, policy: Policy, portfolio: Portfolio) -> Cost:
    """Add up what the last half year cost.

    An hour is worth what it brings with the other clients (the median; the policy's floor or this client's own rate
    where they are too few), so that time spent here is valued by what it could have brought there.

    Args:
        facts: as they are now.
        then: as they were when the window began; see `window_begins`.
        policy: the tenant's settings.
        portfolio: what is known of the tenant's clients together.
    """
    window = _window(facts, then, policy, portfolio)
    terms = tuple(of(window) for of in _TERMS)
    return Cost(
        currency=policy.currency,
        per_month=sum((term.amount for term in terms if term.amount is not None), Decimal("0.00")),
        days=window.days,
        terms=terms,
        left_out=_left_out(window),
    )


def _left_out(window: _Window) -> tuple[str, ...]:
    """Currencies without a rate, of invoices that are open or not older than any figure."""
    facts, policy = window.facts, window.policy
    longest = max(window.days, policy.cost.loss_days)
    today = facts.today.toordinal()
    currencies = {currency for currency, day in facts.billed.unknown_days.items() if today - day < longest}
    currencies |= {invoice.amount.currency for invoice in facts.invoices if invoice.is_open}
    return tuple(sorted(currencies - {policy.currency, *policy.exchange_rates}))


def _window(facts: Facts, then: Facts, policy: Policy, portfolio: Portfolio) -> _Window:
    """As long as the policy says, or as long as anything is known of the client."""
    firsts = (facts.work.first_day, facts.billed.first_day, facts.contacts.first_day)
    today = facts.today.toordinal()
    first = min([day for day in firsts if day is not None], default=today)
    days = min(max(today - first + 1, _FEWEST_DAYS), policy.cost.window_days)
    reference = _reference(policy, portfolio)
    own = earnings_of(facts, policy).log_rate
    hour = reference if reference is not None else None if own is None else exp(own)
    return _Window(facts, then, policy, portfolio, days, reference, hour)


def _reference(policy: Policy, portfolio: Portfolio) -> float | None:
    """What an hour brings with the other clients, or is to bring at least."""
    settings = policy.rate
    if portfolio.rates is not None and portfolio.rates.clients >= settings.fewest_clients:
        return portfolio.rates.median
    return None if settings.floor is None else float(settings.floor)


def _unpaid_hours(window: _Window) -> CostTerm:
    """Hours that nobody pays for, as if another client had paid for them."""
    hours = window.monthly(_more(window.facts.work.unpaid.hours, window.then.work.unpaid.hours))
    return window.term(
        "unpaid_hours",
        None if window.hour is None and hours else hours * (window.hour or 0.0),
        N_("Unpaid work beyond the agreement: {hours:hour} per month."),
        N_("No unpaid work beyond the agreement."),
        hours=Figure(round(hours, 2), "hours"),
    )


def _more(now: float, then: float) -> float:
    """By how much a sum has grown; what was settled since can only have made it less."""
    return max(now - then, 0.0)


def _rate_gap(window: _Window) -> CostTerm:
    """What the paid hours would have brought more with the others; up to the last invoice, as newer may be billed."""
    facts, then = window.facts, window.then
    hours = _more(facts.work.hours.due.hours, then.work.hours.total.hours) if facts.billed.last_day else 0.0
    hours = _more(hours, _more(facts.work.unpaid_when_billed, then.work.unpaid.hours))
    brought = _more(facts.billed.money, then.billed.money)
    # Where a currency has no rate what the hours brought is not known, and neither is a gap.
    known = bool(brought) and facts.billed.unknown == then.billed.unknown
    gap = _more((window.reference or 0.0) * hours, brought) if known else 0.0
    return window.term(
        "rate_gap",
        window.monthly(gap),
        N_("Paid hours that would bring more with your other clients: {hours:hour} per month."),
        N_("No paid hours that would bring more with your other clients."),
        hours=Figure(round(window.monthly(hours if gap else 0.0), 2), "hours"),
    )


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
    (money, days), (money_then, days_then) = _waited(window, window.facts), _waited(window, window.then)
    interest = _more(money, money_then) * window.policy.cost.interest / 365
    return window.term(
        "waiting",
        window.monthly(interest),
        N_("Interest on money paid after terms: {days:day} of waiting in all."),
        N_("No waiting for money after terms."),
        days=Figure(_more(days, days_then), "days"),
    )


def _waited(window: _Window, facts: Facts) -> tuple[float, int]:
    """Money times days of waiting after terms until a day, and the days."""
    money, days = facts.settled.waited, facts.settled.waited_days
    for invoice in facts.invoices:
        late = (facts.today - invoice.due).days
        if late > 0 and invoice.written_off is None:
            money += window.converted(invoice, invoice.open_amount) * late
            days += late
    return money, days


def _out_of_hours(window: _Window) -> CostTerm:
    """Each contact out of hours takes some of an hour that is not to be had twice."""
    contacts = window.facts.contacts.out_of_hours - window.then.contacts.out_of_hours
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
