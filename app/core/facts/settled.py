"""What all invoices of a client come to that are paid in full: summed up, and never listed."""

from bisect import insort
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from app.core.decibans import saturating_share
from app.core.facts.invoice import Invoice
from app.core.fading import FadingSum
from app.core.money import convert
from app.core.occasions import HabitSums, HabitTally, Occasion
from app.core.policy import Policy
from app.core.punctuality import Delays, within_limits
from app.core.recovery import OverdueCounts

__all__ = ["Settled", "SettledBook", "SettledState", "Weighted", "comparable", "late_occasion"]

_MOST_DELAYS: Final = 16
"""The longest ones, so that one is left when some are taken out."""


class Weighted(NamedTuple):
    """Invoices of one currency: how many, what was billed, and the same times the days beyond terms."""

    invoices: int = 0
    amount: Decimal = Decimal(0)
    amount_days: Decimal = Decimal(0)

    def plus(self, invoice: Invoice, days: int, sign: int = 1) -> "Weighted":
        """With one more invoice, or with one taken out where the sign is -1."""
        amount = invoice.amount.amount * sign
        return Weighted(self.invoices + sign, self.amount + amount, self.amount_days + amount * days)


@dataclass(frozen=True, slots=True)
class Settled:
    """Invoices paid in full, as they stand on a day.

    Attributes:
        count: how many.
        judged: how many of them say something of punctuality.
        in_time: how many were not late at all.
        late, late_days: how many were later than the days of grace, and by how many days together.
        longest: the longest delay in days; None where none is judged.
        days: days beyond terms of those judged, together.
        by_currency: those judged, by the currency of the invoice.
        habit: those judged, as occasions that were late or not.
        delays: days beyond terms, faded.
        paid: what was paid, faded, by currency; in the tenant's own wherever there is an exchange rate.
        money: the same in the tenant's currency by the day of the invoice; None where a rate is missing.
        overdue: what became of those that were not paid by their due day.
        waited: money times days of waiting beyond terms, in the tenant's currency.
        waited_days: days of waiting beyond terms.
    """

    count: int
    judged: int
    in_time: int
    late: int
    late_days: int
    longest: int | None
    days: int
    by_currency: dict[str, Weighted]
    habit: HabitSums
    delays: Delays
    paid: dict[str, float]
    money: float | None
    overdue: OverdueCounts
    waited: float
    waited_days: int


@dataclass(slots=True)
class SettledState:
    """What is kept of settled invoices; see `Settled`."""

    count: int = 0
    judged: int = 0
    in_time: int = 0
    late: int = 0
    late_days: int = 0
    longest: list[int] = field(default_factory=list)
    days: int = 0
    by_currency: dict[str, Weighted] = field(default_factory=dict)
    habit: HabitTally = field(default_factory=HabitTally)
    weight: FadingSum = field(default_factory=FadingSum)
    weighted_days: FadingSum = field(default_factory=FadingSum)
    weighted_squares: FadingSum = field(default_factory=FadingSum)
    paid: dict[str, FadingSum] = field(default_factory=dict)
    money: FadingSum = field(default_factory=FadingSum)
    unknown: FadingSum = field(default_factory=FadingSum)
    overdue: OverdueCounts = field(default_factory=OverdueCounts)
    waited: float = 0.0
    waited_days: int = 0

    def copy(self) -> "SettledState":
        """The same, to go on with apart."""
        return SettledState(
            self.count,
            self.judged,
            self.in_time,
            self.late,
            self.late_days,
            list(self.longest),
            self.days,
            dict(self.by_currency),
            self.habit.copy(),
            self.weight.copy(),
            self.weighted_days.copy(),
            self.weighted_squares.copy(),
            {currency: total.copy() for currency, total in self.paid.items()},
            self.money.copy(),
            self.unknown.copy(),
            self.overdue,
            self.waited,
            self.waited_days,
        )


def comparable(invoice: Invoice, policy: Policy) -> tuple[str, float]:
    """An invoice's money in the tenant's currency, or in its own where there is no exchange rate."""
    converted = convert(invoice.amount, policy.currency, policy.exchange_rates)
    if converted is None:
        return invoice.amount.currency, float(invoice.amount.amount)
    return policy.currency, float(converted)


def late_occasion(invoice: Invoice, days: int, policy: Policy, told_at: datetime | None, *, ignored: bool) -> Occasion:
    """An invoice that was paid or is overdue, so many days beyond terms; not faded.

    It was late after telling when its due day passed after the client was told, or a reminder of it was ignored. The
    payment itself decides neither, so that paying never makes it worse.
    """
    settings = policy.late
    ref = invoice.settled.ref if invoice.settled else invoice.issued.ref
    late = days - settings.grace_days
    if late <= 0:
        return Occasion(0.0, 1.0, ref)
    told = ignored or (told_at is not None and told_at < policy.calendar.end_of(invoice.due))
    bad = settings.least + (1.0 - settings.least) * saturating_share(late, settings.full_days)
    return Occasion(bad, 0.0, ref, policy.told_weight if told else 1.0, told)


class SettledBook:
    """Keeps what settled invoices come to; each is put in once, and may be taken out again."""

    def __init__(self, policy: Policy, state: SettledState) -> None:
        """Go on from a state."""
        self._policy = policy
        self.state = state

    def put(self, invoice: Invoice, told_at: datetime | None) -> None:
        """Put in an invoice that is settled; `told_at` is when the client was told about late payments first."""
        self._move(invoice, told_at, 1)

    def take(self, invoice: Invoice, told_at: datetime | None) -> None:
        """Take an invoice out as it was put in."""
        self._move(invoice, told_at, -1)

    def _move(self, invoice: Invoice, told_at: datetime | None, sign: int) -> None:
        state, half_life = self.state, self._policy.half_life_days
        assert invoice.settled_day is not None
        settled, issued = invoice.settled_day.toordinal(), invoice.issued_day.toordinal()
        days = (invoice.settled_day - invoice.due).days
        state.count += sign
        state.in_time += sign if days <= 0 else 0
        currency, amount = comparable(invoice, self._policy)
        state.paid.setdefault(currency, FadingSum()).move(settled, amount, half_life, sign)
        if currency == self._policy.currency:
            state.money.move(issued, amount, half_life, sign)
        else:
            state.unknown.move(issued, 1.0, half_life, sign)
        if days > 0:
            state.overdue = state.overdue.plus(days, paid=True, sign=sign)
            state.waited_days += sign * days
            state.waited += sign * days * amount if currency == self._policy.currency else 0.0
        if invoice.is_judged(invoice.settled_day):
            self._judge(invoice, days, told_at, sign)

    def _judge(self, invoice: Invoice, days: int, told_at: datetime | None, sign: int) -> None:
        state, policy = self.state, self._policy
        assert invoice.settled_day is not None
        state.judged += sign
        state.days += sign * days
        if days > policy.late.grace_days:
            state.late += sign
            state.late_days += sign * days
        if sign > 0:
            insort(state.longest, days)
            del state.longest[:-_MOST_DELAYS]
        elif days in state.longest:
            state.longest.remove(days)
        currency = invoice.amount.currency
        state.by_currency[currency] = state.by_currency.get(currency, Weighted()).plus(invoice, days, sign)
        ignored = invoice.ignored_reminder(invoice.settled_day, policy.reminder_days)
        occasion = late_occasion(invoice, days, policy, told_at, ignored=ignored)
        day = invoice.settled_day.toordinal()
        if sign > 0:
            state.habit.add(day, occasion, policy.half_life_days)
        else:
            state.habit.take(day, occasion, policy.half_life_days)
        issued, clipped = invoice.issued_day.toordinal(), within_limits(days)
        state.weight.move(issued, 1.0, policy.half_life_days, sign)
        state.weighted_days.move(issued, clipped, policy.half_life_days, sign)
        state.weighted_squares.move(issued, clipped * clipped, policy.half_life_days, sign)

    def read(self, today: int) -> Settled:
        """What they come to on a day."""
        state, half_life = self.state, self._policy.half_life_days
        return Settled(
            count=state.count,
            judged=state.judged,
            in_time=state.in_time,
            late=state.late,
            late_days=state.late_days,
            longest=state.longest[-1] if state.longest else None,
            days=state.days,
            by_currency={currency: one for currency, one in state.by_currency.items() if one.invoices},
            habit=state.habit.on(today, half_life),
            delays=Delays.of(
                state.weight.on(today, half_life),
                state.weighted_days.on(today, half_life),
                state.weighted_squares.on(today, half_life),
            ),
            paid={currency: total.on(today, half_life) for currency, total in state.paid.items()},
            money=self._money(today),
            overdue=state.overdue,
            waited=state.waited,
            waited_days=state.waited_days,
        )

    def _money(self, today: int) -> float | None:
        state, half_life = self.state, self._policy.half_life_days
        return None if state.unknown.on(today, half_life) > 0 else state.money.on(today, half_life)
