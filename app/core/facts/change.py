"""One request beyond the agreement, and what became of it."""

from typing import NamedTuple

from app.core.events import Event, EventRef, Mark
from app.core.events import change as told

__all__ = ["Beyond", "Change"]


class Beyond(NamedTuple):
    """Unpaid hours beyond the agreement: of which day and period (ordinals), how many, and how much each counts."""

    day: int
    period: int
    hours: float
    weight: float
    ref: EventRef


class Change(NamedTuple):
    """One change.

    Attributes:
        id: the tenant's own id of it.
        requested: the first time that it was asked for.
        quoted: the last time that the client was told what it costs.
        approved, rejected_by_client, rejected_by_us: the last time of each.
        delivered: the first time.
        last: the last of all these; None while there is none of them, but only hours that were logged for it.
        asked_hours, quoted_hours, delivered_hours: the effort, as it was told of each; 0 where it was not.
        logged_hours: hours logged for it.
        unlogged: of its delivery, the day as an ordinal, the hours beyond those that were logged, and whether they are
            billable.
        beyond: its hours that nobody pays for.
    """

    id: str
    requested: Mark | None = None
    quoted: Mark | None = None
    approved: Mark | None = None
    rejected_by_client: Mark | None = None
    rejected_by_us: Mark | None = None
    delivered: Mark | None = None
    last: Mark | None = None
    asked_hours: float = 0.0
    quoted_hours: float = 0.0
    delivered_hours: float = 0.0
    logged_hours: float = 0.0
    unlogged: tuple[int, float, bool] = (0, 0.0, True)
    beyond: tuple[Beyond, ...] = ()

    @property
    def is_paid_for(self) -> bool:
        """Whether the client agreed to pay for it."""
        return self.approved is not None

    @property
    def hours(self) -> float:
        """The effort that it takes."""
        return self.delivered_hours or self.quoted_hours or self.asked_hours

    @property
    def can_be_approved(self) -> bool:
        """Whether the client could still agree to pay for it."""
        return self.last is not None and self.approved is None and self.rejected_by_us is None

    @property
    def is_owed(self) -> bool:
        """Whether the client agreed to pay for it and has not got it."""
        return self.approved is not None and self.delivered is None

    def after(self, event: Event) -> "Change":
        """The change after one more event."""
        mark = event.mark
        match event.data:
            case told.ChangeRequested(hours=hours):
                made = self._replace(requested=self.requested or mark, asked_hours=float(hours or self.asked_hours))
            case told.ChangeQuoted(hours=hours):
                made = self._replace(quoted=mark, quoted_hours=float(hours or self.quoted_hours))
            case told.ChangeApproved():
                made = self._replace(approved=mark)
            case told.ChangeRejected(by="client"):
                made = self._replace(rejected_by_client=mark)
            case told.ChangeRejected():
                made = self._replace(rejected_by_us=mark)
            case told.ChangeDelivered(hours=hours):
                delivered = self.delivered or mark
                made = self._replace(delivered=delivered, delivered_hours=float(hours or self.delivered_hours))
            case other:
                raise TypeError(f"{type(other).__name__} is nothing that happens to a change")
        marks = (made.requested, made.quoted, made.approved, made.rejected_by_client, made.rejected_by_us)
        return made._replace(last=max(one for one in (*marks, made.delivered) if one is not None))
