"""Connections to Postgres, and what to make of their failures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.ports.ledger import StoreUnavailableError

__all__ = ["SESSION", "is_outage", "make_engine", "retrying", "transaction"]

SESSION = {
    "application_name": "partwise",
    "timezone": "UTC",
    # 2xx means durable: never inherit a server's laxer default.
    "synchronous_commit": "on",
    "statement_timeout": "30000",
    "idle_in_transaction_session_timeout": "60000",
    "jit": "off",
}
_ATTEMPTS = 5
# Serialisation failures and deadlocks: the other transaction has gone on, so trying again is right.
_PASSING = ("40001", "40P01")

# For this transaction alone: a setting of the session would leak through poolers.
_SET_TENANT = text("SELECT set_config('app.tenant_id', :tenant, true)")

T = TypeVar("T")


def make_engine(url: str, pool_size: int) -> AsyncEngine:
    """Make the pool; no connection is opened before the first is needed.

    Args:
        url: `postgresql+asyncpg://…`.
        pool_size: connections at most; who waits longer than ten seconds for one is told so.
    """
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"server_settings": SESSION, "timeout": 5, "command_timeout": 30},
    )


@asynccontextmanager
async def transaction(engine: AsyncEngine, tenant_id: str | None) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed at the end, rolled back on any error.

    Args:
        engine: the pool.
        tenant_id: whose rows it is about; None for what belongs to no tenant.

    Raises:
        StoreUnavailableError: Postgres cannot be reached, or the pool stays empty.
    """
    try:
        async with engine.begin() as connection:
            if tenant_id is not None:
                await connection.execute(_SET_TENANT, {"tenant": tenant_id})
            yield connection
    except DBAPIError as error:
        if error.connection_invalidated or is_outage(error.orig):
            raise StoreUnavailableError("the database is not available") from error
        raise
    except (OSError, PoolTimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
        raise StoreUnavailableError("the database is not available") from error
    except asyncpg.PostgresError as error:
        # Raised while connecting: starting up, shutting down, too many connections.
        raise StoreUnavailableError("the database is not available") from error


async def retrying(work: Callable[[], Awaitable[T]]) -> T:
    """Do work that is one transaction, again where another one got in its way."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await work()
        except (DBAPIError, asyncpg.PostgresError) as error:
            if _code(error.orig if isinstance(error, DBAPIError) else error) not in _PASSING:
                raise
            if attempt == _ATTEMPTS:
                raise StoreUnavailableError("the database is too busy") from error
    raise AssertionError("unreachable")


def _code(error: BaseException | None) -> str:
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")


def is_outage(error: BaseException | None) -> bool:
    """Whether it says that the database is away or busy.

    Lost connections (08), no resources (53), cancelled or shut down (57), waited in vain for a lock (55P03).
    """
    return _code(error).startswith(("08", "53", "57", "55P03", "25P03"))
