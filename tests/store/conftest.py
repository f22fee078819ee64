"""Connections to this worker's database, the service's and its owner's, and the store's classes over it."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.composition import SystemClock
from app.store.connection import Connector
from app.store.engine import make_engine
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.store.writes import Writes
from app.wire.cloudevents import EventDecoder
from tests.postgres import Server


@pytest.fixture
def owner_url(database_url: str, postgres: Server) -> str:
    return postgres.owner_of(database_url)


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The role that made the tables; row-level security holds for it, too."""
    connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    yield connection
    await connection.close()


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the service opens them."""
    connection = await Connector(database_url)()
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    found = make_engine(database_url, 10)
    yield found
    await found.dispose()


@pytest.fixture(scope="session")
async def reads(database_url: str) -> AsyncIterator[Reads]:
    found = Reads(database_url, 4)
    yield found
    await found.close()


@pytest.fixture(scope="session")
async def writes(database_url: str) -> AsyncIterator[Writes]:
    found = Writes(database_url, 8, 10.0)
    yield found
    await found.close()


@pytest.fixture
def ledger(engine: AsyncEngine, writes: Writes) -> PostgresLedger:
    return PostgresLedger(engine, writes, EventDecoder(SystemClock()).load)


@pytest.fixture
def tenant() -> str:
    return str(uuid.uuid4())
