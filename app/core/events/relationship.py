"""Events of the relationship as a whole: expectations stated, how it ended, who the client is."""

from dataclasses import dataclass

from app.core.events.event import EventData
from app.core.events.fields import By, Country, Currency, Label, SignName, Text, TimeZone

__all__ = [
    "ClientCreated",
    "ClientUpdated",
    "EventVoided",
    "ExpectationStated",
    "RelationshipEnded",
    "RelationshipRegretted",
    "RelationshipThrived",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationStated(EventData):
    """The client was told what has to change; what goes on after that weighs more."""

    sign: SignName
    note: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipEnded(EventData):
    """The relationship ended."""

    by: By = "us"
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipRegretted(EventData):
    """The business wishes that it had parted with the client, or had done so sooner."""

    note: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipThrived(EventData):
    """The business is glad to have kept the client."""

    note: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCreated(EventData):
    """The client became known; what is not said stays unknown."""

    name: Label | None = None
    country: Country | None = None
    currency: Currency | None = None
    time_zone: TimeZone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientUpdated(EventData):
    """What is known of the client changed; what is not said stays as it was."""

    name: Label | None = None
    country: Country | None = None
    currency: Currency | None = None
    time_zone: TimeZone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventVoided(EventData):
    """An earlier event of the same client was told by mistake and counts as never told."""

    source: Label
    id: Label
    reason: Text | None = None
