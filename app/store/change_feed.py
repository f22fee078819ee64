"""The change feed in Postgres.

Places of a tenant are given under the lock of the tenant's row, which lasts until what they are given to is durable: so
places become visible in their order, and whoever has read up to one has missed nothing. It is the last lock that a
transaction takes, and one that changes nothing never takes it.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.reading import Aspect, Reading
from app.core.verdict import Verdict
from app.ports.changes import AssessmentChange, ForgottenPlaceError, Page
from app.ports.database import Transaction
from app.store.engine import retrying, transaction
from app.store.reads import Reads

__all__ = ["CHANNEL", "NewChange", "PostgresChangeFeed", "change_of", "note_changes"]

CHANNEL: Final = "partwise_changes"
"""Where Postgres says whose feed has grown."""

NewChange = tuple[str, Any, frozenset[Aspect], Reading | None, Reading]
"""A client, the instant of its new assessment, what changed, and the assessment before and now in short."""

_NOTE: Final = text(
    """
    WITH feed AS (
        INSERT INTO change_feed (tenant_id, place) VALUES (:tenant, :count)
        ON CONFLICT (tenant_id) DO UPDATE SET place = change_feed.place + excluded.place
        RETURNING place - :count AS place
    )
    INSERT INTO assessment_change (
        tenant_id, place, at, client_id, as_of, aspects, score_before, verdict_before, client_type_before, score,
        verdict, client_type
    )
    SELECT
        :tenant, feed.place + made.number, clock_timestamp(), made.client_id, made.as_of,
        string_to_array(made.aspects, ' '), made.score_before, made.verdict_before, made.client_type_before,
        made.score, made.verdict, made.client_type
    FROM feed CROSS JOIN unnest(
        CAST(:clients AS text[]), CAST(:instants AS timestamptz[]), CAST(:aspects AS text[]),
        CAST(:scores_before AS float8[]), CAST(:verdicts_before AS text[]), CAST(:types_before AS text[]),
        CAST(:scores AS float8[]), CAST(:verdicts AS text[]), CAST(:types AS text[])
    ) WITH ORDINALITY AS made (
        client_id, as_of, aspects, score_before, verdict_before, client_type_before, score, verdict, client_type, number
    )
    """
)

# One statement sees feed and changes as of one instant.
_PAGE: Final = """
    SELECT feed.place AS newest, feed.removed_until, change.*
    FROM change_feed AS feed LEFT JOIN LATERAL (
        SELECT place, at, client_id, as_of, aspects, score_before, verdict_before, client_type_before, score, verdict,
            client_type
        FROM assessment_change WHERE tenant_id = $1 AND place > $2
            AND client_id NOT IN (SELECT client_id FROM erasure WHERE tenant_id = $1 AND client_id IS NOT NULL)
        ORDER BY place LIMIT $3
    ) AS change ON true
    WHERE feed.tenant_id = $1
    ORDER BY change.place
"""
_NEWEST: Final = "SELECT place FROM change_feed WHERE tenant_id = $1"
_OLD: Final = text("SELECT tenant_id FROM tenants_with_old_changes(:days, :most)")
_REMOVE: Final = text(
    """
    WITH old AS (
        SELECT place FROM assessment_change
        WHERE tenant_id = :tenant AND at < now() - make_interval(days => :days)
        ORDER BY place LIMIT :most
    ), noted AS (
        UPDATE change_feed SET removed_until = greatest(removed_until, (SELECT max(place) FROM old))
        WHERE tenant_id = :tenant AND EXISTS (SELECT FROM old)
    )
    DELETE FROM assessment_change WHERE tenant_id = :tenant AND place IN (SELECT place FROM old)
    """
)


async def note_changes(connection: AsyncConnection, tenant_id: str, changes: Sequence[NewChange]) -> None:
    """Add changes to the feed, in the transaction that stores the assessments; nothing is locked after this."""
    if not changes:
        return
    clients, instants, aspects, before, after = zip(*changes, strict=True)
    values = {
        "tenant": tenant_id,
        "count": len(changes),
        "clients": list(clients),
        "instants": list(instants),
        "aspects": [" ".join(sorted(some)) for some in aspects],
        "scores_before": [None if one is None else one.score for one in before],
        "verdicts_before": [None if one is None else one.verdict.value for one in before],
        "types_before": [None if one is None else one.client_type for one in before],
        "scores": [one.score for one in after],
        "verdicts": [one.verdict.value for one in after],
        "types": [one.client_type for one in after],
    }
    await connection.execute(_NOTE, values)


class PostgresChangeFeed:
    """Keeps the promise of `app.ports.changes.ChangeFeed`."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        """Read by single statements, remove in transactions of a pool."""
        self._engine = engine
        self._reads = reads

    async def page(self, tenant_id: str, after: int | None, limit: int) -> Page:
        """Read a part of the feed; see the port."""
        rows = await self._reads.rows(tenant_id, _PAGE, 0 if after is None else after, limit + 1)
        if not rows:
            if after:
                raise ForgottenPlaceError
            return Page((), 0, has_more=False)
        newest, removed_until = rows[0][0], rows[0][1]
        if after is not None and not removed_until <= after <= newest:
            raise ForgottenPlaceError
        changes = [change_of(row[2:]) for row in rows[:limit] if row[2] is not None]
        has_more = len(rows) > limit
        return Page(changes, changes[-1].place if has_more else newest, has_more)

    async def newest(self, tenant_id: str) -> int:
        """Find the newest place; see the port."""
        return await self._reads.value(tenant_id, _NEWEST) or 0

    async def remove_old(self, days: int, most: int) -> int:
        """Remove what is old; see the port."""
        async with transaction(self._engine, None, Transaction.CHANGES) as connection:
            tenants = [row.tenant_id for row in await connection.execute(_OLD, {"days": days, "most": most})]
        return sum([await self._remove(tenant_id, days, most) for tenant_id in sorted(tenants)])

    async def _remove(self, tenant_id: str, days: int, most: int) -> int:
        async def once() -> int:
            async with transaction(self._engine, tenant_id, Transaction.CHANGES) as connection:
                done = await connection.execute(_REMOVE, {"tenant": tenant_id, "days": days, "most": most})
                return done.rowcount

        return await retrying(once)


def change_of(row: Sequence[Any]) -> AssessmentChange:
    """A change from its columns, in the order in which a page has them."""
    place, at, client_id, as_of, aspects, *readings = row
    before = None if readings[1] is None else Reading(readings[0], Verdict(readings[1]), readings[2])
    after = Reading(readings[3], Verdict(readings[4]), readings[5])
    return AssessmentChange(place, at, client_id, as_of, frozenset(map(Aspect, aspects)), before, after)
