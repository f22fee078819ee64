"""Transactions in Postgres, each of one tenant, and what to make of their failures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.ports.database import DatabaseWatch, Failure, Pool, Transaction
from app.ports.ledger import StoreUnavailableError
from app.ports.tracing import OFF, Tracing
from app.store.connection import LONGEST, LOST, Connector
from app.store.statements import watch_engine
from app.use_cases.unheard import UNHEARD

__all__ = ["SPANS", "failure_of", "is_outage", "make_engine", "retrying", "transaction"]

_ATTEMPTS = 5
# Serialisation failures and deadlocks: the other transaction has gone on, so trying again is right.
_PASSING = ("40001", "40P01")
# Another one is in the way, no connection is left, or no lock could be had in time.
_BUSY: Final = ("40", "53", "55P03", "57014")
_POOL_SECONDS = 5
_ROLLBACK_SECONDS = 5
_HAS_WORKED = "has worked"
_WATCH: Final = "partwise_watch"
"""The option of an engine that holds who is told how it does."""
_TRACING: Final = "partwise_tracing"
SPANS: Final = {name: f"{name} transaction" for name in Transaction}
"""How transactions are called in traces."""

# What goes on after its request was cancelled; the loop itself keeps tasks by weak references alone.
_ending: set[asyncio.Task[None]] = set()

T = TypeVar("T")


def make_engine(
    url: str, pool_size: int, seconds: float = LONGEST, watch: DatabaseWatch = UNHEARD, tracing: Tracing = OFF
) -> AsyncEngine:
    """Make the pool; no connection is opened before the first is needed.

    Args:
        url: `postgresql+asyncpg://…`.
        pool_size: connections at most; who waits longer than five seconds for one is told so.
        seconds: for a statement; where Postgres does not answer in that time, it is taken to be away.
        watch: is told how it does.
        tracing: is told of transactions and statements.
    """
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        # `transaction` begins and ends by itself, in one round trip each; nobody else uses the engine.
        isolation_level="AUTOCOMMIT",
        connect_args={"async_creator_fn": Connector(url, seconds, tracing)},
        # What is stored about people does not belong in logs.
        hide_parameters=True,
        execution_options={_WATCH: watch, _TRACING: tracing},
    )
    if tracing.is_on:
        watch_engine(engine, tracing)
    return engine


@asynccontextmanager
async def transaction(
    engine: AsyncEngine, tenant_id: str | None, name: Transaction = Transaction.OTHER
) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed at the end, rolled back on any error.

    Args:
        engine: the pool.
        tenant_id: whose rows it is about, and the only ones that it sees; with None it sees no tenant's.
        name: what it is for.

    Raises:
        StoreUnavailableError: Postgres cannot be reached, or the pool stays empty.
    """
    options = engine.get_execution_options()
    watch: DatabaseWatch = options[_WATCH]
    tracing: Tracing = options[_TRACING]
    with tracing.within(SPANS[name]), _outages_named(watch):
        connection, driver = await _begun(engine, tenant_id, watch)
        began = perf_counter()
        try:
            try:
                yield connection
            except BaseException as error:
                _give_up_on(driver, error)
                await _to_the_end(_rolled_back(connection, driver))
                raise
            await _to_the_end(_committed(connection, driver))
        finally:
            watch.worked(name, perf_counter() - began)


@contextmanager
def _outages_named(watch: DatabaseWatch) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError, asyncpg.PostgresError, *LOST) as error:
        failure = failure_of(error)
        if failure is not None:
            watch.failed(failure)
        if isinstance(error, DBAPIError) and not (error.connection_invalidated or is_outage(error.orig)):
            raise
        # What the driver raises by itself, it raises while connecting: starting up, too many connections.
        raise StoreUnavailableError("the database is not available") from error


async def _begun(engine: AsyncEngine, tenant_id: str | None, watch: DatabaseWatch) -> tuple[AsyncConnection, Any]:
    """A connection in a transaction, and the driver's own; those that died while they rested are passed over."""
    while True:
        asked = perf_counter()
        try:
            connection = await engine.connect()
        finally:
            watch.waited(Pool.QUERIES, perf_counter() - asked)
        driver: Any = None
        has_rested = False
        try:
            pooled = await connection.get_raw_connection()
            driver = pooled.driver_connection
            has_rested = bool(pooled.info.get(_HAS_WORKED))
            await driver.execute(_beginning(tenant_id))
            pooled.info[_HAS_WORKED] = True
        except BaseException as error:
            _give_up_on(driver, error)
            is_slow = isinstance(error, TimeoutError)
            is_dead = isinstance(error, Exception) and not is_slow and driver is not None and driver.is_closed()
            await _to_the_end(_rolled_back(connection, driver))
            if not (is_dead and has_rested):
                raise
        else:
            return connection, driver


def _beginning(tenant_id: str | None) -> str:
    """Begin and say whose it is, in one round trip; for this transaction alone, as poolers share sessions."""
    if tenant_id is None:
        return "BEGIN"
    # Not set_config: where a database is distributed, SET LOCAL is what other nodes are told.
    quoted = tenant_id.replace("\\", "\\\\").replace("'", "''")
    return f"BEGIN; SET LOCAL app.tenant_id = E'{quoted}'"


def _give_up_on(driver: Any, error: BaseException) -> None:
    """Close a connection at once that does not answer: it would not answer a goodbye either."""
    if driver is not None and isinstance(error, TimeoutError):
        driver.terminate()


async def _committed(connection: AsyncConnection, driver: Any) -> None:
    try:
        done = await driver.execute("COMMIT")
    except BaseException as error:
        _give_up_on(driver, error)
        await _rolled_back(connection, driver)
        raise
    await connection.close()
    if done != "COMMIT":
        # An error was passed over, and Postgres answers by rolling back.
        raise RuntimeError(f"the transaction had failed, and ended in {done}")


async def _rolled_back(connection: AsyncConnection, driver: Any) -> None:
    """End a transaction that came to nothing; a connection that cannot even do that is closed."""
    try:
        await driver.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
    except Exception:
        await connection.invalidate()
    finally:
        await connection.close()


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Do it, even if who waits for it is cancelled meanwhile, which may happen more than once."""
    task = asyncio.create_task(work)
    _ending.add(task)
    task.add_done_callback(_ending.discard)
    await asyncio.shield(task)


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


def failure_of(error: BaseException | None) -> Failure | None:
    """What kind of failure an error is; None for what is expected, such as a row that is there already."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return Failure.UNAVAILABLE
        error = error.orig
    code = _code(error)
    if isinstance(error, PoolTimeoutError) or code.startswith(_BUSY):
        return Failure.BUSY
    if code.startswith("23"):
        return None
    return Failure.UNAVAILABLE if is_outage(error) or not code else Failure.OTHER


def is_outage(error: BaseException | None) -> bool:
    """Whether it says that the database is away or busy.

    Lost connections (08), not let in (28, 3D), no resources (53), cancelled or shut down (57), waited in vain for a
    lock (55P03).
    """
    return _code(error).startswith(("08", "28", "3D", "53", "57", "55P03", "25P03"))
