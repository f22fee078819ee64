"""Tokens and overrides of rates in Postgres."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ports.audit import AuditEntry
from app.ports.database import Transaction
from app.ports.ledger import StoreUnavailableError
from app.ports.rates import LeasedTokens, Override, Rate
from app.ports.tracing import OFF, Tracing
from app.store.audit import note
from app.store.connection import LOST, Connector
from app.store.engine import transaction
from app.store.reads import Reads
from app.store.tables import rate_limit

__all__ = ["PostgresRates"]

_SECONDS: Final = 0.5
"""A statement that takes longer is of no use: somebody waits to be let in."""
_CONNECTIONS: Final = 2

# One round trip that commits by itself. The tenant is set as `app.store.reads` does it; rows come in one order, so that
# two replicas wait for each other but never in a circle. Nothing is taken of a window that has passed meanwhile.
_LEASE: Final = """
    INSERT INTO rate_use AS kept (tenant_id, who, name, began, used)
    SELECT
        owner.tenant_id, $2, asked.name,
        floor(extract(epoch FROM statement_timestamp()) / asked.seconds)::bigint * asked.seconds, asked.tokens
    FROM (SELECT set_config('app.tenant_id', $1, true) AS tenant_id OFFSET 0) AS owner
    CROSS JOIN LATERAL (
        SELECT * FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS sent (name, seconds, tokens)
        WHERE owner.tenant_id = $1 ORDER BY name OFFSET 0
    ) AS asked
    ON CONFLICT (tenant_id, who, name) DO UPDATE SET
        used = CASE WHEN kept.began >= excluded.began THEN kept.used ELSE 0 END + excluded.used,
        began = greatest(kept.began, excluded.began)
    RETURNING name, began, used, extract(epoch FROM statement_timestamp())::float8 AS now
    """
_OVERRIDES: Final = "SELECT who, name, quota, seconds FROM rate_limit WHERE tenant_id = $1"


class PostgresRates:
    """Keeps the promise of `app.ports.rates.Rates`."""

    def __init__(self, url: str, engine: AsyncEngine, reads: Reads, tracing: Tracing = OFF) -> None:
        """Use a database, by its `postgresql+asyncpg://…` URL; no connection is opened yet."""
        self._connect = Connector(url, tracing=tracing)
        self._engine = engine
        self._reads = reads
        # Apart from all others: who is to be let in does not wait for those who are.
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[Any] = []
        self._open: set[Any] = set()
        self._is_closed = False

    async def lease(self, tenant_id: str, who: str, asked: Sequence[tuple[Rate, int]]) -> dict[str, LeasedTokens]:
        """Take tokens; see the port."""
        names, seconds, tokens = zip(*((rate.name, rate.seconds, count) for rate, count in asked), strict=True)
        rows = await self._fetch(_LEASE, tenant_id, who, names, seconds, tokens)
        return {row["name"]: LeasedTokens(row["began"], row["used"], row["now"]) for row in rows}

    async def overrides(self, tenant_id: str) -> list[Override]:
        """List overrides; see the port."""
        rows = await self._reads.rows(tenant_id, _OVERRIDES)
        return [Override(row["who"], row["name"], row["quota"], row["seconds"]) for row in rows]

    async def put_override(self, tenant_id: str, override: Override, entry: AuditEntry) -> None:
        """Store one; see the port."""
        values = {"quota": override.quota, "seconds": override.seconds}
        row = {"tenant_id": tenant_id, "who": override.who, "name": override.name, **values}
        statement = (
            insert(rate_limit)
            .values(row)
            .on_conflict_do_update(index_elements=["tenant_id", "who", "name"], set_=values)
        )
        async with transaction(self._engine, tenant_id, Transaction.RATE) as connection:
            await connection.execute(statement)
            await note(connection, tenant_id, entry)

    async def drop_override(self, tenant_id: str, who: str, name: str, entry: AuditEntry) -> None:
        """Drop one; see the port."""
        table = rate_limit.c
        statement = delete(rate_limit).where(table.tenant_id == tenant_id, table.who == who, table.name == name)
        async with transaction(self._engine, tenant_id, Transaction.RATE) as connection:
            if (await connection.execute(statement)).rowcount:
                await note(connection, tenant_id, entry)

    async def close(self) -> None:
        """Close all connections, those in use too."""
        self._is_closed = True
        for connection in [*self._open]:
            self._end(connection)

    async def _fetch(self, statement: str, *values: object) -> list[Any]:
        try:
            async with asyncio.timeout(2 * _SECONDS), self._turns:
                connection = self._rested() or await self._opened()
                try:
                    async with asyncio.timeout(_SECONDS):
                        found: list[Any] = await connection.fetch(statement, *values)
                except BaseException:
                    # It may be in the middle of something.
                    self._end(connection)
                    raise
                self._idle.append(connection)
                return found
        except (*LOST, asyncpg.PostgresError) as error:
            raise StoreUnavailableError("the database is not available") from error

    def _rested(self) -> Any:
        """A connection that is open and does nothing; None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._end(connection)
        return None

    async def _opened(self) -> Any:
        connection = await self._connect(timeout=_SECONDS)
        self._open.add(connection)
        if self._is_closed:
            self._end(connection)
            raise StoreUnavailableError("the server ends")
        return connection

    def _end(self, connection: Any) -> None:
        self._open.discard(connection)
        connection.terminate()
