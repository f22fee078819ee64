"""Webhooks as they are shown."""

from dataclasses import dataclass

from app.ports.webhooks import Progress, Webhook

__all__ = ["SecretWebhook", "SeenWebhook"]


@dataclass(frozen=True, slots=True)
class SeenWebhook:
    """A webhook and how it does.

    Attributes:
        webhook: as it is asked for.
        progress: how far its deliveries have come.
    """

    webhook: Webhook
    progress: Progress


@dataclass(frozen=True, slots=True)
class SecretWebhook:
    """A webhook with its newest secret, which is not shown again."""

    seen: SeenWebhook
    secret: str
