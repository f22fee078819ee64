"""Erasures in Postgres: a tombstone first, then row by row in short transactions."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, Table, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ports.audit import CLI, Action, Actor, client_subject
from app.ports.clients import ClientRecord
from app.ports.conditions import UnfitError
from app.ports.database import Transaction
from app.ports.erasures import Erasure, Step
from app.store.audit import note
from app.store.engine import retrying, transaction
from app.store.portfolios import hastened
from app.store.tables import (
    assessment,
    assessment_change,
    checkpoint,
    client,
    erasure,
    event,
    portfolio_share,
    put_away,
    request,
    webhook_delivery,
    webhook_progress,
)
from app.store.tallies import Additions

__all__ = ["AT_ONCE", "EMPTIED", "PostgresErasures", "being_erased", "digest_of"]

AT_ONCE: Final[tuple[Table, ...]] = (client, assessment, portfolio_share)
"""What lists and answers show of a client: a row in each at most, gone with the tombstone. `client` is the first, for
its row is the lock."""
EMPTIED: Final[tuple[Table, ...]] = (event, put_away, checkpoint, assessment_change, webhook_delivery)
"""Where a client may have any number of rows, removed step by step.

A table that comes to know a `client_id` belongs into one of the two, and must not be written for a client without a
row in `client` (lock that row; those who note deliveries lock the webhook's progress).
"""

_ROWS: Final = 2_000
"""Rows that one transaction removes at most: some hundredths of a second."""


def digest_of(client_id: str) -> bytes:
    """How a tombstone names a client: SHA-256 of its id in UTF-8."""
    return hashlib.sha256(client_id.encode()).digest()


def being_erased(tenant_id: str) -> Select[tuple[str]]:
    """The ids of clients whose rows are being removed at present: nobody is to see them any more."""
    return select(erasure.c.client_id).where(erasure.c.tenant_id == tenant_id, erasure.c.client_id.is_not(None))


class PostgresErasures:
    """Keeps the promise of `app.ports.erasures.Erasures`."""

    def __init__(self, engine: AsyncEngine, rows: int = _ROWS) -> None:
        """Use a pool, and remove so many rows in a transaction at most."""
        self._engine = engine
        self._rows = rows

    async def begin(
        self,
        tenant_id: str,
        client_id: str,
        at: datetime,
        by: Actor = CLI,
        fits: Callable[[ClientRecord], bool] | None = None,
    ) -> Erasure | None:
        """Put a tombstone in the place of a client; see the port."""
        digest = digest_of(client_id)
        row = {"tenant_id": tenant_id, "digest": digest, "erased_at": at, "finished_at": None, "client_id": client_id}

        async def once() -> Erasure | None:
            async with transaction(self._engine, tenant_id, Transaction.ERASURE) as connection:
                if fits is not None:
                    before = await _locked(connection, tenant_id, client_id)
                    if before is not None and not fits(before):
                        raise UnfitError
                # The row is the lock: who is adding events to the client is waited for, who comes later finds the
                # tombstone.
                gone = {table.name: await _forget(connection, table, tenant_id, client_id) for table in AT_ONCE}
                # Kept answers name it by its digest, and are written under the same lock.
                kept = delete(request).where(request.c.tenant_id == tenant_id, request.c.subject == digest)
                await connection.execute(kept)
                if gone[client.name]:
                    await hastened(connection, tenant_id)
                    fresh = insert(erasure).values(row)
                    again = {name: fresh.excluded[name] for name in ("erased_at", "finished_at", "client_id")}
                    key = ("tenant_id", "digest")
                    await connection.execute(fresh.on_conflict_do_update(index_elements=key, set_=again))
                    await note(connection, tenant_id, by.did(Action.CLIENT_ERASED, client_subject(client_id), at))
                assessed = gone[assessment.name]
                if assessed is not None and assessed.tally is not None:
                    additions = Additions()
                    additions.erased(assessed.tally, at)
                    await additions.add(connection, tenant_id)
                return await _get(connection, tenant_id, digest)

        return await retrying(once)

    async def step(self, tenant_id: str, digest: bytes, at: datetime) -> Step:
        """Remove some rows; see the port."""

        async def once() -> Step:
            async with transaction(self._engine, tenant_id, Transaction.ERASURE) as connection:
                return await self._step(connection, tenant_id, digest, at)

        return await retrying(once)

    async def _step(self, connection: AsyncConnection, tenant_id: str, digest: bytes, at: datetime) -> Step:
        mine = select(erasure.c.client_id).where(
            erasure.c.tenant_id == tenant_id, erasure.c.digest == digest, erasure.c.finished_at.is_(None)
        )
        client_id = (await connection.execute(mine.with_for_update(skip_locked=True))).scalar_one_or_none()
        if client_id is None:
            found = await _get(connection, tenant_id, digest)
            return Step.DONE if found is None or found.finished_at is not None else Step.TAKEN
        # Who is noting deliveries is waited for; who begins after this sees that there is no such client.
        progress = select(webhook_progress.c.webhook_id).where(webhook_progress.c.tenant_id == tenant_id)
        await connection.execute(progress.order_by(webhook_progress.c.webhook_id).with_for_update(read=True))
        left = self._rows
        for table in EMPTIED:
            left -= await _remove(connection, table, tenant_id, client_id, left)
            if left == 0:
                return Step.MORE
        done = update(erasure).where(erasure.c.tenant_id == tenant_id, erasure.c.digest == digest)
        await connection.execute(done.values(finished_at=at, client_id=None))
        return Step.DONE

    async def unfinished(self, most: int) -> Sequence[tuple[str, bytes]]:
        """Erasures that are not finished; see the port."""
        found = func.unfinished_erasures(most).table_valued("tenant_id", "digest")
        async with transaction(self._engine, None, Transaction.ERASURE) as connection:
            return [(row.tenant_id, bytes(row.digest)) for row in await connection.execute(select(found))]

    async def get(self, tenant_id: str, digest: bytes) -> Erasure | None:
        """One tombstone; see the port."""
        async with transaction(self._engine, tenant_id, Transaction.ERASURE) as connection:
            return await _get(connection, tenant_id, digest)

    async def page(self, tenant_id: str, after: tuple[datetime, bytes] | None, limit: int) -> list[Erasure]:
        """List tombstones; see the port."""
        place = tuple_(erasure.c.erased_at, erasure.c.digest)
        statement = select(erasure).where(erasure.c.tenant_id == tenant_id)
        if after is not None:
            statement = statement.where(place > tuple_(*after))
        statement = statement.order_by(erasure.c.erased_at, erasure.c.digest).limit(limit)
        async with transaction(self._engine, tenant_id, Transaction.ERASURE) as connection:
            return [_erasure(row) for row in await connection.execute(statement)]


async def _get(connection: AsyncConnection, tenant_id: str, digest: bytes) -> Erasure | None:
    statement = select(erasure).where(erasure.c.tenant_id == tenant_id, erasure.c.digest == digest)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _erasure(row)


async def _locked(connection: AsyncConnection, tenant_id: str, client_id: str) -> ClientRecord | None:
    """A client as it stays until the transaction ends."""
    columns = [client.c[one.name] for one in fields(ClientRecord)]
    mine = select(*columns).where(client.c.tenant_id == tenant_id, client.c.client_id == client_id)
    row = (await connection.execute(mine.with_for_update())).one_or_none()
    return None if row is None else ClientRecord(*row)


async def _forget(connection: AsyncConnection, table: Table, tenant_id: str, client_id: str) -> Row[Any] | None:
    """Remove the one row about a client; what is to be known of it, or None where there was none."""
    statement = delete(table).where(table.c.tenant_id == tenant_id, table.c.client_id == client_id)
    known = [column for column in table.c if column.name in ("client_id", "tally")]
    return (await connection.execute(statement.returning(*known))).one_or_none()


async def _remove(connection: AsyncConnection, table: Table, tenant_id: str, client_id: str, most: int) -> int:
    """Remove rows about a client; how many there were."""
    key = [column for column in table.primary_key.columns if column.name != "tenant_id"]
    some = select(*key).where(table.c.tenant_id == tenant_id, table.c.client_id == client_id).limit(most)
    # The client is named inside alone: named outside too, all of its rows would be read in each step.
    statement = delete(table).where(table.c.tenant_id == tenant_id, tuple_(*key).in_(some))
    return (await connection.execute(statement)).rowcount


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(bytes(row.digest), row.erased_at, row.finished_at)
