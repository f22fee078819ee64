"""What those who deliver webhooks read and note, in Postgres."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.reading import Aspect
from app.core.verdict import Verdict
from app.ports.audit import Action, Actor, webhook_subject
from app.ports.database import Transaction
from app.ports.outbox import Figure, Opened, Pending, Record, Standing
from app.ports.webhooks import Disabled, DisabledReason, Filter, MessageType, Webhook
from app.store.attempts import dump_attempts, load_attempts
from app.store.audit import note
from app.store.change_feed import change_of
from app.store.engine import retrying, transaction
from app.store.reads import Reads

__all__ = ["PostgresOutbox", "webhook_of"]

_BY: Final = Actor("worker")
_COUNTED: Final = 1_000

_CLAIM: Final = text("SELECT tenant_id, webhook_id FROM claim_webhooks(:who, :most, make_interval(secs => :lease))")
_RENEW: Final = text("SELECT tenant_id, webhook_id, asked FROM renew_webhooks(:who, make_interval(secs => :lease))")
_RELEASE: Final = text("SELECT webhook_id FROM release_webhooks(:who)")
_FIGURES: Final = text("SELECT * FROM webhook_figures(:most)")
_OLD: Final = text("SELECT tenant_id FROM tenants_with_old_deliveries(:days, :most)")

_WEBHOOK: Final = text(
    """
    SELECT one.*, had.place, had.beyond, had.asked, had.failures, had.failing_since, had.paused_until
    FROM webhook AS one JOIN webhook_progress AS had USING (tenant_id, webhook_id)
    WHERE one.tenant_id = :tenant AND one.webhook_id = :webhook AND one.state = 'enabled'
    """
)
_SECRETS: Final = text(
    """
    SELECT value, ends_at FROM webhook_secret
    WHERE tenant_id = :tenant AND webhook_id = :webhook AND (ends_at IS NULL OR ends_at > now())
    ORDER BY number DESC
    """
)
_PENDING: Final = text(
    """
    SELECT pending.number, pending.message_id, pending.type, pending.client_id AS whose, pending.payload, pending.tries,
        pending.attempts, pending.due_at, pending.created_at,
        change.place, change.at, change.client_id, change.as_of, change.aspects, change.score_before,
        change.verdict_before, change.client_type_before, change.score, change.verdict, change.client_type
    FROM webhook_delivery AS pending LEFT JOIN assessment_change AS change
        ON change.tenant_id = :tenant AND change.place = pending.place
        AND change.client_id NOT IN (SELECT client_id FROM erasure WHERE tenant_id = :tenant AND client_id IS NOT NULL)
    WHERE pending.tenant_id = :tenant AND pending.webhook_id = :webhook AND pending.state = 'pending'
    ORDER BY pending.number LIMIT :most
    """
)
_TOLD: Final = """
    SELECT place FROM assessment_change WHERE tenant_id = $1 AND place = ANY($2::bigint[])
        AND client_id NOT IN (SELECT client_id FROM erasure WHERE tenant_id = $1 AND client_id IS NOT NULL)
"""
_FROM_SOURCES: Final = """
    SELECT asked.client_id FROM unnest($2::text[]) AS asked (client_id)
    WHERE EXISTS (
        SELECT FROM event WHERE tenant_id = $1 AND client_id = asked.client_id AND source = ANY($3::text[])
    )
"""

# What is lost with a crash of Postgres itself is delivered again.
_QUICKLY: Final = text("SET LOCAL synchronous_commit = off")
# What somebody else has set meanwhile stands, until the owner has looked anew: that something is due, that what waited
# is skipped, that nothing holds it up any more. Nor does it go on in the feed, but for what was told: what was passed
# over may be wanted now.
_STAND: Final = text(
    """
    UPDATE webhook_progress AS mine SET
        place = CASE WHEN mine.asked <> now.asked THEN mine.place ELSE now.place END,
        beyond = CASE
            WHEN mine.asked <> now.asked THEN mine.beyond || string_to_array(now.told, ' ')::bigint[]
            ELSE string_to_array(now.beyond, ' ')::bigint[]
        END,
        last_number = mine.last_number + now.made,
        due_at = least(
            coalesce(now.due_at, 'infinity'), CASE WHEN mine.asked <> now.asked THEN mine.due_at ELSE 'infinity' END
        ),
        failures = CASE WHEN mine.asked <> now.asked THEN mine.failures ELSE now.failures END,
        failing_since = CASE WHEN mine.asked <> now.asked THEN mine.failing_since ELSE now.failing_since END,
        paused_until = CASE WHEN mine.asked <> now.asked THEN mine.paused_until ELSE now.paused_until END,
        troubled = now.troubled, delivered_at = coalesce(now.delivered_at, mine.delivered_at),
        owner = CASE WHEN now.released THEN NULL ELSE mine.owner END,
        owned_until = CASE WHEN now.released THEN '-infinity' ELSE mine.owned_until END
    FROM unnest(
        CAST(:webhooks AS text[]), CAST(:asked AS bigint[]), CAST(:places AS bigint[]), CAST(:beyond AS text[]),
        CAST(:told AS text[]), CAST(:made AS bigint[]), CAST(:due AS timestamptz[]), CAST(:failures AS integer[]),
        CAST(:since AS timestamptz[]), CAST(:paused AS timestamptz[]), CAST(:troubled AS boolean[]),
        CAST(:delivered AS timestamptz[]), CAST(:released AS boolean[])
    ) AS now (
        webhook_id, asked, place, beyond, told, made, due_at, failures, failing_since, paused_until, troubled,
        delivered_at, released
    )
    WHERE mine.tenant_id = :tenant AND mine.webhook_id = now.webhook_id AND mine.owner = :who
    RETURNING mine.webhook_id, mine.last_number
    """
)
# By a statement of its own, which sees whom those have erased who were waited for.
_MAKE: Final = text(
    """
    INSERT INTO webhook_delivery (
        tenant_id, webhook_id, number, message_id, type, place, client_id, state, tries, attempts, due_at, created_at,
        ended_at
    )
    SELECT :tenant, made.* FROM unnest(
        CAST(:webhooks AS text[]), CAST(:numbers AS bigint[]), CAST(:messages AS text[]), CAST(:types AS text[]),
        CAST(:places AS bigint[]), CAST(:clients AS text[]), CAST(:states AS text[]), CAST(:tries AS integer[]),
        CAST(:attempts AS text[]), CAST(:due AS timestamptz[]), CAST(:created AS timestamptz[]),
        CAST(:ended AS timestamptz[])
    ) AS made (
        webhook_id, number, message_id, type, place, client_id, state, tries, attempts, due_at, created_at, ended_at
    )
    LEFT JOIN client ON client.tenant_id = :tenant AND client.client_id = made.client_id
    WHERE made.client_id IS NULL OR client.client_id IS NOT NULL
    """
)
_END: Final = text(
    """
    UPDATE webhook_delivery AS mine SET state = now.state, tries = now.tries, attempts = now.attempts,
        due_at = now.due_at, ended_at = now.ended_at
    FROM unnest(
        CAST(:webhooks AS text[]), CAST(:numbers AS bigint[]), CAST(:states AS text[]), CAST(:tries AS integer[]),
        CAST(:attempts AS text[]), CAST(:due AS timestamptz[]), CAST(:ended AS timestamptz[])
    ) AS now (webhook_id, number, state, tries, attempts, due_at, ended_at)
    WHERE mine.tenant_id = :tenant AND mine.webhook_id = now.webhook_id AND mine.number = now.number
        AND mine.state = 'pending'
    """
)

_GIVE_UP: Final = text(
    """
    UPDATE webhook_progress SET owner = NULL, owned_until = '-infinity'
    WHERE tenant_id = :tenant AND webhook_id = :webhook AND owner = :who
    """
)
_DISABLE: Final = text(
    """
    UPDATE webhook SET state = 'disabled', disabled_at = :at, disabled_reason = :reason, revision = revision + 1
    WHERE tenant_id = :tenant AND webhook_id = :webhook AND state = 'enabled'
    RETURNING *
    """
)
_TELL: Final = text(
    """
    WITH wanting AS (
        UPDATE webhook_progress AS other SET last_number = other.last_number + 1, asked = other.asked + 1,
            due_at = least(other.due_at, now())
        FROM webhook AS one
        WHERE other.tenant_id = :tenant AND other.webhook_id <> :webhook
            AND one.tenant_id = :tenant AND one.webhook_id = other.webhook_id
            AND one.state = 'enabled' AND :type = ANY(one.types)
        RETURNING other.webhook_id, other.last_number
    )
    INSERT INTO webhook_delivery (
        tenant_id, webhook_id, number, message_id, type, payload, state, due_at, created_at
    )
    SELECT :tenant, webhook_id, last_number, :message, :type, :payload, 'pending', now(), :at FROM wanting
    """
)
_REMOVE: Final = text(
    """
    DELETE FROM webhook_delivery WHERE tenant_id = :tenant AND (webhook_id, number) IN (
        SELECT webhook_id, number FROM webhook_delivery
        WHERE tenant_id = :tenant AND ended_at < now() - make_interval(days => :days)
        ORDER BY ended_at LIMIT :most
    )
    """
)


class PostgresOutbox:
    """Keeps the promise of `app.ports.outbox.Outbox`."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        """Read by single statements, note in transactions of a pool."""
        self._engine = engine
        self._reads = reads

    async def claim(self, who: str, most: int, lease: float) -> list[tuple[str, str]]:
        """Become the owner of some; see the port."""
        async with transaction(self._engine, None, Transaction.DELIVERY) as connection:
            rows = await connection.execute(_CLAIM, {"who": who, "most": most, "lease": lease})
            return [(row.tenant_id, row.webhook_id) for row in rows]

    async def renew(self, who: str, lease: float) -> dict[tuple[str, str], int]:
        """Stay the owner; see the port."""

        async def once() -> dict[tuple[str, str], int]:
            async with transaction(self._engine, None, Transaction.DELIVERY) as connection:
                rows = await connection.execute(_RENEW, {"who": who, "lease": lease})
                return {(row.tenant_id, row.webhook_id): row.asked for row in rows}

        return await retrying(once)

    async def release(self, who: str) -> None:
        """Own none any more; see the port."""

        async def once() -> None:
            async with transaction(self._engine, None, Transaction.DELIVERY) as connection:
                await connection.execute(_RELEASE, {"who": who})

        await retrying(once)

    async def give_up(self, tenant_id: str, webhook_id: str, who: str) -> None:
        """Own one no more; see the port."""
        values = {"tenant": tenant_id, "webhook": webhook_id, "who": who}
        async with transaction(self._engine, tenant_id, Transaction.DELIVERY) as connection:
            await connection.execute(_GIVE_UP, values)

    async def open(self, tenant_id: str, webhook_id: str, most: int) -> Opened | None:
        """What there is to do; see the port."""
        whose = {"tenant": tenant_id, "webhook": webhook_id}
        async with transaction(self._engine, tenant_id, Transaction.DELIVERY) as connection:
            row = (await connection.execute(_WEBHOOK, whose)).one_or_none()
            if row is None:
                return None
            secrets = (await connection.execute(_SECRETS, whose)).all()
            pending = (await connection.execute(_PENDING, {**whose, "most": most + 1})).all()
        return Opened(
            webhook_of(row),
            [one.value for one in secrets],
            min((one.ends_at for one in secrets if one.ends_at is not None), default=None),
            row.place,
            frozenset(row.beyond),
            row.asked,
            row.failures,
            row.failing_since,
            row.paused_until,
            [_pending(one) for one in pending[:most]],
            len(pending) > most,
        )

    async def told(self, tenant_id: str, places: Sequence[int]) -> set[int]:
        """Those that are still told; see the port."""
        return {row[0] for row in await self._reads.rows(tenant_id, _TOLD, list(places))}

    async def from_sources(self, tenant_id: str, client_ids: Sequence[str], sources: Collection[str]) -> set[str]:
        """Those with an event from a source; see the port."""
        rows = await self._reads.rows(tenant_id, _FROM_SOURCES, list(client_ids), list(sources))
        return {row[0] for row in rows}

    async def record(
        self, tenant_id: str, who: str, standings: Sequence[Standing], records: Sequence[Record]
    ) -> Mapping[str, Sequence[int]]:
        """Note what became of deliveries; see the port."""
        ordered = sorted(standings, key=lambda one: one.webhook_id)
        made: dict[str, list[Record]] = {one.webhook_id: [] for one in ordered}
        for one in records:
            if one.number is None:
                made[one.webhook_id].append(one)
        # Of what was tried more than once meanwhile the last try counts.
        known = list({(one.webhook_id, one.number): one for one in records if one.number is not None}.values())
        places: dict[str, list[int]] = {one.webhook_id: [] for one in ordered}
        for one in records:
            if one.place is not None:
                places[one.webhook_id].append(one.place)

        async def once() -> dict[str, Sequence[int]]:
            async with transaction(self._engine, tenant_id, Transaction.DELIVERY) as connection:
                await connection.execute(_QUICKLY)
                counts = {name: len(some) for name, some in made.items()}
                owned = {
                    row.webhook_id: range(row.last_number - counts[row.webhook_id] + 1, row.last_number + 1)
                    for row in await connection.execute(_STAND, _standings(tenant_id, who, ordered, counts, places))
                }
                new = [
                    (one, number)
                    for name, numbers in owned.items()
                    for one, number in zip(made[name], numbers, strict=True)
                ]
                if new:
                    await connection.execute(_MAKE, _new(tenant_id, new))
                if ended := [one for one in known if one.webhook_id in owned]:
                    await connection.execute(_END, _known(tenant_id, ended))
                return dict(owned)

        return await retrying(once)

    async def disable(
        self, tenant_id: str, webhook_id: str, who: str, disabled: Disabled, payload: Callable[[Webhook], bytes]
    ) -> bool:
        """Disable one; see the port."""
        values = {"tenant": tenant_id, "webhook": webhook_id, "at": disabled.at, "reason": disabled.reason.value}

        async def once() -> bool:
            async with transaction(self._engine, tenant_id, Transaction.DELIVERY) as connection:
                done = await connection.execute(_GIVE_UP, {"tenant": tenant_id, "webhook": webhook_id, "who": who})
                if not done.rowcount:
                    return False
                row = (await connection.execute(_DISABLE, values)).one_or_none()
                if row is None:
                    return False
                await self._tell(connection, tenant_id, webhook_of(row), disabled, payload)
                return True

        return await retrying(once)

    async def _tell(
        self,
        connection: AsyncConnection,
        tenant_id: str,
        webhook: Webhook,
        disabled: Disabled,
        payload: Callable[[Webhook], bytes],
    ) -> None:
        told = {
            "tenant": tenant_id,
            "webhook": webhook.webhook_id,
            "type": MessageType.DISABLED.value,
            "message": f"msg_{uuid.uuid4().hex}",
            "payload": payload(webhook).decode(),
            "at": disabled.at,
        }
        await connection.execute(_TELL, told)
        subject = webhook_subject(webhook.webhook_id)
        entry = _BY.did(Action.WEBHOOK_DISABLED, subject, disabled.at, reason=disabled.reason.value)
        await note(connection, tenant_id, entry)

    async def figures(self) -> list[Figure]:
        """How all do; see the port."""
        async with transaction(self._engine, None, Transaction.DELIVERY) as connection:
            rows = await connection.execute(_FIGURES, {"most": _COUNTED})
            return [
                Figure(row.state == "enabled", row.troubled, row.webhooks, row.waiting, row.seconds or 0.0)
                for row in rows
            ]

    async def remove_old(self, days: int, most: int) -> int:
        """Remove what is old; see the port."""
        async with transaction(self._engine, None, Transaction.DELIVERY) as connection:
            tenants = [row.tenant_id for row in await connection.execute(_OLD, {"days": days, "most": most})]
        return sum([await self._remove(tenant_id, days, most) for tenant_id in sorted(tenants)])

    async def _remove(self, tenant_id: str, days: int, most: int) -> int:
        async def once() -> int:
            async with transaction(self._engine, tenant_id, Transaction.DELIVERY) as connection:
                done = await connection.execute(_REMOVE, {"tenant": tenant_id, "days": days, "most": most})
                return done.rowcount

        return await retrying(once)


def webhook_of(row: Any) -> Webhook:
    """A webhook from its row."""
    disabled = None
    if row.state == "disabled":
        disabled = Disabled(row.disabled_at, DisabledReason(row.disabled_reason))
    wanted = Filter(
        frozenset(map(MessageType, row.types)),
        frozenset(map(Verdict, row.verdicts)),
        frozenset(row.client_types),
        frozenset(map(Aspect, row.aspects)),
        frozenset(row.sources),
    )
    return Webhook(row.webhook_id, row.url, row.description, wanted, row.created_at, row.revision, disabled)


def _pending(row: Any) -> Pending:
    return Pending(
        row.number,
        row.message_id,
        MessageType(row.type),
        None if row.place is None else change_of(row[9:]),
        row.whose,
        None if row.payload is None else row.payload.encode(),
        row.tries,
        load_attempts(row.attempts),
        row.due_at,
        row.created_at,
    )


def _standings(
    tenant_id: str,
    who: str,
    standings: Sequence[Standing],
    made: Mapping[str, int],
    places: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "who": who,
        "webhooks": [one.webhook_id for one in standings],
        "asked": [one.asked for one in standings],
        "places": [one.place for one in standings],
        "beyond": [" ".join(map(str, sorted(one.beyond))) for one in standings],
        "told": [" ".join(map(str, places[one.webhook_id])) for one in standings],
        "made": [made[one.webhook_id] for one in standings],
        "due": [one.due_at for one in standings],
        "failures": [one.failures for one in standings],
        "since": [one.failing_since for one in standings],
        "paused": [one.paused_until for one in standings],
        "troubled": [one.troubled for one in standings],
        "delivered": [one.delivered_at for one in standings],
        "released": [one.released for one in standings],
    }


def _new(tenant_id: str, made: Sequence[tuple[Record, int]]) -> dict[str, Any]:
    records = [one for one, _ in made]
    return {
        **_known(tenant_id, records),
        "numbers": [number for _, number in made],
        "messages": [one.message_id for one in records],
        "types": [one.type.value for one in records],
        "places": [one.place for one in records],
        "clients": [one.client_id for one in records],
        "created": [one.created_at for one in records],
    }


def _known(tenant_id: str, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "webhooks": [one.webhook_id for one in records],
        "numbers": [one.number for one in records],
        "states": [one.state.value for one in records],
        "tries": [one.tries for one in records],
        "attempts": [dump_attempts(one.attempts) for one in records],
        "due": [one.due_at for one in records],
        "ended": [one.ended_at for one in records],
    }
