"""Reads of one statement, the shortest way to Postgres: no transaction to begin and to end, no SQL to compile."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from time import perf_counter
from typing import Any, TypeVar

import asyncpg

from app.ports.database import DatabaseWatch, Failure, Pool, Transaction
from app.ports.ledger import StoreUnavailableError
from app.ports.tracing import OFF, Tracing
from app.store.connection import LONGEST, LOST, Connector
from app.store.engine import failure_of, is_outage
from app.store.pools import Usage, usage_of
from app.use_cases.unheard import UNHEARD

__all__ = ["Reads"]

T = TypeVar("T")

_POOL_SECONDS = 5


class Reads:
    """A pool of connections for single statements; it opens with the first one."""

    def __init__(
        self, url: str, pool_size: int, seconds: float = LONGEST, watch: DatabaseWatch = UNHEARD, tracing: Tracing = OFF
    ) -> None:
        """Read from a database; no connection is opened yet.

        Args:
            url: `postgresql+asyncpg://…`.
            pool_size: statements at once at most.
            seconds: for a statement; where Postgres does not answer in that time, it is taken to be away.
            watch: is told how it does.
            tracing: is told of statements.
        """
        self._watch = watch
        self._connect = Connector(url, seconds, tracing)
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def rows(self, tenant_id: str, statement: str, *values: object) -> list[Any]:
        """All rows that a statement finds; its `$1` is the tenant, `$2` and so on are the values.

        Raises:
            StoreUnavailableError: Postgres cannot be reached, or is too busy.
            ValueError: the statement names no `$1`.
        """
        own = _of_the_tenant(statement)
        return await self._ask(lambda connection: connection.fetch(own, tenant_id, *values))

    async def row(self, tenant_id: str, statement: str, *values: object) -> Any:
        """The first row that a statement finds, or None; see `rows`."""
        own = _of_the_tenant(statement)
        return await self._ask(lambda connection: connection.fetchrow(own, tenant_id, *values))

    async def value(self, tenant_id: str, statement: str, *values: object) -> Any:
        """The first value of the first row, or None; see `rows`."""
        own = _of_the_tenant(statement)
        return await self._ask(lambda connection: connection.fetchval(own, tenant_id, *values))

    def usage(self) -> Usage:
        """How many connections there are at present."""
        return usage_of(self._pool, self._pool_size)

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _ask(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        for again in (True, False):
            try:
                return await self._asked(ask)
            except TimeoutError as error:
                # Asking once more would take as long again.
                self._watch.failed(Failure.UNAVAILABLE)
                raise StoreUnavailableError("the database does not answer") from error
            except LOST as error:
                # A connection may have died while it rested; the next one is new.
                if not again:
                    self._watch.failed(Failure.UNAVAILABLE)
                    raise StoreUnavailableError("the database is not available") from error
            except asyncpg.PostgresError as error:
                failure = failure_of(error)
                if failure is not None:
                    self._watch.failed(failure)
                if not is_outage(error):
                    raise
                raise StoreUnavailableError("the database is not available") from error
        raise AssertionError("unreachable")

    async def _asked(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        pool = self._pool or await self._opened()
        asked = perf_counter()
        try:
            connection = await pool.acquire(timeout=_POOL_SECONDS)
        finally:
            began = perf_counter()
            self._watch.waited(Pool.READS, began - asked)
        try:
            return await ask(connection)
        except TimeoutError:
            # It would not answer a goodbye either.
            connection.terminate()
            raise
        finally:
            self._watch.worked(Transaction.READ, perf_counter() - began)
            await pool.release(connection, timeout=_POOL_SECONDS)

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    connect=self._connect,
                    min_size=0,
                    max_size=self._pool_size,
                    reset=_leave_as_it_is,
                    # A timer for each statement costs more than an idle connection.
                    max_inactive_connection_lifetime=0,
                )
            return self._pool


async def _leave_as_it_is(connection: Any) -> None:
    """A single statement leaves nothing behind that would have to be reset."""
    del connection


@lru_cache(512)
def _of_the_tenant(statement: str) -> str:
    """The statement with its tenant set, in one round trip.

    Row-level security asks for a setting of the transaction, which here is the statement itself. What reads is a
    subquery that depends on what sets (LATERAL, and OFFSET 0 keeps both from being taken apart): the only plan is a
    nested loop that has set before it reads, and policies ask when a row is first held against them. Were it ever
    otherwise, nothing would be found: what the last statement set has ended with it.
    """
    own, times = re.subn(r"\$1\b", "who.tenant_id", statement)
    if not times:
        raise ValueError("a statement that reads for a tenant names it, as $1")
    return (
        "SELECT found.* FROM (SELECT set_config('app.tenant_id', $1, true) AS tenant_id OFFSET 0) AS who "  # noqa: S608
        f"CROSS JOIN LATERAL (SELECT * FROM ({own}) AS asked OFFSET 0) AS found"
    )
