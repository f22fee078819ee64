"""Waiting for what a test needs to be so, for as long as a slow machine takes to get there."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg

__all__ = ["until", "wait_until", "waits_for_a_lock"]


async def until(is_so: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Ask again and again until it is so.

    Raises:
        TimeoutError: it never was.
    """
    async with asyncio.timeout(seconds):
        while not await is_so():  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(0.02)


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """The same where nothing else goes on in this thread."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


async def waits_for_a_lock(administrator_url: str) -> bool:
    """Whether any connection of this database waits for what another one has locked."""
    connection = await asyncpg.connect(administrator_url.replace("+asyncpg", ""))
    try:
        waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return await connection.fetchval(f"SELECT EXISTS ({waits})")
    finally:
        await connection.close()
