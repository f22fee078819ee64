"""What statements do, in fixed words: the verb, and the tables and questions of ours that it names; never a value."""

import re
from functools import lru_cache
from time import perf_counter
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ports.tracing import Tracing
from app.store.tables import METADATA

__all__ = ["QUESTIONS", "name_of", "watch_connection", "watch_engine"]

QUESTIONS: Final = frozenset(
    {
        "all_tenants",
        "api_key_by_digest",
        "api_keys_by_digests",
        "claim_due_clients",
        "claim_due_portfolio",
        "claim_newest_due_clients",
        "due_clients",
        "remove_old_requests",
        "tenant_by_name",
        "unfinished_erasures",
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


def watch_connection(connection: Any, tracing: Tracing) -> None:
    """Tell of what a connection of the driver is asked by itself."""

    def asked(query: Any) -> None:
        # Called right after the answer, in the context of who asked.
        tracing.statement(name_of(query.query), query.elapsed, query.exception)

    connection.add_query_logger(asked)


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
