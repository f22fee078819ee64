"""The field types of event data, with the limits that every way in checks and every schema shows."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

__all__ = [
    "AgreementId",
    "Amount",
    "Bounds",
    "By",
    "ChangeId",
    "Channel",
    "ClientId",
    "ContractId",
    "Country",
    "Currency",
    "Day",
    "Hours",
    "Instant",
    "InvoiceId",
    "Iso4217",
    "Label",
    "Length",
    "MeetingId",
    "PastOrFuture",
    "Period",
    "SignName",
    "Text",
    "TimeZone",
    "ZoneName",
]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a number: `low <= x <= high`, with `low` itself excluded when `above` is set."""

    low: int
    high: int
    above: bool = False
    max_decimals: int = 6


@dataclass(frozen=True, slots=True)
class Length:
    """Limits of a string, in Unicode code points; no control characters, but for line ends and tabs where stated."""

    min: int
    max: int
    lines: bool = False


@dataclass(frozen=True, slots=True)
class Iso4217:
    """A string that must be an active ISO 4217 currency code."""


@dataclass(frozen=True, slots=True)
class ZoneName:
    """A string that must name an IANA time zone."""


@dataclass(frozen=True, slots=True)
class PastOrFuture:
    """Limits of a date or an instant, by year: `first <= year <= last`."""

    first: int = 1970
    last: int = 2199


ClientId = Annotated[str, Length(1, 200)]
ContractId = Annotated[str, Length(1, 200)]
AgreementId = Annotated[str, Length(1, 200)]
ChangeId = Annotated[str, Length(1, 200)]
InvoiceId = Annotated[str, Length(1, 200)]
MeetingId = Annotated[str, Length(1, 200)]
Label = Annotated[str, Length(1, 200)]
Text = Annotated[str, Length(1, 2000, lines=True)]
Country = Annotated[str, Length(2, 2)]
Currency = Annotated[str, Iso4217()]
TimeZone = Annotated[str, ZoneName()]
Amount = Annotated[Decimal, Bounds(0, 10**12, above=True)]
Hours = Annotated[Decimal, Bounds(0, 10_000, above=True)]
Day = Annotated[date, PastOrFuture()]
Instant = Annotated[datetime, PastOrFuture()]

Channel = Literal["email", "chat", "sms", "phone", "video", "social", "in_person", "other"]
Period = Literal["week", "month", "quarter", "year", "project"]
By = Literal["client", "us"]
SignName = Literal["contract", "scope", "time", "rate", "late", "nonpayment"]
