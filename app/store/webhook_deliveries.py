"""What became of deliveries, and sending them again, in Postgres.

Whoever makes a delivery pending holds the row of the webhook's progress: so an erasure that has begun is seen, and one
that begins waits, and then removes what was made (`app.store.erasures`).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ports.audit import Action, Actor, webhook_subject
from app.ports.database import Transaction
from app.ports.webhooks import (
    Attempt,
    Delivery,
    DeliveryState,
    Filter,
    MessageType,
    Period,
    TooManyChangesError,
    UnkeptError,
)
from app.store.audit import note
from app.store.engine import retrying, transaction
from app.store.erasures import being_erased
from app.store.requests import made_by, note_made
from app.store.tables import webhook_delivery, webhook_progress

__all__ = ["PostgresDeliveries"]

_ASK: Final = text(
    """
    UPDATE webhook_progress SET asked = asked + 1, due_at = least(due_at, now())
    WHERE tenant_id = :tenant AND webhook_id = :webhook RETURNING last_number
    """
)
_KEPT: Final = text(
    """
    SELECT delivery.place IS NULL OR EXISTS (
        SELECT FROM assessment_change AS change
        WHERE change.tenant_id = delivery.tenant_id AND change.place = delivery.place
    ) AS is_kept
    FROM webhook_delivery AS delivery
    WHERE delivery.tenant_id = :tenant AND delivery.webhook_id = :webhook AND delivery.number = :number
        AND (delivery.client_id IS NULL OR delivery.client_id NOT IN (
            SELECT client_id FROM erasure WHERE tenant_id = :tenant AND client_id IS NOT NULL
        ))
    """
)
# What the worker has not come to yet it delivers anyway, and so what is pending.
_OF_PERIOD: Final = text(
    """
    SELECT change.place, change.client_id
    FROM assessment_change AS change
    JOIN webhook_progress AS had ON had.tenant_id = change.tenant_id AND had.webhook_id = :webhook
    WHERE change.tenant_id = :tenant AND change.at >= :since AND change.at < :until
        AND (change.place <= had.place OR change.place = ANY(had.beyond))
        AND change.client_id NOT IN (
            SELECT client_id FROM erasure WHERE tenant_id = :tenant AND client_id IS NOT NULL
        )
        AND NOT EXISTS (
            SELECT FROM webhook_delivery AS delivery
            WHERE delivery.tenant_id = :tenant AND delivery.webhook_id = :webhook AND delivery.state = 'pending'
                AND delivery.place = change.place
        )
        AND (:every_verdict OR change.verdict = ANY(:verdicts) OR change.verdict_before = ANY(:verdicts))
        AND (:every_type OR change.client_type = ANY(:types) OR change.client_type_before = ANY(:types))
        AND (:every_aspect OR change.aspects && :aspects)
        AND (:every_source OR EXISTS (
            SELECT FROM event
            WHERE event.tenant_id = :tenant AND event.client_id = change.client_id AND event.source = ANY(:sources)
        ))
    ORDER BY change.place LIMIT :most
    """
)


class PostgresDeliveries:
    """Keeps the promise of `app.ports.webhooks.Deliveries`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine
