"""Reads of one statement, the shortest way to Postgres: no transaction to begin and to end, no SQL to compile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from app.ports.ledger import StoreUnavailableError
from app.store.engine import SESSION, is_outage

__all__ = ["Reads"]

T = TypeVar("T")


class Reads:
    """A pool of connections for single statements; it opens with the first one."""

    def __init__(self, url: str, pool_size: int) -> None:
        """Read from a database, by its `postgresql+asyncpg://…` URL; no connection is opened yet."""
        self._url = url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def rows(self, tenant_id: str, statement: str, *values: object) -> list[Any]:
        """All rows that a statement finds; its `$1` is the tenant, `$2` and so on are the values.

        Raises:
            StoreUnavailableError: Postgres cannot be reached, or is too busy.
        """
        return await self._ask(lambda pool: pool.fetch(statement, tenant_id, *values))

    async def row(self, tenant_id: str, statement: str, *values: object) -> Any:
        """The first row that a statement finds, or None; see `rows`."""
        return await self._ask(lambda pool: pool.fetchrow(statement, tenant_id, *values))

    async def value(self, tenant_id: str, statement: str, *values: object) -> Any:
        """The first value of the first row, or None; see `rows`."""
        return await self._ask(lambda pool: pool.fetchval(statement, tenant_id, *values))

    async def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _ask(self, ask: Callable[[asyncpg.Pool], Awaitable[T]]) -> T:
        for again in (True, False):
            try:
                return await ask(self._pool or await self._opened())
            except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
                # A connection may have died while it rested; the next one is new.
                if not again:
                    raise StoreUnavailableError("the database is not available") from error
            except asyncpg.PostgresError as error:
                if not is_outage(error):
                    raise
                raise StoreUnavailableError("the database is not available") from error
        raise AssertionError("unreachable")

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=1,
                    max_size=self._pool_size,
                    timeout=5,
                    command_timeout=30,
                    server_settings=SESSION,
                    reset=_leave_as_it_is,
                    # A timer for each statement costs more than an idle connection.
                    max_inactive_connection_lifetime=0,
                )
            return self._pool


async def _leave_as_it_is(connection: Any) -> None:
    """A single statement leaves nothing behind that would have to be reset."""
    del connection
