"""What became of deliveries, and sending them again, in Postgres.

Whoever makes a delivery pending holds the row of the webhook's progress: so an erasure that has begun is seen, and one
that begins waits, and then removes what was made (`app.store.erasures`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, Text, bindparam, func, or_, select, text, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ports.audit import Action, Actor, webhook_subject
from app.ports.database import Transaction
from app.ports.managed_webhooks import TooManyChangesError, UnkeptError
from app.ports.webhooks import Attempt, Delivery, DeliveryFilter, DeliveryState, MessageType, Period
from app.store.attempts import dump_attempts, load_attempts
from app.store.audit import note
from app.store.engine import retrying, transaction
from app.store.erasures import being_erased
from app.store.requests import made_by, note_made
from app.store.tables import webhook_delivery

__all__ = ["PostgresDeliveries"]

# The owner is told to look anew, and the row is held until the end.
_ASK: Final = text(
    """
    UPDATE webhook_progress SET asked = asked + 1, due_at = least(due_at, now())
    WHERE tenant_id = :tenant AND webhook_id = :webhook RETURNING webhook_id
    """
)
_IS_KEPT: Final = text(
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
_AGAIN: Final = text(
    """
    UPDATE webhook_delivery SET state = 'pending', tries = 0, due_at = now(), ended_at = NULL
    WHERE tenant_id = :tenant AND webhook_id = :webhook AND number = :number
    RETURNING *
    """
)
# What the worker has not come to yet it delivers anyway, and so what is pending: read once (NOT IN), and not for each
# change, whatever is known of how much it is.
_OF_PERIOD: Final = text(
    """
    SELECT change.place, change.client_id
    FROM assessment_change AS change
    JOIN webhook AS mine ON mine.tenant_id = change.tenant_id AND mine.webhook_id = :webhook
    JOIN webhook_progress AS had ON had.tenant_id = mine.tenant_id AND had.webhook_id = mine.webhook_id
    WHERE change.tenant_id = :tenant AND change.at >= :since AND change.at < :until
        AND (change.place <= had.place OR change.place = ANY(had.beyond))
        AND change.client_id NOT IN (
            SELECT client_id FROM erasure WHERE tenant_id = :tenant AND client_id IS NOT NULL
        )
        AND change.place NOT IN (
            SELECT delivery.place FROM webhook_delivery AS delivery
            WHERE delivery.tenant_id = :tenant AND delivery.webhook_id = :webhook AND delivery.state = 'pending'
                AND delivery.place IS NOT NULL
        )
        AND (mine.verdicts = '{}' OR mine.verdicts && ARRAY[change.verdict, change.verdict_before])
        AND (mine.client_types = '{}' OR mine.client_types && ARRAY[change.client_type, change.client_type_before])
        AND (mine.aspects = '{}' OR mine.aspects && change.aspects)
        AND (mine.sources = '{}' OR EXISTS (
            SELECT FROM event
            WHERE event.tenant_id = :tenant AND event.client_id = change.client_id AND event.source = ANY(mine.sources)
        ))
    ORDER BY change.place LIMIT :most
    """
)
_MAKE: Final = text(
    """
    WITH mine AS (
        UPDATE webhook_progress
        SET asked = asked + 1, due_at = least(due_at, now()), last_number = last_number + :count
        WHERE tenant_id = :tenant AND webhook_id = :webhook
        RETURNING last_number - :count AS number
    )
    INSERT INTO webhook_delivery (
        tenant_id, webhook_id, number, message_id, type, place, client_id, state, due_at, created_at
    )
    SELECT :tenant, :webhook, mine.number + made.number, made.message_id, 'assessment.changed', made.place,
        made.client_id, 'pending', now(), :at
    FROM mine CROSS JOIN unnest(
        CAST(:messages AS text[]), CAST(:places AS bigint[]), CAST(:clients AS text[])
    ) WITH ORDINALITY AS made (message_id, place, client_id, number)
    """
)
_SKIP: Final = text(
    """
    UPDATE webhook_delivery SET state = 'skipped', due_at = NULL, ended_at = :at
    WHERE tenant_id = :tenant AND webhook_id = :webhook AND state = 'pending'
    """
)
_PLACES: Final = text(
    """
    SELECT had.place, coalesce((SELECT place FROM change_feed WHERE tenant_id = :tenant), 0) AS newest
    FROM webhook_progress AS had
    WHERE had.tenant_id = :tenant AND had.webhook_id = :webhook FOR UPDATE OF had
    """
)
_GO_ON: Final = text(
    """
    UPDATE webhook_progress SET asked = asked + 1, due_at = 'infinity', beyond = '{}', place = :place
    WHERE tenant_id = :tenant AND webhook_id = :webhook
    """
)
_NUMBER: Final = text(
    """
    UPDATE webhook_progress SET last_number = last_number + 1
    WHERE tenant_id = :tenant AND webhook_id = :webhook RETURNING last_number
    """
)
_OPEN: Final = text(
    """
    UPDATE webhook_progress SET failures = 0, failing_since = NULL, paused_until = NULL, asked = asked + 1,
        due_at = least(due_at, now()), delivered_at = :at
    WHERE tenant_id = :tenant AND webhook_id = :webhook
    """
)


class PostgresDeliveries:
    """Keeps the promise of `app.ports.managed_webhooks.Deliveries`."""

    def __init__(self, engine: AsyncEngine, message_id: Callable[[str, int], str]) -> None:
        """Use a pool; the messages about changes are named by their tenant and their place in its feed."""
        self._engine = engine
        self._message_id = message_id

    async def page(
        self, tenant_id: str, webhook_id: str, wanted: DeliveryFilter, before: int | None, limit: int
    ) -> list[Delivery]:
        """List deliveries; see the port."""
        return (await self.pages(tenant_id, [webhook_id], wanted, before, limit)).get(webhook_id, [])

    async def pages(
        self, tenant_id: str, webhook_ids: Sequence[str], wanted: DeliveryFilter, before: int | None, limit: int
    ) -> dict[str, list[Delivery]]:
        """List deliveries of several; see the port."""
        mine = webhook_delivery.c
        given = bindparam("webhooks", list(webhook_ids), type_=ARRAY(Text))
        asked = func.unnest(given).table_valued("webhook_id").render_derived(name="asked")
        page = select(webhook_delivery).where(
            mine.tenant_id == tenant_id, mine.webhook_id == asked.c.webhook_id, _is_shown(tenant_id)
        )
        for column, value in ((mine.state, wanted.state), (mine.client_id, wanted.client_id), (mine.type, wanted.type)):
            if value is not None:
                page = page.where(column == str(value))
        if before is not None:
            page = page.where(mine.number < before)
        found = page.correlate(asked).order_by(mine.number.desc()).limit(limit).lateral("found")
        statement = select(found).select_from(asked.join(found, true())).order_by(found.c.number.desc())
        pages: dict[str, list[Delivery]] = {}
        async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
            for row in await connection.execute(statement):
                pages.setdefault(row.webhook_id, []).append(_delivery(row))
        return pages

    async def one(self, tenant_id: str, webhook_id: str, number: int) -> tuple[Delivery, str | None] | None:
        """Find one; see the port."""
        mine = webhook_delivery.c
        statement = select(webhook_delivery).where(
            mine.tenant_id == tenant_id, mine.webhook_id == webhook_id, mine.number == number, _is_shown(tenant_id)
        )
        async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else (_delivery(row), row.payload)

    async def replay(self, tenant_id: str, webhook_id: str, number: int, at: datetime, by: Actor) -> Delivery | None:
        """Send one again; see the port."""
        values = {"tenant": tenant_id, "webhook": webhook_id, "number": number}

        async def once() -> Delivery | None:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                if not await _asked(connection, tenant_id, webhook_id):
                    return None
                is_kept = (await connection.execute(_IS_KEPT, values)).scalar_one_or_none()
                if is_kept is None:
                    return None
                if not is_kept:
                    raise UnkeptError
                row = (await connection.execute(_AGAIN, values)).one()
                entry = by.did(Action.WEBHOOK_REPLAYED, webhook_subject(webhook_id), at, delivery=number)
                await note(connection, tenant_id, entry)
                return _delivery(row)

        return await retrying(once)

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
        """Send a period again; see the port."""
        values = {
            "tenant": tenant_id,
            "webhook": webhook_id,
            "since": period.since,
            "until": period.until,
            "most": most + 1,
        }

        async def once() -> int | None:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                if not await _asked(connection, tenant_id, webhook_id):
                    return None
                made = await made_by(connection, tenant_id, request_id)
                if made is not None:
                    return int(made)
                found = (await connection.execute(_OF_PERIOD, values)).all()
                if len(found) > most:
                    raise TooManyChangesError
                if not found:
                    return 0
                await connection.execute(_MAKE, self._made(tenant_id, webhook_id, found, at))
                entry = by.did(
                    Action.WEBHOOK_REPLAYED,
                    webhook_subject(webhook_id),
                    at,
                    since=period.since.isoformat(),
                    until=period.until.isoformat(),
                    deliveries=len(found),
                )
                await note(connection, tenant_id, entry)
                await note_made(connection, tenant_id, request_id, str(len(found)))
                return len(found)

        return await retrying(once)

    def _made(self, tenant_id: str, webhook_id: str, found: Sequence[Any], at: datetime) -> dict[str, Any]:
        return {
            "tenant": tenant_id,
            "webhook": webhook_id,
            "count": len(found),
            "at": at,
            "messages": [self._message_id(tenant_id, row.place) for row in found],
            "places": [row.place for row in found],
            "clients": [row.client_id for row in found],
        }

    async def skip(self, tenant_id: str, webhook_id: str, at: datetime, by: Actor) -> int | None:
        """Skip what waits; see the port."""
        values = {"tenant": tenant_id, "webhook": webhook_id}

        async def once() -> int | None:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                places = (await connection.execute(_PLACES, values)).one_or_none()
                if places is None:
                    return None
                skipped = (await connection.execute(_SKIP, {**values, "at": at})).rowcount
                if not skipped and places.newest <= places.place:
                    return 0
                await connection.execute(_GO_ON, {**values, "place": max(places.place, places.newest)})
                entry = by.did(Action.WEBHOOK_SKIPPED, webhook_subject(webhook_id), at, deliveries=skipped)
                await note(connection, tenant_id, entry)
                return skipped

        return await retrying(once)

    async def note(  # noqa: PLR0917 - what it is made from
        self, tenant_id: str, webhook_id: str, message_id: str, payload: str, attempt: Attempt, by: Actor
    ) -> Delivery | None:
        """Note a ping; see the port."""
        values = {"tenant": tenant_id, "webhook": webhook_id}
        state = DeliveryState.DELIVERED if attempt.was_taken else DeliveryState.FAILED

        async def once() -> Delivery | None:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                number = (await connection.execute(_NUMBER, values)).scalar_one_or_none()
                if number is None:
                    return None
                row = {
                    "tenant_id": tenant_id,
                    "webhook_id": webhook_id,
                    "number": number,
                    "message_id": message_id,
                    "type": MessageType.PING.value,
                    "payload": payload,
                    "state": state.value,
                    "tries": 1,
                    "attempts": dump_attempts([attempt]),
                    "created_at": attempt.at,
                    "ended_at": func.now(),
                }
                made = insert(webhook_delivery).values(row).returning(webhook_delivery)
                found = _delivery((await connection.execute(made)).one())
                if attempt.was_taken:
                    await connection.execute(_OPEN, {**values, "at": attempt.at})
                entry = by.did(Action.WEBHOOK_PINGED, webhook_subject(webhook_id), attempt.at, delivery=number)
                await note(connection, tenant_id, entry)
                return found

        return await retrying(once)


async def _asked(connection: AsyncConnection, tenant_id: str, webhook_id: str) -> bool:
    done = await connection.execute(_ASK, {"tenant": tenant_id, "webhook": webhook_id})
    return done.one_or_none() is not None


def _is_shown(tenant_id: str) -> Any:
    client_id = webhook_delivery.c.client_id
    return or_(client_id.is_(None), client_id.not_in(being_erased(tenant_id)))


def _delivery(row: Any) -> Delivery:
    return Delivery(
        number=row.number,
        message_id=row.message_id,
        type=MessageType(row.type),
        place=row.place,
        client_id=row.client_id,
        state=DeliveryState(row.state),
        attempts=load_attempts(row.attempts),
        created_at=row.created_at,
        due_at=row.due_at,
        ended_at=row.ended_at,
    )
