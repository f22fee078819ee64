"""Events of changes to what was agreed."""

from dataclasses import dataclass

from app.core.events.event import EventData
from app.core.events.fields import Amount, By, ChangeId, Currency, Hours, Text

__all__ = ["ChangeApproved", "ChangeDelivered", "ChangeQuoted", "ChangeRejected", "ChangeRequested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequested(EventData):
    """The client asked for something beyond the agreement; `hours` is the effort it is expected to take."""

    change: ChangeId
    title: Text | None = None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQuoted(EventData):
    """The client was told what the change costs."""

    change: ChangeId
    hours: Hours | None = None
    price: Amount
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeApproved(EventData):
    """The client agreed to pay for the change: from here on it is no creep."""

    change: ChangeId


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRejected(EventData):
    """The quote was rejected by the client, or the request by us."""

    change: ChangeId
    by: By = "client"
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDelivered(EventData):
    """The change was made; `hours` is the effort that it took, where it is not logged as time."""

    change: ChangeId
    hours: Hours | None = None
