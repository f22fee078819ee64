"""Webhooks as those who manage them find and change them, and what became of their deliveries."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from app.ports.audit import Actor
from app.ports.webhooks import Attempt, Delivery, DeliveryFilter, Period, Progress, Secret, Webhook

__all__ = [
    "Deliveries",
    "TooManyChangesError",
    "TooManySecretsError",
    "UnkeptError",
    "Webhooks",
]


class TooManySecretsError(Exception):
    """As many secrets as may be sign already."""


class UnkeptError(Exception):
    """What a delivery told is kept no longer."""


class TooManyChangesError(Exception):
    """A period has more changes than may be sent again at once."""


class Webhooks(Protocol):
    """Keeps webhooks, for those who manage them.

    Every method raises `StoreUnavailableError` when it cannot. What changes something notes it in the audit log in the
    same transaction. Where a change has to be known to the worker that delivers, `webhook_progress.asked` grows.
    """

    async def add(  # noqa: PLR0917 - what it is made from
        self, tenant_id: str, made: Webhook, secret: Secret, most: int, by: Actor, request_id: str | None = None
    ) -> Webhook | None:
        """Keep a new webhook, which begins at the feed's newest place; None where there are `most` already.

        Where the request has made it before, it gets the secret instead of its first one.
        """
        ...

    async def all(self, tenant_id: str) -> list[Webhook]:
        """All of a tenant, the oldest first."""
        ...

    async def get(self, tenant_id: str, webhook_id: str) -> Webhook | None:
        """One; None where there is none."""
        ...

    async def progress(self, tenant_id: str, webhook_ids: Sequence[str]) -> dict[str, Progress]:
        """How some of them do."""
        ...

    async def change(  # noqa: PLR0917 - what it is made from
        self,
        tenant_id: str,
        webhook_id: str,
        changed: Callable[[Webhook], Webhook],
        at: datetime,
        by: Actor,
        fits: Callable[[Webhook], bool] | None = None,
    ) -> Webhook | None:
        """Change one, also to be enabled or disabled; None where there is none.

        Args:
            tenant_id: whose.
            webhook_id: which.
            changed: makes of what it is what it is to be; what stays the same is no change.
            at: when, an instant in UTC.
            by: who does it.
            fits: whether it is to be done, to what it is then.

        Raises:
            UnfitError: it is not to be done.
        """
        ...

    async def remove(
        self, tenant_id: str, webhook_id: str, at: datetime, by: Actor, fits: Callable[[Webhook], bool] | None = None
    ) -> bool:
        """Remove one with all that belongs to it; whether there was one.

        Raises:
            UnfitError: it is not to be done.
        """
        ...

    async def secrets(self, tenant_id: str, webhook_id: str) -> list[Secret]:
        """Those that sign at present, the newest first; none where there is no such webhook."""
        ...

    async def rotate(  # noqa: PLR0917 - what it is made from
        self,
        tenant_id: str,
        webhook_id: str,
        secret: Secret,
        ends_at: datetime,
        most: int,
        by: Actor,
        fits: Callable[[Webhook], bool] | None = None,
        *,
        request_id: str | None = None,
    ) -> Webhook | None:
        """Sign with another secret, and until an instant with those before, too; None where there is no such webhook.

        The store gives the secret its number. No former one ever ends later than it would have.

        Raises:
            UnfitError: it is not to be done.
            TooManySecretsError: `most` sign already.
        """
        ...


class Deliveries(Protocol):
    """Tells what became of deliveries, and has them sent again; for those who manage webhooks, as above.

    Deliveries about clients that are being erased are not there.
    """

    async def page(
        self,
        tenant_id: str,
        webhook_id: str,
        wanted: DeliveryFilter,
        before: int | None,
        limit: int,
    ) -> list[Delivery]:
        """Deliveries of a webhook below a number, the newest first."""
        ...

    async def pages(
        self, tenant_id: str, webhook_ids: Sequence[str], wanted: DeliveryFilter, before: int | None, limit: int
    ) -> dict[str, list[Delivery]]:
        """The same of several webhooks at once."""
        ...

    async def one(self, tenant_id: str, webhook_id: str, number: int) -> tuple[Delivery, str | None] | None:
        """One with its payload, where that is kept with it."""
        ...

    async def replay(self, tenant_id: str, webhook_id: str, number: int, at: datetime, by: Actor) -> Delivery | None:
        """Make one pending again, due at once, from the schedule's beginning, with the same message id.

        Raises:
            UnkeptError: what it told is kept no longer.
        """
        ...

    async def replay_period(  # noqa: PLR0917 - what it is made from
        self,
        tenant_id: str,
        webhook_id: str,
        period: Period,
        most: int,
        at: datetime,
        by: Actor,
        *,
        request_id: str | None = None,
    ) -> int | None:
        """Make deliveries of the changes of a period that the webhook's filter lets through; how many.

        Those that are pending, and those that the worker has not come to yet, are sent once. None where there is no
        such webhook.

        Raises:
            TooManyChangesError: they are more than `most`; none is made.
        """
        ...

    async def skip(self, tenant_id: str, webhook_id: str, at: datetime, by: Actor) -> int | None:
        """Skip all that is pending, and go on from the feed's newest place; how many were skipped.

        None where there is no such webhook.
        """
        ...

    async def note(  # noqa: PLR0917 - what it is made from
        self, tenant_id: str, webhook_id: str, message_id: str, payload: str, attempt: Attempt, by: Actor
    ) -> Delivery | None:
        """Note a ping as a delivery that has ended; where it was taken, nothing holds the webhook up any more.

        None where there is no such webhook.
        """
        ...
