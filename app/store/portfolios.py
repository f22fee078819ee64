"""Stored portfolios in Postgres."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.portfolio import Portfolio
from app.ports.database import Transaction
from app.ports.portfolios import ClientShare, DayOf, PortfolioFormat, PortfolioState, PutTogether
from app.store.engine import retrying, transaction
from app.store.reads import Reads

__all__ = ["PostgresPortfolios", "hastened"]

_CLAIM: Final = text("SELECT claim_due_portfolio(make_interval(secs => :seconds))")
_EXTEND: Final = text(
    "UPDATE portfolio SET leased_until = now() + make_interval(secs => :seconds) WHERE tenant_id = :tenant"
)
# Counted while they are few: where there were more than that, they are not looked at.
_STATE: Final = """
    SELECT stored.number, stored.day, stored.policy_version, stored.changes, stored.clients, stored.revisions,
        stored.fingerprint, few.clients <= $2, few.fingerprint
    FROM (SELECT $1::text AS tenant_id) AS asked
    LEFT JOIN portfolio AS stored ON stored.tenant_id = asked.tenant_id
    LEFT JOIN LATERAL (
        SELECT count(*) AS clients, coalesce(sum(hashtextextended(client_id, revision)), 0) AS fingerprint
        FROM (SELECT client_id, revision FROM client WHERE tenant_id = $1 LIMIT $2 + 1) AS first
    ) AS few ON coalesce(stored.clients, 0) <= $2
"""
_LOAD: Final = "SELECT number, content, rates FROM portfolio WHERE tenant_id = $1 AND number > 0"
# The same content keeps its number: then no assessment has to be made anew.
_PUT: Final = text(
    """
    UPDATE portfolio SET
        number = number + CASE WHEN (day, policy_version, content, rates)
            IS DISTINCT FROM (CAST(:day AS date), CAST(:policy AS text), CAST(:content AS bytea), CAST(:rates AS bytea))
            THEN 1 ELSE 0 END,
        day = :day, policy_version = :policy, content = :content, rates = :rates,
        clients = :clients, revisions = :revisions, fingerprint = (
            SELECT coalesce(sum(hashtextextended(made.client_id, made.revision)), 0)
            FROM unnest(CAST(:few_clients AS text[]), CAST(:few_revisions AS bigint[])) AS made (client_id, revision)
        ),
        made_at = now(), leased_until = now() + make_interval(secs => :seconds), due_at = now()
    WHERE tenant_id = :tenant AND number = :number
    RETURNING number
    """
)
_SETTLE: Final = text(
    """
    UPDATE portfolio SET
        leased_until = now(),
        due_at = CASE WHEN changes = :changes THEN CAST(:until AS timestamptz)
            ELSE made_at + clients * make_interval(secs => :apart) END
    WHERE tenant_id = :tenant AND number = :number
    """
)
_BEGIN: Final = text(
    """
    INSERT INTO portfolio (tenant_id, number, changes, due_at, clients, revisions)
    VALUES (:tenant, 0, 0, now(), 0, 0) ON CONFLICT DO NOTHING
    """
)
_CHANGED: Final = text(
    """
    INSERT INTO portfolio (tenant_id, number, changes, due_at, clients, revisions)
    VALUES (:tenant, 0, 1, now(), 0, 0)
    ON CONFLICT (tenant_id) DO UPDATE SET
        changes = portfolio.changes + 1,
        due_at = least(portfolio.due_at,
            greatest(now(), portfolio.made_at + portfolio.clients * make_interval(secs => :apart)))
    """
)
_HASTEN: Final = text("UPDATE portfolio SET changes = changes + 1, due_at = now() WHERE tenant_id = :tenant")
_APART: Final = 0.01
"""Seconds for each client that lie between two portfolios at least: all have to be assessed anew after each."""

# Held before they are looked at: an assessment against the portfolio of before that is just being stored is waited for.
_HOLD: Final = text(
    """
    SELECT client_id FROM client WHERE tenant_id = :tenant AND client_id > :after
    ORDER BY client_id LIMIT :most FOR NO KEY UPDATE
    """
)
_SPREAD: Final = text(
    """
    UPDATE client SET due_at = now()
    FROM unnest(CAST(:held AS text[])) AS these (client_id)
    LEFT JOIN assessment AS stored ON stored.tenant_id = :tenant AND stored.client_id = these.client_id
    WHERE client.tenant_id = :tenant AND client.client_id = these.client_id AND client.due_at > now()
        AND (stored.portfolio IS DISTINCT FROM :number OR stored.tally IS NULL)
    """
)
_OUTDATED: Final = """
    SELECT client.client_id, client.revision
    FROM client LEFT JOIN portfolio_share AS share USING (tenant_id, client_id)
    WHERE client.tenant_id = $1 AND client.client_id > $2 AND (
        share.client_id IS NULL OR share.revision <> client.revision OR share.day <> $3 OR share.policy_version <> $4
    )
    ORDER BY client.client_id LIMIT $5
"""
# A share may be left behind by a client that was erased.
_SHARES: Final = """
    SELECT share.client_id, share.revision, share.content
    FROM portfolio_share AS share JOIN client USING (tenant_id, client_id)
    WHERE share.tenant_id = $1 AND share.day = $2 AND share.policy_version = $3
"""
# The client's row is held: who is erasing it waits, or has been waited for.
_KEEP: Final = text(
    """
    WITH held AS (
        SELECT client_id FROM client
        WHERE tenant_id = :tenant AND client_id = ANY(CAST(:clients AS text[]))
        ORDER BY client_id COLLATE "C" FOR KEY SHARE
    )
    INSERT INTO portfolio_share (tenant_id, client_id, revision, day, policy_version, content)
    SELECT :tenant, made.client_id, made.revision, :day, :policy, made.content
    FROM unnest(CAST(:clients AS text[]), CAST(:revisions AS bigint[]), CAST(:contents AS bytea[]))
        AS made (client_id, revision, content)
    JOIN held USING (client_id)
    ON CONFLICT (tenant_id, client_id) DO UPDATE SET
        revision = excluded.revision, day = excluded.day, policy_version = excluded.policy_version,
        content = excluded.content
    WHERE portfolio_share.revision <= excluded.revision
    """
)


class PostgresPortfolios:
    """Keeps the promise of `app.ports.portfolios.StoredPortfolios`."""

    def __init__(self, engine: AsyncEngine, reads: Reads, form: PortfolioFormat) -> None:
        """Write in transactions of a pool, read by single statements, in a format."""
        self._engine = engine
        self._reads = reads
        self._form = form

    async def claim(self, seconds: float) -> str | None:
        """Claim a portfolio that is due; see the port."""
        async with transaction(self._engine, None, Transaction.PORTFOLIO) as connection:
            found: str | None = (await connection.execute(_CLAIM, {"seconds": seconds})).scalar()
            return found

    async def extend(self, tenant_id: str, seconds: float) -> None:
        """Claim it for longer; see the port."""
        async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
            await connection.execute(_EXTEND, {"tenant": tenant_id, "seconds": seconds})

    async def state(self, tenant_id: str, few: int) -> PortfolioState:
        """Tell which portfolio is stored; see the port."""
        row = await self._reads.row(tenant_id, _STATE, few)
        number, day, policy_version, changes, clients, revisions, fingerprint, is_few, now = row
        return PortfolioState(
            number or 0,
            DayOf(day, policy_version) if number else None,
            changes or 0,
            clients or 0,
            revisions or 0,
            int(fingerprint or 0),
            bool(is_few),
            int(now or 0),
        )

    async def load(self, tenant_id: str) -> tuple[int, Portfolio] | None:
        """Load the portfolio; see the port."""
        row = await self._reads.row(tenant_id, _LOAD)
        found = None if row is None else self._form.load(row[1], row[2])
        return None if found is None else (row[0], found)

    async def put(self, tenant_id: str, state: PortfolioState, made: PutTogether, seconds: float) -> int | None:
        """Store a portfolio; see the port."""
        content, rates = self._form.dump(made)
        few = made.revisions if state.few else {}
        values = {
            "tenant": tenant_id,
            "number": state.number,
            "day": made.of.day,
            "policy": made.of.policy_version,
            "content": content,
            "rates": rates,
            "clients": len(made.revisions),
            "revisions": sum(made.revisions.values()),
            "few_clients": list(few),
            "few_revisions": list(few.values()),
            "seconds": seconds,
        }
        async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
            await connection.execute(_BEGIN, {"tenant": tenant_id})
            return (await connection.execute(_PUT, values)).scalar()

    async def settle(self, tenant_id: str, state: PortfolioState, number: int, until: datetime) -> None:
        """Let it be due no more; see the port."""
        values = {"tenant": tenant_id, "number": number, "changes": state.changes, "until": until, "apart": _APART}
        async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
            await connection.execute(_SETTLE, values)

    async def hasten(self, tenant_id: str) -> None:
        """Let it be due; see the port."""
        async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
            await hastened(connection, tenant_id)

    async def spread(self, tenant_id: str, number: int, after: str | None, most: int) -> str | None:
        """Let clients be due; see the port."""

        async def once() -> str | None:
            async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
                values = {"tenant": tenant_id, "after": after or "", "most": most}
                held = [row.client_id for row in await connection.execute(_HOLD, values)]
                if held:
                    await connection.execute(_SPREAD, {"tenant": tenant_id, "number": number, "held": held})
                return held[-1] if len(held) == most else None

        return await retrying(once)

    async def outdated(self, tenant_id: str, of: DayOf, after: str, most: int) -> dict[str, int]:
        """Find clients whose share is not the newest; see the port."""
        rows = await self._reads.rows(tenant_id, _OUTDATED, after, of.day, of.policy_version, most)
        return {row[0]: row[1] for row in rows}

    async def shares(
        self, tenant_id: str, of: DayOf, client_ids: Sequence[str] | None = None
    ) -> dict[str, ClientShare]:
        """Read shares; see the port."""
        statement, values = _SHARES, [of.day, of.policy_version]
        if client_ids is not None:
            statement, values = statement + " AND share.client_id = ANY($4)", [*values, list(client_ids)]
        found = {}
        for client_id, revision, content in await self._reads.rows(tenant_id, statement, *values):
            share = self._form.load_share(content)
            if share is not None:
                found[client_id] = ClientShare(client_id, revision, share)
        return found

    async def keep(self, tenant_id: str, of: DayOf, shares: Sequence[ClientShare], *, changed: bool) -> None:
        """Store shares; see the port."""
        values = {
            "tenant": tenant_id,
            "day": of.day,
            "policy": of.policy_version,
            "clients": [one.client_id for one in shares],
            "revisions": [one.revision for one in shares],
            "contents": [self._form.dump_share(one.share) for one in shares],
        }

        async def once() -> None:
            async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
                await connection.execute(_KEEP, values)
                if changed:
                    await connection.execute(_CHANGED, {"tenant": tenant_id, "apart": _APART})

        if shares:
            await retrying(once)


async def hastened(connection: AsyncConnection, tenant_id: str) -> None:
    """Let the portfolio be put together anew as soon as may be: what it holds is wrong, or of a client who is gone."""
    await connection.execute(_HASTEN, {"tenant": tenant_id})
