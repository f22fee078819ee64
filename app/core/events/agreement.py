"""Events of what was agreed: how many hours for what price in which period."""

from dataclasses import dataclass

from app.core.events.event import EventData
from app.core.events.fields import AgreementId, Amount, Currency, Day, Hours, Period

__all__ = ["AgreementAmended", "AgreementMade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementMade(EventData):
    """Work was agreed: `hours` of effort for `price`, once (`project`) or in every period.

    `starts` is the first day of the first period; without it the day of the event, in the tenant's zone.
    """

    agreement: AgreementId = "main"
    hours: Hours
    price: Amount | None = None
    currency: Currency | None = None
    period: Period = "project"
    starts: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementAmended(EventData):
    """The agreement was replaced by new terms, from `starts` on."""

    agreement: AgreementId = "main"
    hours: Hours
    price: Amount | None = None
    currency: Currency | None = None
    period: Period = "project"
    starts: Day | None = None
