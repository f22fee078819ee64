"""Webhooks: where a tenant wants to be told what becomes other, what signs it, and what became of each delivery."""

import base64
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from app.core.strategies import APPROACHES
from app.ports.clock import Clock
from app.ports.conditions import UnfitError
from app.ports.managed_webhooks import Deliveries, TooManyChangesError, TooManySecretsError, UnkeptError, Webhooks
from app.ports.webhooks import (
    Delivery,
    DeliveryFilter,
    Disabled,
    DisabledReason,
    Filter,
    MessageType,
    Period,
    Secret,
    Webhook,
)
from app.use_cases.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PreconditionFailedError,
)
from app.use_cases.keys import Principal
from app.use_cases.seen_webhooks import SecretWebhook, SeenWebhook

__all__ = [
    "LONGEST_OVERLAP",
    "MOST_REPLAYED",
    "MOST_SECRETS",
    "TELLABLE",
    "ManageWebhooks",
    "new_secret",
]

LONGEST_OVERLAP: Final = timedelta(days=30)
MOST_SECRETS: Final = 5
"""Of one webhook that sign at once."""
MOST_REPLAYED: Final = 10_000
"""Changes of one period."""
TELLABLE: Final = (MessageType.CHANGED, MessageType.DISABLED)
"""What one may ask to be told; a ping comes to whoever asks for it."""
_SECRET_BYTES: Final = 32
_UNFIT: Final = "the webhook is not as you know it: it was changed since"


def new_secret() -> str:
    """A secret as Standard Webhooks has them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


class ManageWebhooks:
    """Makes, shows, changes and removes webhooks, and sends again what they were sent."""

    def __init__(  # noqa: PLR0917 - what it is made from
        self,
        webhooks: Webhooks,
        deliveries: Deliveries,
        clock: Clock,
        refuse_url: Callable[[str], None],
        most: int,
        changes_keep: timedelta,
    ) -> None:
        """Manage webhooks.

        Args:
            webhooks: where they are kept.
            deliveries: where it is kept what became of each.
            clock: what time it is.
            refuse_url: refuses a URL that nothing may ever be sent to, as `refuse_bad_url` does.
            most: of one tenant.
            changes_keep: for how long changes are kept, and can be sent again.
        """
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._clock = clock
        self._refuse_url = refuse_url
        self._most = most
        self._changes_keep = changes_keep

    async def page(
        self, tenant_id: str, after: tuple[datetime, str] | None, limit: int
    ) -> tuple[list[SeenWebhook], bool]:
        """Webhooks after a place, the oldest first, and whether there are more."""
        every = await self._webhooks.all(tenant_id)
        found = [one for one in every if after is None or (one.created_at, one.webhook_id) > after]
        return await self._seen(tenant_id, found[:limit]), len(found) > limit

    async def one(self, tenant_id: str, webhook_id: str) -> SeenWebhook:
        """One webhook.

        Raises:
            NotFoundError: the tenant has no such webhook.
        """
        found = await self._seen(tenant_id, [await self._known(tenant_id, webhook_id)])
        if not found:
            raise _unknown(webhook_id)
        return found[0]

    async def several(self, tenant_id: str, webhook_ids: Sequence[str]) -> dict[str, SeenWebhook]:
        """Those of some that there are."""
        wanted = set(webhook_ids)
        found = [one for one in await self._webhooks.all(tenant_id) if one.webhook_id in wanted]
        return {one.webhook.webhook_id: one for one in await self._seen(tenant_id, found)}

    async def add(
        self, by: Principal, url: str, description: str, wanted: Filter, *, request_id: str | None = None
    ) -> SecretWebhook:
        """Make a webhook, of an id that nobody else uses; one that is there already gets another secret.

        The latter happens where a request is done again whose answer nobody ever saw.

        Raises:
            InvalidRequestError: nothing may be sent to the URL, or nothing would ever be told.
            ConflictError: the tenant has too many.
        """
        self._refuse_url(url)
        _refuse_unknown(wanted)
        now, secret = self._clock.now(), new_secret()
        made = Webhook(request_id or str(uuid.uuid4()), url, description, wanted, now)
        found = await self._webhooks.add(
            by.tenant_id, made, Secret(1, secret, now), self._most, by.actor, request_id=request_id
        )
        if found is None:
            raise ConflictError(f"there are {self._most} webhooks already, which is the most: remove some")
        return SecretWebhook(await self.one(by.tenant_id, found.webhook_id), secret)

    async def change(
        self,
        by: Principal,
        webhook_id: str,
        changed: Callable[[Webhook], Webhook],
        fits: Callable[[Webhook], bool] | None = None,
    ) -> SeenWebhook:
        """Change a webhook; what comes out the same is no change.

        Raises:
            NotFoundError: the tenant has no such webhook.
            InvalidRequestError: nothing may be sent to the URL, or nothing would ever be told.
            PreconditionFailedError: it does not fit.
        """

        def checked(before: Webhook) -> Webhook:
            after = changed(before)
            if after.url != before.url:
                self._refuse_url(after.url)
            _refuse_unknown(after.wanted)
            return after

        return await self._changed(by, webhook_id, checked, fits)

    async def enable(
        self, by: Principal, webhook_id: str, fits: Callable[[Webhook], bool] | None = None
    ) -> SeenWebhook:
        """Deliver, from where it was left off; once more is harmless.

        Raises:
            NotFoundError: the tenant has no such webhook.
            PreconditionFailedError: it does not fit.
        """
        return await self._changed(by, webhook_id, lambda one: replace(one, disabled=None), fits)

    async def disable(
        self, by: Principal, webhook_id: str, fits: Callable[[Webhook], bool] | None = None
    ) -> SeenWebhook:
        """Deliver no more until it is enabled; once more is harmless.

        Raises:
            NotFoundError: the tenant has no such webhook.
            PreconditionFailedError: it does not fit.
        """
        why = Disabled(self._clock.now(), DisabledReason.REQUESTED)
        return await self._changed(by, webhook_id, lambda one: replace(one, disabled=one.disabled or why), fits)

    async def remove(self, by: Principal, webhook_id: str, fits: Callable[[Webhook], bool] | None = None) -> None:
        """Remove a webhook with its secrets and deliveries; nothing is sent to it any more.

        Raises:
            NotFoundError: the tenant has no such webhook.
            PreconditionFailedError: it does not fit.
        """
        try:
            known = await self._webhooks.remove(by.tenant_id, webhook_id, self._clock.now(), by.actor, fits)
        except UnfitError:
            raise PreconditionFailedError(_UNFIT) from None
        if not known:
            raise _unknown(webhook_id)

    async def rotate(
        self,
        by: Principal,
        webhook_id: str,
        overlap: timedelta,
        fits: Callable[[Webhook], bool] | None = None,
        *,
        request_id: str | None = None,
    ) -> SecretWebhook:
        """Sign with another secret, and until the overlap ends with the former ones, too.

        Rotating once more never lets a former secret end later, but may let it end sooner. A request whose answer
        nobody saw is done again whether or not it fits.

        Raises:
            NotFoundError: the tenant has no such webhook.
            InvalidRequestError: the overlap is too long.
            ConflictError: too many secrets sign still.
            PreconditionFailedError: it does not fit.
        """
        if not timedelta() <= overlap <= LONGEST_OVERLAP:
            raise InvalidRequestError("/overlap", f"expected 0 to {LONGEST_OVERLAP.days} days")
        now, value = self._clock.now(), new_secret()
        try:
            found = await self._webhooks.rotate(
                by.tenant_id,
                webhook_id,
                Secret(0, value, now),
                now + overlap,
                MOST_SECRETS,
                by.actor,
                fits,
                request_id=request_id,
            )
        except UnfitError:
            raise PreconditionFailedError(_UNFIT) from None
        except TooManySecretsError:
            raise ConflictError(
                f"{MOST_SECRETS} secrets of this webhook sign already: wait, or rotate without an overlap"
            ) from None
        if found is None:
            raise _unknown(webhook_id)
        return SecretWebhook(await self.one(by.tenant_id, webhook_id), value)

    async def deliveries(
        self, tenant_id: str, webhook_id: str, wanted: DeliveryFilter, before: int | None, limit: int
    ) -> list[Delivery]:
        """Deliveries of a webhook below a number, the newest first.

        Raises:
            NotFoundError: the tenant has no such webhook.
        """
        await self._known(tenant_id, webhook_id)
        return await self._deliveries.page(tenant_id, webhook_id, wanted, before, limit)

    async def deliveries_of(
        self, tenant_id: str, webhook_ids: Sequence[str], wanted: DeliveryFilter, before: int | None, limit: int
    ) -> dict[str, list[Delivery]]:
        """Deliveries of several webhooks, of each those below a number, the newest first."""
        return await self._deliveries.pages(tenant_id, webhook_ids, wanted, before, limit)

    async def delivery(self, tenant_id: str, webhook_id: str, number: int) -> tuple[Delivery, str | None]:
        """One delivery, and what was sent where that is kept with it.

        Raises:
            NotFoundError: there is no such delivery, or it is kept no longer.
        """
        await self._known(tenant_id, webhook_id)
        found = await self._deliveries.one(tenant_id, webhook_id, number)
        if found is None:
            raise _unknown_delivery(number)
        return found

    async def replay(self, by: Principal, webhook_id: str, number: int) -> Delivery:
        """Send a delivery again, at once, whatever became of it.

        Raises:
            NotFoundError: there is no such delivery, or it is kept no longer.
            ConflictError: what it told is kept no longer.
        """
        await self._known(by.tenant_id, webhook_id)
        try:
            found = await self._deliveries.replay(by.tenant_id, webhook_id, number, self._clock.now(), by.actor)
        except UnkeptError:
            raise ConflictError("the change that it told is kept no longer") from None
        if found is None:
            raise _unknown_delivery(number)
        return found

    async def replay_period(
        self, by: Principal, webhook_id: str, since: datetime, until: datetime, *, request_id: str | None = None
    ) -> int:
        """Send the changes of a period again, those that the webhook's filters let through; how many.

        What waits to be sent anyway is not sent twice.

        Raises:
            NotFoundError: the tenant has no such webhook.
            InvalidRequestError: the period is none, began before what is kept, or has too many changes.
        """
        if until <= since:
            raise InvalidRequestError("/until", "expected an instant after `since`")
        known = await self._known(by.tenant_id, webhook_id)
        if MessageType.CHANGED not in known.wanted.types:
            raise ConflictError(f"this webhook does not ask for {MessageType.CHANGED}")
        now = self._clock.now()
        if since < now - self._changes_keep:
            raise InvalidRequestError("/since", f"expected an instant of the last {self._changes_keep.days} days")
        try:
            found = await self._deliveries.replay_period(
                by.tenant_id,
                webhook_id,
                Period(since, until),
                MOST_REPLAYED,
                now,
                by.actor,
                request_id=request_id,
            )
        except TooManyChangesError:
            raise InvalidRequestError(
                "/until", f"expected a period of at most {MOST_REPLAYED:,} changes: take a shorter one"
            ) from None
        if found is None:
            raise _unknown(webhook_id)
        return found

    async def skip(self, by: Principal, webhook_id: str) -> int:
        """Send nothing of what waits, and go on with what comes; how many deliveries were skipped.

        Raises:
            NotFoundError: the tenant has no such webhook.
        """
        found = await self._deliveries.skip(by.tenant_id, webhook_id, self._clock.now(), by.actor)
        if found is None:
            raise _unknown(webhook_id)
        return found

    async def _changed(
        self,
        by: Principal,
        webhook_id: str,
        changed: Callable[[Webhook], Webhook],
        fits: Callable[[Webhook], bool] | None,
    ) -> SeenWebhook:
        try:
            found = await self._webhooks.change(by.tenant_id, webhook_id, changed, self._clock.now(), by.actor, fits)
        except UnfitError:
            raise PreconditionFailedError(_UNFIT) from None
        if found is None:
            raise _unknown(webhook_id)
        return await self.one(by.tenant_id, webhook_id)

    async def _known(self, tenant_id: str, webhook_id: str) -> Webhook:
        found = await self._webhooks.get(tenant_id, webhook_id)
        if found is None:
            raise _unknown(webhook_id)
        return found

    async def _seen(self, tenant_id: str, found: Sequence[Webhook]) -> list[SeenWebhook]:
        if not found:
            return []
        ids = [one.webhook_id for one in found]
        progress = await self._webhooks.progress(tenant_id, ids)
        # One that was removed meanwhile is none.
        return [SeenWebhook(one, progress[one.webhook_id]) for one in found if one.webhook_id in progress]


def _unknown(webhook_id: str) -> NotFoundError:
    return NotFoundError(f"there is no webhook {webhook_id!r}")


def _unknown_delivery(number: int) -> NotFoundError:
    return NotFoundError(f"there is no delivery {number}, or it is kept no longer")


def _refuse_unknown(wanted: Filter) -> None:
    """Refuse what would never be told.

    Raises:
        InvalidRequestError: it would not be.
    """
    if not wanted.types or not wanted.types <= set(TELLABLE):
        raise InvalidRequestError("/types", f"expected some of {', '.join(TELLABLE)}")
    unknown = sorted(wanted.client_types - set(APPROACHES))
    if unknown:
        raise InvalidRequestError("/client_types", f"expected some of {', '.join(sorted(APPROACHES))}")
