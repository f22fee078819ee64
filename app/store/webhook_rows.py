"""Webhooks and deliveries as they stand in their rows."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.core.reading import Aspect
from app.core.verdict import Verdict
from app.ports.webhooks import (
    KEPT_ATTEMPTS,
    Attempt,
    Delivery,
    DeliveryState,
    Disabled,
    DisabledReason,
    Filter,
    MessageType,
    Webhook,
)

__all__ = ["attempts_in", "delivery_in", "webhook_in", "written"]


def webhook_in(row: Any) -> Webhook:
    """The webhook in a row of `webhook`."""
    wanted = Filter(
        frozenset(map(MessageType, row.types)),
        frozenset(map(Verdict, row.verdicts)),
        frozenset(row.client_types),
        frozenset(map(Aspect, row.aspects)),
        frozenset(row.sources),
    )
    disabled = None if row.disabled_at is None else Disabled(row.disabled_at, DisabledReason(row.disabled_reason))
    return Webhook(row.webhook_id, row.url, row.description, wanted, row.created_at, row.revision, disabled)


def delivery_in(row: Any) -> Delivery:
    """The delivery in a row of `webhook_delivery`."""
    return Delivery(
        number=row.number,
        message_id=row.message_id,
        type=MessageType(row.type),
        place=row.place,
        client_id=row.client_id,
        state=DeliveryState(row.state),
        attempts=attempts_in(row.attempts),
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
    )


def attempts_in(text: str) -> list[Attempt]:
    """The tries in a column `attempts`."""
    return [
        Attempt(datetime.fromisoformat(at), status, error, milliseconds, answer)
        for at, status, error, milliseconds, answer in json.loads(text)
    ]


def written(attempts: Sequence[Attempt]) -> str:
    """The newest of some tries, as the column `attempts` has them."""
    # Escaped, so that whatever was answered can be stored: Postgres takes no NUL.
    told = [
        (one.at.isoformat(), one.status, one.error, one.milliseconds, one.answer) for one in attempts[-KEPT_ATTEMPTS:]
    ]
    return json.dumps(told, separators=(",", ":"))
