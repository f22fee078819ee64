"""Events of talks about the rate, per hour."""

from dataclasses import dataclass

from app.core.events.event import EventData
from app.core.events.fields import Amount, Currency, Text

__all__ = ["RateAccepted", "RateProposed", "RateRefused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateProposed(EventData):
    """A new hourly rate was proposed to the client."""

    rate: Amount
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class RateAccepted(EventData):
    """The client agreed to the hourly rate."""

    rate: Amount
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRefused(EventData):
    """The client refused the proposed rate, or to talk about the rate at all."""

    rate: Amount | None = None
    currency: Currency | None = None
    reason: Text | None = None
