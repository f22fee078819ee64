"""Transactions on the shortest way to Postgres, for what is written most: no SQL to compile, few round trips."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final

import asyncpg

from app.ports.database import DatabaseWatch, Failure, Pool, Transaction
from app.ports.ledger import StoreBusyError, StoreUnavailableError
from app.ports.tracing import OFF, Tracing
from app.store.connection import LONGEST, LOST, Connector
from app.store.engine import SPANS, failure_of, is_outage
from app.store.pools import Usage, usage_of
from app.use_cases.unheard import UNHEARD

__all__ = ["Writes"]

# Plans do not depend on the values, and each row is looked up by its key: in the order in which it was asked for, so
# that two transactions that lock the same rows wait for each other but never in a circle.
_PLANS: Final = "; ".join(
    f"SET LOCAL {name} = {value}"
    for name, value in (
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        # A table that was small when a plan was made may have grown since.
        ("enable_seqscan", "off"),
    )
)

_ROLLBACK_SECONDS: Final = 5


class Writes:
    """A pool of connections for transactions; it opens with the first one."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        url: str,
        pool_size: int,
        patience: float,
        seconds: float = LONGEST,
        watch: DatabaseWatch = UNHEARD,
        tracing: Tracing = OFF,
    ) -> None:
        """Write to a database; no connection is opened yet.

        Args:
            url: `postgresql+asyncpg://…`.
            pool_size: transactions at once at most.
            patience: seconds to wait for one of them to end.
            seconds: for a statement; where Postgres does not answer in that time, it is taken to be away.
            watch: is told how it does.
            tracing: is told of transactions and statements.
        """
        self._tracing = tracing
        self._watch = watch
        self._connect = Connector(url, seconds, tracing)
        self._pool_size = pool_size
        self.patience = patience
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, tenant_id: str) -> AsyncIterator[Any]:
        """One transaction of a tenant, on a connection of the driver: committed at the end, rolled back on any error.

        Raises:
            StoreUnavailableError: Postgres cannot be reached, or is too busy.
        """
        with self._tracing.within(SPANS[Transaction.APPEND]):
            async with self._transaction(tenant_id) as connection:
                yield connection

    @asynccontextmanager
    async def _transaction(self, tenant_id: str) -> AsyncIterator[Any]:
        try:
            pool = self._pool or await self._opened()
            connection = await self._begun(pool, tenant_id)
            began = perf_counter()
            try:
                yield connection
                if await connection.execute("COMMIT") != "COMMIT":
                    raise RuntimeError("a transaction that had failed was to be committed")
            except TimeoutError:
                # It would not answer a goodbye either.
                connection.terminate()
                raise
            finally:
                # Rolls back what is not committed, also when who waits for it is gone.
                await _rolled_back(connection)
                self._watch.worked(Transaction.APPEND, perf_counter() - began)
                await pool.release(connection, timeout=_ROLLBACK_SECONDS)
        except LOST as error:
            self._watch.failed(Failure.UNAVAILABLE)
            raise StoreUnavailableError("the database is not available, or too busy") from error
        except asyncpg.PostgresError as error:
            failure = failure_of(error)
            if failure is not None:
                self._watch.failed(failure)
            if not is_outage(error):
                raise
            raise StoreUnavailableError("the database is not available") from error

    def usage(self) -> Usage:
        """How many connections there are at present."""
        return usage_of(self._pool, self._pool_size)

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _begun(self, pool: asyncpg.Pool, tenant_id: str) -> Any:
        """A connection in a transaction; one that died while it rested is passed over."""
        for _ in range(self._pool_size):
            asked = perf_counter()
            try:
                connection = await pool.acquire(timeout=self.patience)
            except TimeoutError:
                self._watch.failed(Failure.BUSY)
                raise StoreBusyError("the database is too busy; try again later") from None
            finally:
                self._watch.waited(Pool.WRITES, perf_counter() - asked)
            try:
                await connection.execute(f"BEGIN; SET LOCAL app.tenant_id = E'{_quoted(tenant_id)}'; {_PLANS}")
            except BaseException as error:
                is_dead = connection.is_closed()
                if isinstance(error, TimeoutError):
                    connection.terminate()
                await pool.release(connection, timeout=_ROLLBACK_SECONDS)
                if not (is_dead and isinstance(error, Exception)):
                    raise
            else:
                return connection
        raise StoreUnavailableError("the database is not available")

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    connect=self._connect,
                    min_size=0,
                    max_size=self._pool_size,
                    reset=_rolled_back,
                    max_inactive_connection_lifetime=0,
                )
            return self._pool


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "''")


async def _rolled_back(connection: Any) -> None:
    """End a transaction that came to nothing; a connection that cannot even do that is closed."""
    try:
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
    except Exception:
        connection.terminate()
