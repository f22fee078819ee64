"""What a strategy is: how to deal with a type of client, with letters that its own figures are filled into."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from app.core.facts import Facts
from app.core.facts.invoice import Invoice
from app.core.message import N_, Message
from app.core.money import Money
from app.core.policy import Policy

__all__ = ["Approach", "Case", "Draft", "Strategy", "invoice_lines", "opening", "paragraphs", "together"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter to the client: its subject and its paragraphs."""

    subject: Message
    paragraphs: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Strategy:
    """How to deal with a client; `client_type` is the one that it is for, see `choice.py`."""

    client_type: str
    tone: Message
    steps: tuple[Message, ...]
    in_writing: tuple[Message, ...]
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Whom a letter is for, and all that is known of them; `before` are the facts of 90 days ago."""

    client: str
    facts: Facts
    policy: Policy
    before: Facts

    @property
    def deadline(self) -> date:
        """The first working day a week from now."""
        day = self.facts.today + timedelta(days=7)
        for _ in range(60):
            if self.policy.calendar.hours_on(day) is not None:
                return day
            day += timedelta(days=1)
        return day


@dataclass(frozen=True, slots=True)
class Approach:
    """How to deal with a type of client; the texts are marked for translation."""

    client_type: str
    tone: str
    steps: tuple[str, ...]
    in_writing: tuple[str, ...]
    letter: Callable[[Case], Draft]

    def towards(self, case: Case) -> Strategy:
        """The strategy for one client."""
        return Strategy(
            client_type=self.client_type,
            tone=Message(self.tone),
            steps=tuple(map(Message, self.steps)),
            in_writing=tuple(map(Message, self.in_writing)),
            drafts=(self.letter(case),),
        )


def opening(case: Case) -> Message:
    """How a letter begins."""
    return Message(N_("Dear {client},"), {"client": case.client})


def paragraphs(case: Case, *parts: Message | None) -> tuple[Message, ...]:
    """A letter around the parts that apply."""
    return (opening(case), *(part for part in parts if part is not None), Message(N_("Kind regards")))


def invoice_lines(invoices: list[Invoice]) -> Message:
    """One line for each invoice, with what is still open of it."""
    lines = tuple(
        Message(
            N_("- {invoice}: {amount}, due on {due}"),
            {"invoice": one.id, "amount": Money(one.open_amount, one.amount.currency), "due": one.due},
        )
        for one in invoices
    )
    return Message("{lines}", {"lines": lines})


def together(invoices: list[Invoice]) -> Message:
    """What is open in all, a line for each currency."""
    lines = tuple(Message(N_("Together: {total}"), {"total": total}) for total in _totals(invoices))
    return Message("{lines}", {"lines": lines})


def _totals(invoices: list[Invoice]) -> Iterator[Money]:
    """By currency: currencies are never added up."""
    currencies = sorted({one.amount.currency for one in invoices})
    for currency in currencies:
        owed = (one.open_amount for one in invoices if one.amount.currency == currency)
        yield Money(sum(owed, Decimal(0)), currency)
