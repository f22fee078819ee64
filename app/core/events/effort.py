"""Events of work done."""

from dataclasses import dataclass

from app.core.events.event import EventData
from app.core.events.fields import ChangeId, Day, Hours, Label

__all__ = ["TimeLogged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLogged(EventData):
    """Hours were worked for the client.

    `day` is the local day of the work; without it the day of the event, in the tenant's zone. `change` names the
    change request that the work was for.
    """

    hours: Hours
    billable: bool = True
    day: Day | None = None
    change: ChangeId | None = None
    activity: Label | None = None
