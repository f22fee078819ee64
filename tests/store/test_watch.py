"""What the store tells of how the database does."""

import ast
import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import app.store
from app.ports.database import Failure, Pool, Transaction
from app.ports.ledger import StoreBusyError, StoreUnavailableError
from app.store.engine import make_engine, transaction
from app.store.pools import usage_of_engine
from app.store.reads import Reads
from app.store.writes import Writes

TENANT = "11111111-0000-4000-8000-000000000000"
NOWHERE = "postgresql+asyncpg://nobody:x@127.0.0.1:1/none"


class Notes:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.waits: list[Pool] = []
        self.transactions: list[Transaction] = []
        self.failures: list[Failure] = []

    def waited(self, pool: Pool, seconds: float) -> None:
        assert seconds >= 0
        self.waits.append(pool)

    def worked(self, transaction: Transaction, seconds: float) -> None:
        assert seconds > 0
        self.transactions.append(transaction)

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)

    def asked(self, is_up: bool) -> None:
        raise AssertionError


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_every_transaction_has_a_name():
    """A new one gets its row in `Transaction`."""
    nameless = []
    for file in Path(app.store.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name("transaction"), args=arguments, keywords=keywords):
                    named = len(arguments) == 3 or any(one.arg == "name" for one in keywords)
                    if not named:
                        nameless.append(f"{file.name}:{node.lineno}")
    assert nameless == []


async def test_a_transaction_of_the_engine(database_url: str, notes: Notes):
    engine = make_engine(database_url, 1, watch=notes)
    async with transaction(engine, TENANT, Transaction.POLICY) as connection:
        await connection.execute(text("SELECT 1"))
        assert usage_of_engine(engine) == (1, 0, 1)
    assert usage_of_engine(engine) == (0, 1, 1)
    with pytest.raises(ZeroDivisionError):
        async with transaction(engine, TENANT, Transaction.AUDIT):
            raise ZeroDivisionError
    await engine.dispose()
    assert notes.transactions == [Transaction.POLICY, Transaction.AUDIT]
    assert notes.waits == [Pool.QUERIES] * 2
    assert notes.failures == []


async def test_reads_and_writes(database_url: str, notes: Notes):
    reads, writes = Reads(database_url, 2, watch=notes), Writes(database_url, 3, 5.0, watch=notes)
    assert (reads.usage(), writes.usage()) == ((0, 0, 2), (0, 0, 3))
    assert await reads.value(TENANT, "SELECT 1 WHERE $1 <> ''") == 1
    async with writes.transaction(TENANT) as connection:
        assert writes.usage() == (1, 0, 3)
        await connection.execute("SELECT 1")
    assert (reads.usage(), writes.usage()) == ((0, 1, 2), (0, 1, 3))
    await reads.close()
    await writes.close()
    assert notes.transactions == [Transaction.READ, Transaction.APPEND]
    assert notes.waits == [Pool.READS, Pool.WRITES]


async def test_what_cannot_be_reached(notes: Notes):
    engine, reads, writes = (
        make_engine(NOWHERE, 1, watch=notes),
        Reads(NOWHERE, 1, watch=notes),
        Writes(NOWHERE, 1, 1.0, watch=notes),
    )
    with pytest.raises(StoreUnavailableError):
        async with transaction(engine, TENANT):
            pass
    with pytest.raises(StoreUnavailableError):
        await reads.value(TENANT, "SELECT 1 WHERE $1 <> ''")
    with pytest.raises(StoreUnavailableError):
        async with writes.transaction(TENANT):
            pass
    assert notes.failures == [Failure.UNAVAILABLE] * 3
    assert notes.transactions == []


async def test_a_pool_that_stays_empty_is_busy(database_url: str, notes: Notes):
    writes = Writes(database_url, 1, 0.05, watch=notes)
    async with writes.transaction(TENANT):
        with pytest.raises(StoreBusyError):
            async with writes.transaction(TENANT):
                pass
    await writes.close()
    assert notes.failures == [Failure.BUSY]
    assert notes.waits == [Pool.WRITES] * 2, "in vain, too"


TWICE = "INSERT INTO secret VALUES (:tenant, 'x', now()), (:tenant, 'y', now())"


async def test_refusals_are_failures_of_ours_but_for_what_is_expected(database_url: str, notes: Notes):
    engine, reads = make_engine(database_url, 1, watch=notes), Reads(database_url, 1, watch=notes)
    with pytest.raises(asyncpg.UndefinedColumnError):
        await reads.value(TENANT, "SELECT nonsense WHERE $1 <> ''")
    with pytest.raises(Exception, match="nonsense"):
        async with transaction(engine, TENANT, Transaction.POLICY) as connection:
            await connection.execute(text("SELECT nonsense"))
    assert notes.failures == [Failure.OTHER] * 2
    with pytest.raises(IntegrityError):
        async with transaction(engine, TENANT, Transaction.SECRET) as connection:
            await connection.execute(text(TWICE), {"tenant": TENANT})
    await asyncio.gather(engine.dispose(), reads.close())
    assert notes.failures == [Failure.OTHER] * 2
