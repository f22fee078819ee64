"""How many connections the pools have at present."""

from typing import NamedTuple

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

__all__ = ["Usage", "usage_of", "usage_of_engine"]


class Usage(NamedTuple):
    """Connections of one pool: at work, at rest, and how many there may be at most."""

    used: int
    idle: int
    most: int


def usage_of(pool: asyncpg.Pool | None, most: int) -> Usage:
    """Those of a pool of the driver, which may not be open yet."""
    if pool is None:
        return Usage(0, 0, most)
    idle = pool.get_idle_size()
    return Usage(pool.get_size() - idle, idle, most)


def usage_of_engine(engine: AsyncEngine) -> Usage:
    """Those of an engine."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    return Usage(pool.checkedout(), pool.checkedin(), pool.size())
