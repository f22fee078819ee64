"""What those who deliver read and note: whose a webhook is, what it is to be told, what became of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.ports.changes import AssessmentChange
from app.ports.webhooks import Attempt, DeliveryState, Disabled, MessageType, Webhook

__all__ = ["Figure", "Opened", "Outbox", "Pending", "Record", "Standing"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery that was made and is not ended.

    Attributes:
        number: of the delivery.
        message_id: `webhook-id`.
        type: of the message.
        change: that it tells of; None where that is not kept any more, or it tells something else.
        client_id: of a change.
        payload: of another message.
        tries: since its schedule began.
        attempts: the newest ones.
        due_at: when it is tried next; None where it waits for one before it.
        created_at: when it was made.
    """

    number: int
    message_id: str
    type: MessageType
    change: AssessmentChange | None
    client_id: str | None
    payload: bytes | None
    tries: int
    attempts: Sequence[Attempt]
    due_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A webhook as its owner finds it.

    Attributes:
        webhook: what is asked for.
        secrets: that sign at present, the newest first, as they are told.
        secrets_end: when the first of them ends; None where all stay.
        place: every change up to here is settled.
        beyond: those behind it that are settled, too.
        asked: grows when somebody else changes something.
        failures: in a row.
        failing_since: the first of them.
        paused_until: nothing is tried until then.
        pending: the first ones, in order.
        has_more: whether there are more of them.
    """

    webhook: Webhook
    secrets: Sequence[str]
    secrets_end: datetime | None
    place: int
    beyond: frozenset[int]
    asked: int
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    pending: Sequence[Pending]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one delivery; see `app.ports.webhooks.Delivery`. Without a number it is a new one."""

    webhook_id: str
    number: int | None
    message_id: str
    type: MessageType
    place: int | None
    client_id: str | None
    state: DeliveryState
    tries: int
    attempts: Sequence[Attempt]
    due_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a webhook stands as its owner leaves it; see `Opened`.

    Attributes:
        webhook_id: which.
        asked: what it was when it was opened: where it has grown since, what somebody else has set stands.
        place: see there.
        beyond: see there.
        due_at: when the next try of a pending delivery is due; None where there is none.
        failures: see there.
        failing_since: see there.
        paused_until: see there.
        troubled: whether its receiver fails or is slow.
        delivered_at: when the last delivery was taken; None where none was since it was opened.
        released: whether it may be another one's now.
    """

    webhook_id: str
    asked: int
    place: int
    beyond: Collection[int]
    due_at: datetime | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    troubled: bool
    delivered_at: datetime | None
    released: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """Webhooks that are alike, across tenants.

    Attributes:
        enabled: whether they are.
        troubled: whether their receivers fail or are slow.
        webhooks: how many.
        waiting: deliveries that are pending, and places of feeds that are still to be looked at.
        seconds: for which the oldest of them has been due.
    """

    enabled: bool
    troubled: bool
    webhooks: int
    waiting: int
    seconds: float


class Outbox(Protocol):
    """Keeps it; every method raises `StoreUnavailableError` when it cannot.

    A webhook has one owner at a time, until its lease ends.
    """

    async def claim(self, who: str, most: int, lease: float) -> list[tuple[str, str]]:
        """Become the owner of some webhooks with something to do, of whatever tenants: tenant and webhook."""
        ...

    async def renew(self, who: str, lease: float) -> dict[tuple[str, str], int]:
        """Stay the owner of all that one still owns; of each what `asked` is."""
        ...

    async def release(self, who: str) -> None:
        """Own none any more."""
        ...

    async def give_up(self, tenant_id: str, webhook_id: str, who: str) -> None:
        """Own one no more."""
        ...

    async def open(self, tenant_id: str, webhook_id: str, most: int) -> Opened | None:
        """What there is to do, with so many pending deliveries at most; None where it is disabled or gone."""
        ...

    async def told(self, tenant_id: str, places: Sequence[int]) -> set[int]:
        """Of some places those whose changes are still told: kept, and of no client that is erased."""
        ...

    async def from_sources(self, tenant_id: str, client_ids: Sequence[str], sources: Collection[str]) -> set[str]:
        """Of some clients those with an event from one of some sources."""
        ...

    async def record(
        self, tenant_id: str, who: str, standings: Sequence[Standing], records: Sequence[Record]
    ) -> Mapping[str, Sequence[int]]:
        """Note what became of deliveries, and how their webhooks stand, in one transaction.

        Returns:
            Of each webhook that is still owned the numbers of its new deliveries, in the order of the records. Of
            another one nothing was noted. Of clients that are erased no delivery is noted.
        """
        ...

    async def disable(
        self, tenant_id: str, webhook_id: str, who: str, disabled: Disabled, payload: Callable[[Webhook], bytes]
    ) -> bool:
        """Disable a webhook that one owns, tell the tenant's other webhooks that want it, and own it no more."""
        ...

    async def figures(self) -> list[Figure]:
        """How all webhooks do."""
        ...

    async def remove_old(self, days: int, most: int) -> int:
        """Remove some deliveries, of whatever tenants, that ended longer ago; how many there were."""
        ...
