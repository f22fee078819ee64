"""Short ways to tell a history in a test."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from app.core.assessment import Assessment, SignAssessment
from app.core.course import assessment_at
from app.core.events import CATALOGUE, Event
from app.core.policy import DEFAULT_POLICY, Policy
from app.core.portfolio import Portfolio, portfolio_of
from app.core.reasons import reasoned_at
from app.core.signs import Reason

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
_numbers = count()


def told(kind: str, days_ago: float, **data: Any) -> Event:
    """One event, so many days before NOW; numbers become decimals where the type wants them."""
    at = NOW - timedelta(days=days_ago)
    for name in ("hours", "amount", "price", "rate"):
        if name in data:
            data[name] = Decimal(str(data[name]))
    return Event("test", str(next(_numbers)), kind, "acme", at, CATALOGUE[kind].data(**data), at)


def invoice(
    number: object, issued: float, paid: float | None = None, *, amount: float = 1000, currency: str = "USD"
) -> list[Event]:
    """An invoice on 30-day terms, issued and perhaps paid so many days ago."""
    name = f"INV-{number}"
    due = (NOW - timedelta(days=issued - 30)).date()
    found = [told("invoice.issued", issued, invoice=name, amount=amount, currency=currency, due_date=due)]
    return found if paid is None else [*found, told("invoice.paid", paid, invoice=name)]


def alone(policy: Policy = DEFAULT_POLICY) -> Portfolio:
    """A portfolio of which nothing is known."""
    return portfolio_of({}, policy)


def assessed(
    events: list[Event], policy: Policy = DEFAULT_POLICY, portfolio: Portfolio | None = None, as_of: datetime = NOW
) -> Assessment:
    """Assess a history."""
    return assessment_at(events, policy, portfolio or alone(policy), as_of)


def sign_of(found: Assessment, name: str) -> SignAssessment:
    """One sign's part."""
    return next(part for part in found.signs if part.sign.name == name)


def reason_of(events: list[Event], sign: str, **named: Any) -> Reason:
    """Why one sign says it."""
    policy = named.get("policy", DEFAULT_POLICY)
    found = reasoned_at(events, policy, named.get("portfolio") or alone(policy), NOW)
    return next(why for part, why in zip(found.assessment.signs, found.reasons, strict=True) if part.sign.name == sign)


def evidence(events: list[Event], sign: str, **named: Any) -> float:
    """What one sign says of a history, in decibans."""
    return sign_of(assessed(events, **named), sign).decibans
