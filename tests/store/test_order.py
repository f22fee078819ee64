"""The order of names: what Postgres and this program each put in order comes in the same order, whatever its locale."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import asyncpg
import pytest

from app.core.events import Event
from app.core.events.contact import CallReceived
from app.core.events.effort import TimeLogged
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY as POLICY
from app.store.ledger import PostgresLedger
from app.use_cases.recall import Recall
from tests.store.test_checkpoints import checkpoints, engine, facts_at, ledger, reads, recall, tell, tenant

__all__ = ["checkpoints", "engine", "ledger", "reads", "recall", "tenant"]

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
NAMES = ("a", "B", "-b", "a-c", "aB", "é", "z", "_", "Ä", "10", "9", "a b", "\uff5e", "\U00010000")


async def test_events_of_one_instant_are_in_the_order_of_code_points(
    ledger: PostgresLedger, recall: Recall, tenant: str
):
    """So checkpoints lie at the same place for both, with many events of the same instant on either side."""
    work = TimeLogged(hours=Decimal(1))
    history = [Event("t", "call", "call.received", "acme", BEGIN, CallReceived(), BEGIN)]
    for n in range(40):
        at = BEGIN + timedelta(days=n // 4)
        names = [(source, f"{name}{n}") for source in ("S", "s", "-") for name in NAMES]
        history += [Event(source, name, "time.logged", "acme", at, work, BEGIN) for source, name in names]
    random.Random(3).shuffle(history)
    await tell(ledger, tenant, history)
    revisions = await ledger.revisions(tenant)
    assert await recall.catch_up(tenant, POLICY, "acme") >= len(history) // 128
    assert await recall.catch_up(tenant, POLICY, "acme") == 0
    for days in (0, 3, 7, 20):
        at = BEGIN + timedelta(days=days)
        found = await recall.ask(tenant, POLICY, revisions, [at], partial(facts_at, at))
        assert found == gather(history, POLICY, at)


@pytest.mark.parametrize("table", ["event", "checkpoint", "put_away"])
async def test_rows_are_in_the_order_of_code_points(database_url: str, table: str):
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    told = f"SELECT source FROM {table} WHERE false UNION ALL SELECT unnest($1::text[])"
    statement = f"SELECT told.source FROM ({told}) AS told ORDER BY 1"
    rows = await connection.fetch(statement, list(NAMES))
    assert [row[0] for row in rows] == sorted(NAMES)
    await connection.close()
