"""Webhooks: what tenants want to be told at addresses of theirs, and what became of each delivery."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.core.reading import Aspect
from app.core.verdict import Verdict
from app.ports.changes import AssessmentChange

__all__ = [
    "ALL",
    "KEPT_ATTEMPTS",
    "Attempt",
    "Delivery",
    "DeliveryFilter",
    "DeliveryState",
    "Disabled",
    "DisabledReason",
    "Filter",
    "MessageType",
    "Period",
    "Progress",
    "Secret",
    "Webhook",
    "WebhookState",
]

KEPT_ATTEMPTS = 16
"""The newest tries of a delivery that are kept."""


class MessageType(StrEnum):
    """What may be told."""

    CHANGED = "assessment.changed"
    """A client's assessment became another one: an item of `GET /v1/changes`."""
    DISABLED = "webhook.disabled"
    """Another webhook of the tenant was disabled."""
    PING = "webhook.ping"
    """Somebody tries whether it works."""


class WebhookState(StrEnum):
    """Whether deliveries are made."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why a webhook was disabled."""

    REQUESTED = "requested"
    """Somebody wanted it."""
    GONE = "gone"
    """Its receiver answered 410."""
    FAILED = "failed"
    """The last try of a delivery failed."""


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    """It is tried, or tried again, or waits: for one before it, or until its webhook is enabled again."""
    DELIVERED = "delivered"
    """The receiver took it: 2xx."""
    FAILED = "failed"
    """A ping that was not taken; changes stay pending."""
    SKIPPED = "skipped"
    """It is not sent any more: the change is not kept any more, or somebody wanted it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a webhook wants to be told. Of changes all five have to let one through; an empty one lets all through.

    Attributes:
        types: of messages; here an empty one lets nothing through.
        verdicts: those that a client has before or after the change: who asks for `part` is told when one is left, too.
        client_types: those that it has before or after the change.
        aspects: of which one at least changed.
        sources: the client has an event from one of them.
    """

    types: frozenset[MessageType] = frozenset({MessageType.CHANGED})
    verdicts: frozenset[Verdict] = frozenset()
    client_types: frozenset[str] = frozenset()
    aspects: frozenset[Aspect] = frozenset()
    sources: frozenset[str] = frozenset()

    def allows(self, change: AssessmentChange) -> bool:
        """Whether it lets a change through, but for its sources, of which the change knows nothing."""
        if MessageType.CHANGED not in self.types:
            return False
        if self.aspects and self.aspects.isdisjoint(change.aspects):
            return False
        told = (change.after,) if change.before is None else (change.before, change.after)
        if self.verdicts and not any(one.verdict in self.verdicts for one in told):
            return False
        return not self.client_types or any(one.client_type in self.client_types for one in told)


ALL = Filter()
"""All changes."""


@dataclass(frozen=True, slots=True)
class Disabled:
    """Since when a webhook is disabled, and why."""

    at: datetime
    reason: DisabledReason


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook, as it is asked for.

    Attributes:
        webhook_id: names it within its tenant.
        url: where messages are sent.
        description: for people.
        wanted: what is sent.
        created_at: an instant in UTC.
        revision: grows with every change of what is here.
        disabled: None where it is enabled.
    """

    webhook_id: str
    url: str
    description: str
    wanted: Filter
    created_at: datetime
    revision: int = 1
    disabled: Disabled | None = None

    @property
    def state(self) -> WebhookState:
        """Whether deliveries are made."""
        return WebhookState.ENABLED if self.disabled is None else WebhookState.DISABLED


@dataclass(frozen=True, slots=True)
class Secret:
    """What messages are signed with.

    Attributes:
        number: the newest has the highest.
        value: `whsec_` and the base64 of the bytes.
        created_at: an instant in UTC.
        ends_at: until when it signs beside a newer one; None for the newest.
    """

    number: int
    value: str = field(repr=False)
    created_at: datetime
    ends_at: datetime | None = None

    @property
    def key(self) -> bytes:
        """The bytes that sign."""
        return base64.b64decode(self.value.removeprefix("whsec_"), validate=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How a webhook does.

    Attributes:
        behind: places of the feed that are still to be looked at.
        pending: deliveries that were made and are not ended, counted up to 1,000.
        failures: failed tries since the last that did not.
        failing_since: when the first of them was.
        paused_until: until then nothing is tried, as too many failed; None where nothing holds it up.
        delivered_at: when the last delivery was taken; None before the first.
        secret_created_at: when the newest secret was made.
        overlap_ends_at: until when a former secret signs beside the newest; None where none does.
    """

    behind: int
    pending: int
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    delivered_at: datetime | None
    secret_created_at: datetime
    overlap_ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a delivery.

    Attributes:
        at: when it began, an instant in UTC.
        status: of the answer; None where there was none.
        error: what went wrong instead: `refused_address`, `unresolved`, `connect`, `tls`, `timeout`, `closed`,
            `malformed`; None where there was an answer.
        milliseconds: that it took.
        answer: the first characters of the answer's body.
    """

    at: datetime
    status: int | None
    error: str | None
    milliseconds: int
    answer: str = ""

    @property
    def was_taken(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook.

    Attributes:
        number: names it within its webhook, in the order in which they were made.
        message_id: `webhook-id`; the same for all webhooks, all tries and all replays of one change.
        type: of the message.
        place: of a change, in the feed; None for another message.
        client_id: of a change, whose; None for another message.
        state: what became of it.
        attempts: the newest ones, the last one last.
        created_at: when it was made, an instant in UTC.
        due_at: when it is tried next; None where it is not, or waits for one before it.
        ended_at: when its state became what it is; None while it is pending.
    """

    number: int
    message_id: str
    type: MessageType
    place: int | None
    client_id: str | None
    state: DeliveryState
    attempts: Sequence[Attempt]
    created_at: datetime
    due_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; None does not ask."""

    state: DeliveryState | None = None
    client_id: str | None = None
    type: MessageType | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant on until before another one."""

    since: datetime
    until: datetime
