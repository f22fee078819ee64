"""Puts together what webhooks are managed by."""

from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from app.outgoing.addresses import is_own, is_public
from app.ports.clock import Clock
from app.ports.sending import Sender
from app.settings import Settings
from app.store.webhook_deliveries import PostgresDeliveries
from app.store.webhooks import PostgresWebhooks
from app.use_cases.messages import id_of_change
from app.use_cases.ping_webhooks import PingWebhooks
from app.use_cases.webhook_urls import refuse_bad_url
from app.use_cases.webhooks import ManageWebhooks
from app.wire.messages import JsonMessages

__all__ = ["managing"]


def managing(
    settings: Settings, engine: AsyncEngine, clock: Clock, sender: Sender
) -> tuple[ManageWebhooks, PingWebhooks]:
    """What manages webhooks, and what sends pings to them."""
    webhooks, deliveries = PostgresWebhooks(engine), PostgresDeliveries(engine, id_of_change)
    networks = settings.webhook_networks
    refuse = partial(
        refuse_bad_url,
        is_public=is_public,
        is_own=lambda address: is_own(address, networks),
        with_http=bool(networks),
    )
    keep = timedelta(days=settings.changes_keep)
    manage = ManageWebhooks(webhooks, deliveries, clock, refuse, settings.webhooks, keep)
    return manage, PingWebhooks(webhooks, deliveries, sender, JsonMessages(), clock)
