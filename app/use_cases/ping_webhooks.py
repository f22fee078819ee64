"""A ping: a message that is sent at once, so that whoever has made a webhook sees whether it works."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from app.ports.clock import Clock
from app.ports.managed_webhooks import Deliveries, Webhooks
from app.ports.sending import Message, Sender
from app.ports.webhooks import Delivery
from app.use_cases.errors import ConflictError, NotFoundError, RateLimitedError
from app.use_cases.keys import Principal
from app.use_cases.messages import MessageFormat, new_id
from app.use_cases.recent import Recent

__all__ = ["MOST_PINGS", "PING_WINDOW", "PingWebhooks"]

MOST_PINGS: Final = 20
PING_WINDOW: Final = timedelta(minutes=1)
"""In which a tenant may have so many sent by one server: answers are told, and nobody is to explore by pings."""
_TENANTS: Final = 10_000


class PingWebhooks:
    """Sends pings by the sender that delivers, too, and notes each as a delivery."""

    def __init__(
        self, webhooks: Webhooks, deliveries: Deliveries, sender: Sender, messages: MessageFormat, clock: Clock
    ) -> None:
        """Send pings to the webhooks of a store."""
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._sender = sender
        self._messages = messages
        self._clock = clock
        self._sent: Recent[str, deque[datetime]] = Recent(_TENANTS)
        self._under_way: set[tuple[str, str]] = set()

    async def __call__(self, by: Principal, webhook_id: str) -> Delivery:
        """Send a ping, to one that is disabled too; what came of it.

        Where it is taken, nothing holds the webhook up any more, but it is not enabled by it.

        Raises:
            NotFoundError: the tenant has no such webhook.
            ConflictError: another ping of it is under way.
            RateLimitedError: the tenant has had too many sent.
        """
        tenant_id = by.tenant_id
        found = await self._webhooks.get(tenant_id, webhook_id)
        secrets = await self._webhooks.secrets(tenant_id, webhook_id)
        if found is None or not secrets:
            raise _unknown(webhook_id)
        with self._alone(tenant_id, webhook_id):
            self._count(tenant_id)
            body = self._messages.ping(webhook_id, self._clock.now())
            message = Message(new_id(), body)
            sent = await self._sender.send(found.url, message, [one.key for one in secrets])
            noted = await self._deliveries.note(
                tenant_id, webhook_id, message.message_id, body.decode(), sent.attempt, by.actor
            )
        if noted is None:
            raise _unknown(webhook_id)
        return noted

    @contextmanager
    def _alone(self, tenant_id: str, webhook_id: str) -> Iterator[None]:
        key = (tenant_id, webhook_id)
        if key in self._under_way:
            raise ConflictError("a ping of this webhook is under way")
        self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)

    def _count(self, tenant_id: str) -> None:
        now = self._clock.now()
        sent = self._sent.get(tenant_id)
        if sent is None:
            sent = deque()
            self._sent.put(tenant_id, sent)
        while sent and sent[0] <= now - PING_WINDOW:
            sent.popleft()
        if len(sent) >= MOST_PINGS:
            wait = max(1, ceil((sent[0] + PING_WINDOW - now).total_seconds()))
            raise RateLimitedError(
                f"{MOST_PINGS} pings a minute are the most: come again in {wait} seconds", "pings", wait
            )
        sent.append(now)


def _unknown(webhook_id: str) -> NotFoundError:
    return NotFoundError(f"there is no webhook {webhook_id!r}")
