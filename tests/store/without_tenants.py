"""Takes the conditions on the tenant out of every statement on its way to Postgres.

Within a block, or for a whole run as a plugin: `pytest -p tests.store.without_tenants tests/rest`. What is answered
stays the same, as row-level security stands behind them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

_CONDITION = re.compile(r"(?:\w+\.)?tenant_id = ((?:\$\d+|who\.tenant_id)(?:::\w+)?)")


@contextmanager
def without_tenants() -> Iterator[list[str]]:
    """Tell which statements had one."""
    changed: list[str] = []

    def stripped(statement: str) -> str:
        # Still true for all, but not for the planner to see.
        bare, times = _CONDITION.subn(r"length((\1)::text) > 0", statement)
        if times:
            changed.append(statement)
        return bare

    def rewrite(connection: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> Any:
        return stripped(statement), parameters

    execute = asyncpg.Connection._execute

    def execute_stripped(self: asyncpg.Connection, query: str, *arguments: Any, **named: Any) -> Any:
        return execute(self, stripped(query), *arguments, **named)

    # By way of SQLAlchemy, and straight by the driver.
    event.listen(Engine, "before_cursor_execute", rewrite, retval=True)
    asyncpg.Connection._execute = execute_stripped
    try:
        yield changed
    finally:
        asyncpg.Connection._execute = execute
        event.remove(Engine, "before_cursor_execute", rewrite)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Do so while all tests of a run are run."""
    with without_tenants() as changed:
        found = yield
    session.config.stash[_CHANGED] = len(changed)
    return found


_CHANGED = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many there were."""
    terminalreporter.write_line(f"without conditions: {terminalreporter.config.stash[_CHANGED]}")
