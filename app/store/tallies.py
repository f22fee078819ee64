"""Tallies in Postgres: sums that are added to where assessments are stored, in the same transaction."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.tally import Tally, difference_of, kind_of, total_of
from app.core.verdict import Verdict
from app.ports.database import Transaction
from app.ports.tallies import ChangesOfDay, Tallied, TalliedClient, TallyState
from app.store.engine import retrying, transaction
from app.store.reads import Reads

__all__ = ["SLOTS", "Additions", "PostgresTallies", "dump_tally", "load_tally"]

SLOTS: Final = 8
"""A transaction adds to one of so many rows, by chance, which it holds until it ends: others add to others."""
_LONG_AGO: Final = date(1, 1, 1)
"""What is too old to be told by days is entered here."""
_NONE: Final = ""
_DAY: Final = timedelta(days=1)

_SLOT: Final = text(
    """
    INSERT INTO tally_slot (tenant_id, slot, revision, clients, changed_at)
    VALUES (:tenant, :slot, 1, :clients, clock_timestamp())
    ON CONFLICT (tenant_id, slot) DO UPDATE SET
        revision = tally_slot.revision + 1, clients = tally_slot.clients + excluded.clients,
        changed_at = excluded.changed_at
    """
)
_SUMS: Final = text(
    """
    INSERT INTO tally_sum (tenant_id, slot, term, label, amount)
    SELECT :tenant, :slot, added.* FROM unnest(
        CAST(:terms AS text[]), CAST(:labels AS text[]), CAST(:amounts AS numeric[])
    ) AS added
    ON CONFLICT (tenant_id, slot, term, label) DO UPDATE SET amount = tally_sum.amount + excluded.amount
    """
)
_CHANGES: Final = text(
    """
    INSERT INTO verdict_change (tenant_id, day, slot, before, after, clients)
    SELECT :tenant, added.day, :slot, added.before, added.after, added.clients FROM unnest(
        CAST(:days AS date[]), CAST(:befores AS text[]), CAST(:afters AS text[]), CAST(:clients AS bigint[])
    ) AS added (day, before, after, clients)
    ON CONFLICT (tenant_id, day, slot, before, after) DO UPDATE SET clients = verdict_change.clients + excluded.clients
    """
)
# Of many, those are stale too who are known and not tallied yet: an earlier version of this program assessed them.
_STATE: Final = """
    SELECT slots.revision, slots.changed_at, greatest(due.clients, least($2, known.clients - slots.clients)), due.since
    FROM (
        SELECT coalesce(sum(revision), 0)::bigint AS revision, max(changed_at) AS changed_at,
            coalesce(sum(clients), 0)::bigint AS clients
        FROM tally_slot WHERE tenant_id = $1
    ) AS slots CROSS JOIN (
        SELECT count(*) AS clients, min(due_at) FILTER (WHERE isfinite(due_at)) AS since
        FROM (
            SELECT due_at FROM client WHERE tenant_id = $1 AND due_at <= now() ORDER BY due_at LIMIT $2::bigint
        ) AS first
    ) AS due CROSS JOIN (
        SELECT coalesce(max(clients), 0) AS clients FROM portfolio WHERE tenant_id = $1
    ) AS known
"""
_ALL: Final = f"""
    SELECT state.*,
        (
            SELECT json_agg(json_build_array(term, label, amount::text)) FROM (
                SELECT term, label, sum(amount) AS amount FROM tally_sum WHERE tenant_id = $1 GROUP BY term, label
            ) AS sums
        ),
        (
            SELECT json_agg(json_build_array(day, before, after, clients)) FROM (
                SELECT day, before, after, sum(clients)::bigint AS clients FROM verdict_change
                WHERE tenant_id = $1 AND day >= $3 GROUP BY day, before, after
            ) AS changes
        ),
        (
            SELECT json_agg(json_build_array(client_id, name, tally) ORDER BY by_score, client_id COLLATE "C") FROM (
                SELECT client.client_id, client.name, stored.tally, stored.by_score
                FROM assessment AS stored JOIN client USING (tenant_id, client_id)
                WHERE stored.tenant_id = $1 AND stored.tally IS NOT NULL
                ORDER BY stored.by_score, stored.client_id COLLATE "C" LIMIT $4
            ) AS clients
        )
    FROM ({_STATE}) AS state
"""  # noqa: S608 - no value is in it
# In one statement, which sees one moment: whatever is being stored meanwhile is in both, or in neither.
_DIFFERENCES: Final = """
    WITH one AS MATERIALIZED (
        SELECT split_part(pair.key, ':', 1) AS term, substr(pair.key, strpos(pair.key, ':') + 1) AS label,
            CAST(pair.value AS numeric) AS amount
        FROM assessment AS stored CROSS JOIN json_each_text(CAST(stored.tally AS json)) AS pair
        WHERE stored.tenant_id = {tenant} AND stored.tally IS NOT NULL
    ), turned AS (
        SELECT after AS verdict, clients FROM verdict_change WHERE tenant_id = {tenant}
        UNION ALL SELECT before, -clients FROM verdict_change WHERE tenant_id = {tenant}
    ), kept AS (
        SELECT term, label, sum(amount) AS amount FROM tally_sum WHERE tenant_id = {tenant} GROUP BY term, label
        UNION ALL SELECT 'verdict', verdict, sum(clients) FROM turned WHERE verdict <> '' GROUP BY verdict
        UNION ALL SELECT 'total', '', sum(clients) FROM tally_slot WHERE tenant_id = {tenant}
    ), whole AS (
        SELECT term, label, sum(amount) AS amount FROM one GROUP BY term, label
        UNION ALL SELECT 'verdict', split_part(label, ':', 1), sum(amount) FROM one WHERE term = 'clients' GROUP BY 2
        UNION ALL SELECT 'total', '', sum(amount) FROM one WHERE term = 'clients'
    )
    SELECT term, label, coalesce(kept.amount, 0) AS kept, coalesce(whole.amount, 0) AS whole
    FROM kept FULL JOIN whole USING (term, label)
    WHERE coalesce(kept.amount, 0) <> coalesce(whole.amount, 0)
    ORDER BY term, label
"""
_DIFFERENCES_READ: Final = _DIFFERENCES.format(tenant="$1")
_DIFFERENCES_HELD: Final = text(_DIFFERENCES.format(tenant=":tenant"))
_MISCOUNTED: Final = """
    SELECT (SELECT coalesce(sum(clients), 0) FROM tally_slot WHERE tenant_id = $1)
        <> (SELECT count(*) FROM assessment WHERE tenant_id = $1 AND tally IS NOT NULL)
"""
_OLD: Final = text("SELECT tenant_id FROM tenant_with_old_verdict_changes(:earliest, :latest)")
_FOLD: Final = text(
    """
    WITH old AS (
        DELETE FROM verdict_change WHERE tenant_id = :tenant AND day > :long_ago AND day < :before
        RETURNING before, after, clients
    )
    INSERT INTO verdict_change (tenant_id, day, slot, before, after, clients)
    SELECT :tenant, :long_ago, 0, before, after, sum(clients) FROM old GROUP BY before, after ORDER BY before, after
    ON CONFLICT (tenant_id, day, slot, before, after) DO UPDATE SET clients = verdict_change.clients + excluded.clients
    """
)


def dump_tally(tally: Tally) -> str:
    """A tally as it is stored: the same one is always written the same."""
    return msgspec.json.encode({f"{term}:{label}": str(tally[term, label]) for term, label in sorted(tally)}).decode()


def load_tally(stored: str) -> Tally:
    """Read one; see `dump_tally`."""
    found = msgspec.json.decode(stored, type=dict[str, str])
    return {(key.partition(":")[0], key.partition(":")[2]): Decimal(amount) for key, amount in found.items()}


@dataclass
class Additions:
    """What a transaction adds to a tenant's tallies; `add` is its last step, so that it holds a slot but a moment."""

    _sums: list[Tally] = field(default_factory=list)
    _changes: Counter[tuple[date, str, str]] = field(default_factory=Counter)
    _clients: int = 0

    def assessed(self, verdict: str | None, before: str | None, after: Tally, at: datetime) -> None:
        """A client was assessed.

        Args:
            verdict: of its assessment before, which may have no tally; None where there was none.
            before: the stored tally of that.
            after: its tally now.
            at: when it was assessed.
        """
        known = None if before is None else load_tally(before)
        self._sums.append(difference_of(known, after))
        if known is None:
            self._clients += 1
            if verdict is not None:
                self._changes[_LONG_AGO, _NONE, verdict] += 1
        was = verdict if known is None else kind_of(known)[0].value
        now = kind_of(after)[0].value
        if was != now:
            self._changes[_day_of(at), was or _NONE, now] += 1

    def erased(self, before: str, at: datetime) -> None:
        """A client with a tally was erased."""
        known = load_tally(before)
        self._sums.append(difference_of(known, None))
        self._clients -= 1
        self._changes[_day_of(at), kind_of(known)[0].value, _NONE] += 1

    async def add(self, connection: AsyncConnection, tenant_id: str) -> None:
        """Add all of it, if there is anything."""
        if self._sums:
            slot = random.randrange(SLOTS)  # noqa: S311 - no secret
            await _add(connection, tenant_id, slot, self._clients, total_of(self._sums), self._changes)


async def _add(  # noqa: PLR0917 - what, and where
    connection: AsyncConnection,
    tenant_id: str,
    slot: int,
    clients: int,
    sums: Tally,
    changes: Mapping[tuple[date, str, str], int],
) -> None:
    where = {"tenant": tenant_id, "slot": slot}
    await connection.execute(_SLOT, {**where, "clients": clients})
    if sums:
        keys = sorted(sums)
        values: dict[str, Any] = {
            "terms": [str(term) for term, _ in keys],
            "labels": [label for _, label in keys],
            "amounts": [sums[key] for key in keys],
        }
        await connection.execute(_SUMS, {**where, **values})
    if changes:
        turns = sorted(changes)
        days, befores, afters = (list(part) for part in zip(*turns, strict=True))
        values = {"days": days, "befores": befores, "afters": afters, "clients": [changes[turn] for turn in turns]}
        await connection.execute(_CHANGES, {**where, **values})


def _day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()


class PostgresTallies:
    """Keeps the promise of `app.ports.tallies.Tallies`."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        """Write in transactions of a pool, read by single statements."""
        self._engine = engine
        self._reads = reads

    async def state(self, tenant_id: str, most: int) -> TallyState:
        """Tell which tallies are stored; see the port."""
        return TallyState(*await self._reads.row(tenant_id, _STATE, most))

    async def read(self, tenant_id: str, most: int, since: date, first: int) -> Tallied:
        """Read all tallies; see the port."""
        row = await self._reads.row(tenant_id, _ALL, most, since, first)
        sums, changes, clients = (_rows(part) for part in row[4:])
        return Tallied(
            TallyState(*row[:4]),
            {(term, label): Decimal(amount) for term, label, amount in sums},
            [
                ChangesOfDay(date.fromisoformat(day), _verdict(before), _verdict(after), count)
                for day, before, after, count in changes
            ],
            [TalliedClient(client_id, name, load_tally(tally)) for client_id, name, tally in clients],
        )

    async def differences(self, tenant_id: str) -> Mapping[tuple[str, str], tuple[Decimal, Decimal]]:
        """Count all anew; see the port."""
        rows = await self._reads.rows(tenant_id, _DIFFERENCES_READ)
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    async def mend(self, tenant_id: str) -> bool:
        """Put the sums right; see the port."""
        if not await self._reads.value(tenant_id, _MISCOUNTED):
            return False

        async def once() -> bool:
            async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
                # One after another: the second one finds nothing.
                await connection.execute(_SLOT, {"tenant": tenant_id, "slot": 0, "clients": 0})
                rows = await connection.execute(_DIFFERENCES_HELD, {"tenant": tenant_id})
                missing = {(row.term, row.label): row.whole - row.kept for row in rows}
                clients = int(missing.pop(("total", _NONE), 0))
                changes = {
                    (_LONG_AGO, _NONE, label): int(n) for (term, label), n in missing.items() if term == "verdict"
                }
                sums = {key: amount for key, amount in missing.items() if key[0] != "verdict"}
                await _add(connection, tenant_id, 0, clients, sums, changes)
                return bool(missing or clients)

        return await retrying(once)

    async def fold(self, before: date) -> bool:
        """Put old changes together; see the port."""
        async with transaction(self._engine, None, Transaction.PORTFOLIO) as connection:
            days = {"earliest": date(1, 1, 2), "latest": before - _DAY}
            tenant_id = (await connection.execute(_OLD, days)).scalar()
        if tenant_id is None:
            return False

        async def once() -> None:
            async with transaction(self._engine, tenant_id, Transaction.PORTFOLIO) as connection:
                values = {"tenant": tenant_id, "long_ago": _LONG_AGO, "before": before}
                await connection.execute(_FOLD, values)

        await retrying(once)
        return True


def _rows(found: str | None) -> Iterable[list[Any]]:
    rows: list[list[Any]] = [] if found is None else msgspec.json.decode(found)
    return rows


def _verdict(stored: str) -> Verdict | None:
    return Verdict(stored) if stored else None
