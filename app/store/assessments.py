"""Stored assessments in Postgres."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.reading import Aspect, Reading, changed_aspects
from app.core.verdict import Verdict
from app.ports.assessments import (
    AssessmentFormat,
    Backlog,
    Counted,
    ListedBy,
    Made,
    Place,
    Seen,
    Stored,
    VerdictChange,
    Wanted,
    Window,
)
from app.ports.clients import ClientRecord
from app.ports.database import Transaction
from app.store.change_feed import NewChange, note_changes
from app.store.client_order import DIRECTIONS, condition, filters
from app.store.engine import retrying, transaction
from app.store.reads import Reads
from app.store.tallies import Additions, dump_tally, load_tally

__all__ = ["PostgresAssessments"]

_CLAIM: Final = text("SELECT tenant_id, client_id FROM claim_due_clients(:most, make_interval(secs => :seconds))")
_CLAIM_NEWEST: Final = text(
    "SELECT tenant_id, client_id FROM claim_newest_due_clients(:most, make_interval(secs => :seconds))"
)
_BACKLOG: Final = text("SELECT clients, seconds FROM due_clients(:most)")

# In one order everywhere, the ledger's: two transactions wait for each other but never in a circle.
_HOLD: Final = text(
    """
    SELECT client_id FROM client
    WHERE tenant_id = :tenant AND client_id = ANY(CAST(:clients AS text[]))
    ORDER BY client_id COLLATE "C"
    FOR NO KEY UPDATE
    """
)
# By a statement of its own, which sees what those have stored who held the clients until now.
_BEFORE: Final = text(
    """
    SELECT client_id, verdict, client_type, score, tally FROM assessment
    WHERE tenant_id = :tenant AND client_id = ANY(CAST(:clients AS text[]))
    """
)
_STORE: Final = text(
    """
    INSERT INTO assessment (
        tenant_id, client_id, revision, portfolio, policy_version, as_of, holds_until, score, change, verdict,
        client_type, leading_sign, content, tally
    )
    SELECT :tenant, made.*
    FROM unnest(
        CAST(:clients AS text[]), CAST(:revisions AS bigint[]), CAST(:portfolios AS bigint[]),
        CAST(:policies AS text[]), CAST(:instants AS timestamptz[]), CAST(:ends AS timestamptz[]),
        CAST(:scores AS float8[]), CAST(:changes AS float8[]), CAST(:verdicts AS text[]), CAST(:types AS text[]),
        CAST(:signs AS text[]), CAST(:contents AS bytea[]), CAST(:tallies AS text[])
    ) AS made
    ON CONFLICT (tenant_id, client_id) DO UPDATE SET
        revision = excluded.revision, portfolio = excluded.portfolio, policy_version = excluded.policy_version,
        as_of = excluded.as_of, holds_until = excluded.holds_until, score = excluded.score, change = excluded.change,
        verdict = excluded.verdict, client_type = excluded.client_type, leading_sign = excluded.leading_sign,
        content = excluded.content, tally = excluded.tally
    WHERE (assessment.revision, assessment.portfolio, assessment.as_of)
        <= (excluded.revision, excluded.portfolio, excluded.as_of)
    RETURNING client_id
    """
)
# What was told meanwhile, or another portfolio, needs another assessment; an older one's end says nothing.
_SETTLE: Final = text(
    """
    UPDATE client SET due_at = CASE
        WHEN client.revision = stored.revision
            AND stored.portfolio = coalesce((SELECT number FROM portfolio WHERE tenant_id = :tenant), 0)
        THEN stored.holds_until
        ELSE least(client.due_at, now())
    END
    FROM assessment AS stored
    WHERE client.tenant_id = :tenant AND client.client_id = ANY(CAST(:clients AS text[]))
        AND stored.tenant_id = :tenant AND stored.client_id = client.client_id
    """
)

_OUTDATED: Final = """
    SELECT client.client_id FROM client LEFT JOIN assessment AS stored USING (tenant_id, client_id)
    WHERE client.tenant_id = $1 AND (
        stored.client_id IS NULL OR stored.revision <> client.revision OR stored.portfolio <> $2
        OR stored.holds_until <= now() OR stored.tally IS NULL
    )
    LIMIT $3
"""
_AHEAD: Final = """
    SELECT asked.client_id, next."time"
    FROM unnest($2::text[]) AS asked (client_id) CROSS JOIN LATERAL (
        SELECT "time" FROM event WHERE tenant_id = $1 AND client_id = asked.client_id AND "time" > $3
        ORDER BY "time" LIMIT 1
    ) AS next
"""
_SEEN: Final = """
    SELECT client_id, revision, as_of FROM assessment WHERE tenant_id = $1 AND client_id = ANY($2::text[])
"""
# Who is claimed becomes due again within minutes.
_FORGOTTEN: Final = """
    SELECT client.client_id FROM client LEFT JOIN assessment AS stored USING (tenant_id, client_id)
    WHERE client.tenant_id = $1 AND client.due_at > now() + interval '5 minutes' AND (
        stored.client_id IS NULL OR stored.revision <> client.revision OR stored.portfolio <> $2
        OR stored.holds_until < client.due_at
    )
"""
_COLUMNS: Final = """
    SELECT client.client_id, client.name, client.country, client.currency, client.time_zone, client.created_at,
        client.revision, stored.revision, stored.portfolio, stored.holds_until, stored.as_of, stored.content,
        stored.score, stored.change, stored.verdict, stored.client_type, stored.leading_sign, stored.tally
    FROM assessment AS stored JOIN client USING (tenant_id, client_id)
    WHERE stored.tenant_id = $1
"""
_COUNT: Final = (
    "SELECT count(*) FROM assessment AS stored JOIN client USING (tenant_id, client_id) WHERE stored.tenant_id = $1"
)
# Without a text to look for, the client's row says nothing that is asked for.
_COUNT_ALONE: Final = "SELECT count(*) FROM assessment AS stored WHERE stored.tenant_id = $1"
_GROUPS: Final = """
    SELECT verdict, client_type, leading_sign, count(*) FROM assessment WHERE tenant_id = $1
    GROUP BY verdict, client_type, leading_sign
"""
_MEDIAN: Final = """
    SELECT avg(score) FROM (
        SELECT score FROM assessment WHERE tenant_id = $1 ORDER BY by_score, client_id COLLATE "C"
        OFFSET $2 LIMIT $3
    ) AS middle
"""


class PostgresAssessments:
    """Keeps the promise of `app.ports.assessments.Assessments`."""

    def __init__(
        self,
        engine: AsyncEngine,
        reads: Reads,
        form: AssessmentFormat,
        grown: Callable[[str], None] = lambda tenant_id: None,
    ) -> None:
        """Write in transactions of a pool, read by single statements, in a format.

        `grown` is told whose feed of changes has grown, once that is durable.
        """
        self._grown = grown
        self._engine = engine
        self._reads = reads
        self._form = form

    async def claim(self, most: int, seconds: float, *, newest: bool = False) -> list[tuple[str, str]]:
        """Claim clients that are due; see the port."""
        async with transaction(self._engine, None, Transaction.CLAIM) as connection:
            claim = _CLAIM_NEWEST if newest else _CLAIM
            rows = await connection.execute(claim, {"most": most, "seconds": seconds})
            return [(row.tenant_id, row.client_id) for row in rows]

    async def backlog(self, most: int = 10_000) -> Backlog:
        """Tell what is due; see the port."""
        async with transaction(self._engine, None, Transaction.BACKLOG) as connection:
            row = (await connection.execute(_BACKLOG, {"most": most})).one()
            return Backlog(row.clients, row.seconds)

    async def due(self, tenant_id: str, most: int) -> list[str]:
        """Find clients that are due; see the port."""
        statement = "SELECT client_id FROM client WHERE tenant_id = $1 AND due_at <= now() ORDER BY due_at LIMIT $2"
        return [row[0] for row in await self._reads.rows(tenant_id, statement, most)]

    async def outdated(self, tenant_id: str, portfolio: int, most: int) -> list[str]:
        """Find clients whose assessment is not the newest; see the port."""
        return [row[0] for row in await self._reads.rows(tenant_id, _OUTDATED, portfolio, most)]

    async def ahead(self, tenant_id: str, client_ids: Sequence[str], instant: datetime) -> dict[str, datetime]:
        """Find what was told ahead of its time; see the port."""
        return {row[0]: row[1] for row in await self._reads.rows(tenant_id, _AHEAD, list(client_ids), instant)}

    async def seen(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, Seen]:
        """Find how far assessments go; see the port."""
        rows = await self._reads.rows(tenant_id, _SEEN, list(client_ids))
        return {row[0]: Seen(row[1], row[2]) for row in rows}

    async def forgotten(self, tenant_id: str, portfolio: int) -> list[str]:
        """Find clients whom nobody will assess; see the port."""
        return [row[0] for row in await self._reads.rows(tenant_id, _FORGOTTEN, portfolio)]

    async def keep(self, tenant_id: str, made: Sequence[Made]) -> list[VerdictChange]:
        """Store assessments; see the port."""

        async def once() -> list[NewChange]:
            async with transaction(self._engine, tenant_id, Transaction.KEEP) as connection:
                return await self._keep(connection, tenant_id, made)

        changes = await retrying(once) if made else []
        if changes:
            self._grown(tenant_id)
        return [
            VerdictChange(client_id, None if known is None else known.verdict, reading.verdict, as_of)
            for client_id, as_of, aspects, known, reading in changes
            if Aspect.VERDICT in aspects
        ]

    async def _keep(self, connection: AsyncConnection, tenant_id: str, made: Sequence[Made]) -> list[NewChange]:
        names = {"tenant": tenant_id, "clients": [one.client_id for one in made]}
        held = {row.client_id for row in await connection.execute(_HOLD, names)}
        there = [one for one in made if one.client_id in held]
        if not there:
            return []
        before = {row.client_id: row for row in await connection.execute(_BEFORE, names)}
        found = [one.assessment for one in there]
        tallies = [dump_tally(one.tally) for one in there]
        values = {
            "tenant": tenant_id,
            "clients": [one.client_id for one in there],
            "revisions": [one.revision for one in there],
            "portfolios": [one.portfolio for one in there],
            "policies": [one.policy_version for one in found],
            "instants": [one.as_of for one in found],
            "ends": [one.holds_until for one in there],
            "scores": [one.score for one in found],
            "changes": [one.change for one in there],
            "verdicts": [one.verdict.value for one in found],
            "types": [one.client_type.name for one in found],
            "signs": [one.leading_sign for one in found],
            "contents": [self._form.dump(one) for one in found],
            "tallies": tallies,
        }
        stored = {row.client_id for row in await connection.execute(_STORE, values)}
        await connection.execute(_SETTLE, {"tenant": tenant_id, "clients": values["clients"]})
        additions, changes = Additions(), list[NewChange]()
        for one, tally in zip(there, tallies, strict=True):
            if one.client_id not in stored:
                continue
            was, now = before.get(one.client_id), one.assessment
            if was is None or (was.tally, was.score) != (tally, now.score):
                verdict, tally_before = (was.verdict, was.tally) if was else (None, None)
                additions.assessed(verdict, tally_before, one.tally, now.as_of)
            known = None if was is None else Reading(was.score, Verdict(was.verdict), was.client_type)
            reading = Reading(now.score, now.verdict, now.client_type.name)
            if aspects := changed_aspects(known, reading):
                changes.append((one.client_id, now.as_of, aspects, known, reading))
        await additions.add(connection, tenant_id)
        # Once the assessments are durable, so is that they changed, and not before.
        await note_changes(connection, tenant_id, changes)
        return changes

    async def window(self, tenant_id: str, wanted: Wanted, window: Window) -> tuple[list[Stored], bool]:
        """List clients by what is stored; see the port."""
        values: list[Any] = []
        statement = _COLUMNS + filters(wanted, values)
        for place, beyond in ((window.after, True), (window.before, False)):
            if place is not None:
                statement += condition(wanted, place, values, beyond=beyond)
        value, name, _ = DIRECTIONS[wanted.order]
        way = "DESC" if wanted.reverse != window.backwards else "ASC"
        values.append(window.limit + 1)
        statement += f" ORDER BY {value} {way}, {name} {way} LIMIT ${len(values) + 1}"
        rows = await self._reads.rows(tenant_id, statement, *values)
        kept = [self._stored(row, wanted) for row in rows[: window.limit]]
        return kept[::-1] if window.backwards else kept, len(rows) > window.limit

    async def count(self, tenant_id: str, wanted: Wanted) -> int:
        """Count clients by what is stored; see the port."""
        values: list[Any] = []
        statement = (_COUNT_ALONE if wanted.text is None else _COUNT) + filters(wanted, values)
        return int(await self._reads.value(tenant_id, statement, *values))

    async def counted(self, tenant_id: str) -> Counted:
        """Count all by groups; see the port."""
        rows = await self._reads.rows(tenant_id, _GROUPS)
        groups = [(Verdict(row[0]), row[1], row[2], row[3]) for row in rows]
        count = sum(group[3] for group in groups)
        # Of an even number the two in the middle.
        median = await self._reads.value(tenant_id, _MEDIAN, max(count - 1, 0) // 2, 2 - count % 2)
        return Counted(groups, median)

    async def several(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Find stored assessments; see the port."""
        statement = _COLUMNS + " AND stored.client_id = ANY($2)"
        rows = await self._reads.rows(tenant_id, statement, list(client_ids))
        return {row[0]: self._stored(row, Wanted()) for row in rows}

    def _stored(self, row: Any, wanted: Wanted) -> Stored:
        record = ClientRecord(*row[:7])
        revision, portfolio, holds_until, as_of, content = row[7:12]
        listed, tally = ListedBy(*row[12:17]), row[17]
        place: Place = (DIRECTIONS[wanted.order][2](record, listed), record.client_id)
        found = self._form.load(content)
        made = None
        if found is not None:
            known = {} if tally is None else load_tally(tally)
            made = Made(record.client_id, revision, portfolio, holds_until, listed.change, found, known)
        return Stored(record, place, as_of, made, listed, content)
