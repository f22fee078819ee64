"""Webhooks in Postgres, for those who manage them.

Who changes one locks its row, and then that of its progress; who delivers does it the other way round, so that one of
them may have to begin anew (`retrying`). What the worker that delivers has to know is told it by
`webhook_progress.asked`, whose row is locked by whoever writes deliveries: an erasure waits for it
(`app.store.erasures`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ports.audit import Action, Actor, webhook_subject
from app.ports.conditions import UnfitError
from app.ports.database import Transaction
from app.ports.managed_webhooks import TooManySecretsError
from app.ports.webhooks import Progress, Secret, Webhook
from app.store.audit import note
from app.store.engine import retrying, transaction
from app.store.outbox import webhook_of
from app.store.requests import made_by, note_made
from app.store.tables import change_feed, tenant, webhook, webhook_delivery, webhook_progress, webhook_secret

__all__ = ["PostgresWebhooks"]

_DELIVERIES: Final = 2_000
"""Deliveries that one transaction removes at most."""
_COUNTED: Final = 1_000

_PROGRESS: Final = text(
    """
    SELECT had.webhook_id, greatest(coalesce(feed.place, 0) - had.place, 0) AS behind, pending.deliveries,
        had.failures, had.failing_since, had.paused_until, had.delivered_at, known.created_at, known.ends_at
    FROM webhook_progress AS had
    LEFT JOIN change_feed AS feed ON feed.tenant_id = had.tenant_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS deliveries FROM (
            SELECT FROM webhook_delivery AS delivery
            WHERE delivery.tenant_id = had.tenant_id AND delivery.webhook_id = had.webhook_id
                AND delivery.state = 'pending'
            LIMIT :most
        ) AS counted
    ) AS pending
    CROSS JOIN LATERAL (
        SELECT max(secret.created_at) AS created_at,
            max(secret.ends_at) FILTER (WHERE secret.ends_at > now()) AS ends_at
        FROM webhook_secret AS secret
        WHERE secret.tenant_id = had.tenant_id AND secret.webhook_id = had.webhook_id
    ) AS known
    WHERE had.tenant_id = :tenant AND had.webhook_id = ANY(:webhooks)
    """
)
# Whatever was put off is tried at once, from the schedule's beginning; what waits for one before it goes on waiting.
_BEGIN_ANEW: Final = text(
    """
    UPDATE webhook_delivery SET tries = 0, due_at = CASE WHEN due_at IS NULL THEN NULL ELSE now() END
    WHERE tenant_id = :tenant AND webhook_id = :webhook AND state = 'pending'
    """
)
_REMOVE_SOME: Final = text(
    """
    DELETE FROM webhook_delivery WHERE tenant_id = :tenant AND webhook_id = :webhook AND number = ANY(ARRAY(
        SELECT number FROM webhook_delivery WHERE tenant_id = :tenant AND webhook_id = :webhook LIMIT :most
    ))
    """
)


class PostgresWebhooks:
    """Keeps the promise of `app.ports.managed_webhooks.Webhooks`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine

    async def add(  # noqa: PLR0917 - what it is made from
        self, tenant_id: str, made: Webhook, secret: Secret, most: int, by: Actor, request_id: str | None = None
    ) -> Webhook | None:
        """Keep a new one; see the port."""

        async def once() -> Webhook | None:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                # Of two at once the second waits for the first, and then counts it.
                await connection.execute(select(tenant.c.tenant_id).where(_of(tenant, tenant_id)).with_for_update())
                if await made_by(connection, tenant_id, request_id) is not None:
                    # Nobody has seen the secret.
                    mine = update(webhook_secret).where(_of(webhook_secret, tenant_id, made.webhook_id))
                    await connection.execute(mine.values(value=secret.value))
                    return await _get(connection, tenant_id, made.webhook_id)
                counted = select(func.count()).select_from(webhook).where(_of(webhook, tenant_id))
                if (await connection.execute(counted)).scalar_one() >= most:
                    return None
                own = {"tenant_id": tenant_id, "webhook_id": made.webhook_id}
                await connection.execute(
                    insert(webhook).values(**own, created_at=made.created_at, revision=made.revision, **_columns(made))
                )
                await connection.execute(insert(webhook_secret).values(**own, **_secret_columns(secret)))
                newest = select(func.coalesce(func.max(change_feed.c.place), 0)).where(_of(change_feed, tenant_id))
                await connection.execute(insert(webhook_progress).values(**own, place=newest.scalar_subquery()))
                entry = by.did(Action.WEBHOOK_CREATED, webhook_subject(made.webhook_id), made.created_at)
                await note(connection, tenant_id, entry)
                await note_made(connection, tenant_id, request_id, made.webhook_id)
                return await _get(connection, tenant_id, made.webhook_id)

        return await retrying(once)

    async def all(self, tenant_id: str) -> list[Webhook]:
        """List them; see the port."""
        statement = _webhooks(tenant_id).order_by(webhook.c.created_at, webhook.c.webhook_id)
        async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
            return [webhook_of(row) for row in await connection.execute(statement)]

    async def get(self, tenant_id: str, webhook_id: str) -> Webhook | None:
        """Find one; see the port."""
        async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
            return await _get(connection, tenant_id, webhook_id)

    async def progress(self, tenant_id: str, webhook_ids: Sequence[str]) -> dict[str, Progress]:
        """Tell how some do; see the port."""
        values = {"tenant": tenant_id, "webhooks": list(webhook_ids), "most": _COUNTED}
        async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
            return {
                row.webhook_id: Progress(
                    row.behind,
                    row.deliveries,
                    row.failures,
                    row.failing_since,
                    row.paused_until,
                    row.delivered_at,
                    row.created_at,
                    row.ends_at,
                )
                for row in await connection.execute(_PROGRESS, values)
            }

    async def change(  # noqa: PLR0917 - what it is made from
        self,
        tenant_id: str,
        webhook_id: str,
        changed: Callable[[Webhook], Webhook],
        at: datetime,
        by: Actor,
        fits: Callable[[Webhook], bool] | None = None,
    ) -> Webhook | None:
        """Change one; see the port."""

        async def once() -> Webhook | None:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                before = await _get(connection, tenant_id, webhook_id, lock=True)
                if before is None:
                    return None
                if fits is not None and not fits(before):
                    raise UnfitError
                after = changed(before)
                if after == before:
                    return before
                mine = update(webhook).where(_of(webhook, tenant_id, webhook_id))
                await connection.execute(mine.values(**_columns(after), revision=webhook.c.revision + 1))
                has_begun = before.disabled is not None and after.disabled is None
                anew: dict[str, Any] = {"asked": webhook_progress.c.asked + 1}
                if has_begun:
                    anew |= {"failures": 0, "failing_since": None, "paused_until": None, "troubled": False}
                    anew |= {"due_at": func.least(webhook_progress.c.due_at, func.now())}
                await connection.execute(
                    update(webhook_progress).where(_of(webhook_progress, tenant_id, webhook_id)).values(anew)
                )
                if has_begun:
                    await connection.execute(_BEGIN_ANEW, {"tenant": tenant_id, "webhook": webhook_id})
                action, fields = _what_was_done(before, after)
                await note(connection, tenant_id, by.did(action, webhook_subject(webhook_id), at, fields=fields))
                return await _get(connection, tenant_id, webhook_id)

        return await retrying(once)

    async def remove(
        self,
        tenant_id: str,
        webhook_id: str,
        at: datetime,
        by: Actor,
        fits: Callable[[Webhook], bool] | None = None,
    ) -> bool:
        """Remove one; see the port."""

        async def once() -> bool:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                before = await _get(connection, tenant_id, webhook_id, lock=True)
                if before is None:
                    return False
                if fits is not None and not fits(before):
                    raise UnfitError
                for table in (webhook_progress, webhook_secret, webhook):
                    await connection.execute(delete(table).where(_of(table, tenant_id, webhook_id)))
                # Nobody finds them any more, and they are forgotten with what is old, should this not come to its end.
                over = update(webhook_delivery).where(
                    _of(webhook_delivery, tenant_id, webhook_id), webhook_delivery.c.state == "pending"
                )
                await connection.execute(over.values(state="skipped", due_at=None, ended_at=func.now()))
                await note(connection, tenant_id, by.did(Action.WEBHOOK_REMOVED, webhook_subject(webhook_id), at))
            return True

        known = await retrying(once)
        while known and await self._remove_some(tenant_id, webhook_id):
            pass
        return known

    async def _remove_some(self, tenant_id: str, webhook_id: str) -> bool:
        async def once() -> bool:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                values = {"tenant": tenant_id, "webhook": webhook_id, "most": _DELIVERIES}
                return (await connection.execute(_REMOVE_SOME, values)).rowcount == _DELIVERIES

        return await retrying(once)

    async def secrets(self, tenant_id: str, webhook_id: str) -> list[Secret]:
        """List those that sign; see the port."""
        known = webhook_secret.c
        statement = (
            select(known.number, known.value, known.created_at, known.ends_at)
            .where(_of(webhook_secret, tenant_id, webhook_id), or_(known.ends_at.is_(None), known.ends_at > func.now()))
            .order_by(known.number.desc())
        )
        async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
            return [Secret(*row) for row in await connection.execute(statement)]

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
        """Sign with another secret; see the port."""
        known = webhook_secret.c

        async def once() -> Webhook | None:
            async with transaction(self._engine, tenant_id, Transaction.WEBHOOK) as connection:
                before = await _get(connection, tenant_id, webhook_id, lock=True)
                if before is None:
                    return None
                is_again = await made_by(connection, tenant_id, request_id) is not None
                if fits is not None and not is_again and not fits(before):
                    raise UnfitError
                await note_made(connection, tenant_id, request_id, webhook_id)
                numbers = select(func.max(known.number)).where(_of(webhook_secret, tenant_id, webhook_id))
                last = (await connection.execute(numbers)).scalar_one() or 0
                # No former secret ever ends later.
                await connection.execute(
                    update(webhook_secret)
                    .where(_of(webhook_secret, tenant_id, webhook_id))
                    .values(ends_at=func.least(known.ends_at, ends_at))
                )
                await connection.execute(
                    delete(webhook_secret).where(
                        _of(webhook_secret, tenant_id, webhook_id), known.ends_at <= secret.created_at
                    )
                )
                counted = (
                    select(func.count()).select_from(webhook_secret).where(_of(webhook_secret, tenant_id, webhook_id))
                )
                if (await connection.execute(counted)).scalar_one() >= most:
                    raise TooManySecretsError
                own = {"tenant_id": tenant_id, "webhook_id": webhook_id}
                values = _secret_columns(secret) | {"number": last + 1}
                await connection.execute(insert(webhook_secret).values(**own, **values))
                await connection.execute(
                    update(webhook).where(_of(webhook, tenant_id, webhook_id)).values(revision=webhook.c.revision + 1)
                )
                await connection.execute(
                    update(webhook_progress)
                    .where(_of(webhook_progress, tenant_id, webhook_id))
                    .values(asked=webhook_progress.c.asked + 1)
                )
                entry = by.did(
                    Action.WEBHOOK_ROTATED,
                    webhook_subject(webhook_id),
                    secret.created_at,
                    former_ends_at=ends_at.isoformat(),
                )
                await note(connection, tenant_id, entry)
                return await _get(connection, tenant_id, webhook_id)

        return await retrying(once)


def _of(table: Any, tenant_id: str, webhook_id: str | None = None) -> Any:
    mine = table.c.tenant_id == tenant_id
    return mine if webhook_id is None else mine & (table.c.webhook_id == webhook_id)


def _webhooks(tenant_id: str) -> Select[Any]:
    return select(webhook).where(webhook.c.tenant_id == tenant_id)


async def _get(connection: AsyncConnection, tenant_id: str, webhook_id: str, *, lock: bool = False) -> Webhook | None:
    statement = _webhooks(tenant_id).where(webhook.c.webhook_id == webhook_id)
    row = (await connection.execute(statement.with_for_update() if lock else statement)).one_or_none()
    return None if row is None else webhook_of(row)


def _columns(one: Webhook) -> dict[str, Any]:
    """What can be changed."""
    wanted, disabled = one.wanted, one.disabled
    return {
        "url": one.url,
        "description": one.description,
        "types": sorted(wanted.types),
        "verdicts": sorted(wanted.verdicts),
        "client_types": sorted(wanted.client_types),
        "aspects": sorted(wanted.aspects),
        "sources": sorted(wanted.sources),
        "state": one.state.value,
        "disabled_at": None if disabled is None else disabled.at,
        "disabled_reason": None if disabled is None else disabled.reason.value,
    }


def _secret_columns(secret: Secret) -> dict[str, Any]:
    return {
        "number": secret.number,
        "value": secret.value,
        "created_at": secret.created_at,
        "ends_at": secret.ends_at,
    }


def _what_was_done(before: Webhook, after: Webhook) -> tuple[Action, list[str] | None]:
    """What the log says of it: which fields were changed, not what is in them."""
    if before.disabled != after.disabled:
        return (Action.WEBHOOK_ENABLED if after.disabled is None else Action.WEBHOOK_DISABLED), None
    was, is_now = _columns(before), _columns(after)
    return Action.WEBHOOK_CHANGED, sorted(name for name in was if was[name] != is_now[name])
