"""Connections to this worker's database: the service's, and its owner's."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.store.connection import Connector
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
