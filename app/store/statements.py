"""What statements do, in fixed words: the verb, and the tables and questions of ours that it names; never a value."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ports.tracing import OFF, Tracing
from app.store.tables import METADATA

__all__ = ["QUESTIONS", "WatchedConnection", "name_of", "watch_engine"]

QUESTIONS: Final = frozenset(
    {
        "all_tenants",
        "api_key_by_digest",
        "api_keys_by_digests",
        "claim_due_clients",
        "claim_due_portfolio",
        "claim_newest_due_clients",
        "claim_webhooks",
        "due_clients",
        "release_webhooks",
        "remove_old_requests",
        "renew_webhooks",
        "tenant_by_name",
        "tenants_with_old_changes",
        "tenants_with_old_deliveries",
        "unfinished_erasures",
        "webhook_figures",
    }
)
"""The functions that go across tenants; see `app.store.isolation.question`."""

_NAMES: Final = frozenset(METADATA.tables) | QUESTIONS
_MOST: Final = 3
_BEGAN: Final = "partwise_began"
_named = re.compile(r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|FROM|JOIN|USING)\s+(?:ONLY\s+)?\"?(\w+)", re.IGNORECASE)
_first = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|INSERT|UPDATE|DELETE|SELECT|SET|SAVEPOINT|RELEASE)\b", re.IGNORECASE)
_VERBS: Final = {"INSERT": "INSERT", "UPDATE": "UPDATE", "DELETE": "DELETE"}


@lru_cache(1024)
def name_of(statement: str) -> str:
    """Such as `INSERT event`, `SELECT client`, `COMMIT`; what writes comes first."""
    found = [
        (_VERBS.get(verb.split()[0].upper(), "SELECT"), name)
        for verb, name in _named.findall(statement)
        if name in _NAMES
    ]
    written = {name for verb, name in found if verb != "SELECT"}
    told = [f"{verb} {name}" for verb, name in found if verb != "SELECT"]
    told += [f"SELECT {name}" for verb, name in found if verb == "SELECT" and name not in written]
    if told:
        return ", ".join(list(dict.fromkeys(told))[:_MOST])
    first = _first.match(statement)
    return first[1].upper() if first else "statement"


class WatchedConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection of the driver that tells what it is asked by itself, as soon as it is answered."""

    __slots__ = ("tracing",)

    async def execute(self, query: str, *values: Any, **named: Any) -> Any:
        """See the library."""
        with _told(self, query):
            return await super().execute(query, *values, **named)

    async def executemany(self, command: str, *values: Any, **named: Any) -> Any:
        """See the library."""
        with _told(self, command):
            return await super().executemany(command, *values, **named)

    async def fetch(self, query: str, *values: Any, **named: Any) -> Any:
        """See the library."""
        with _told(self, query):
            return await super().fetch(query, *values, **named)

    async def fetchrow(self, query: str, *values: Any, **named: Any) -> Any:
        """See the library."""
        with _told(self, query):
            return await super().fetchrow(query, *values, **named)

    async def fetchval(self, query: str, *values: Any, **named: Any) -> Any:
        """See the library."""
        with _told(self, query):
            return await super().fetchval(query, *values, **named)


@contextmanager
def _told(connection: Any, statement: str) -> Iterator[None]:
    # What finds out whether a connection may be used at all is asked before anybody listens.
    tracing: Tracing = getattr(connection, "tracing", OFF)
    began, error = perf_counter(), None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        tracing.statement(name_of(statement), perf_counter() - began, error)


def watch_engine(engine: AsyncEngine, tracing: Tracing) -> None:
    """Tell of the statements that the library prepares, of which the driver does not tell by itself."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def began(  # noqa: PLR0917 - as the library calls it
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        del cursor, statement, parameters, context, executemany
        connection.info[_BEGAN] = perf_counter()

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def ended(  # noqa: PLR0917 - as the library calls it
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        del cursor, parameters, context
        # Of one for many rows the driver tells.
        if not executemany:
            tracing.statement(name_of(statement), perf_counter() - connection.info[_BEGAN], None)

    @event.listens_for(engine.sync_engine, "handle_error")
    def failed(found: Any) -> None:
        if found.connection is not None and found.statement is not None:
            seconds = perf_counter() - found.connection.info.get(_BEGAN, perf_counter())
            tracing.statement(name_of(found.statement), seconds, found.original_exception)
