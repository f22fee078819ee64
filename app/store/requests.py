"""Requests that are done once, in Postgres: one row each, claimed before the work and answered after it."""

import uuid
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ports.database import Transaction
from app.ports.requests import Answered, Claim, Claimed, InFlight, Other, RequestKey
from app.store.engine import transaction
from app.store.erasures import digest_of
from app.store.tables import client, request

__all__ = ["PostgresRequests", "made_by", "note_made"]

_OVER: Final = text("'-infinity'::timestamptz")
_REMOVED: Final = text("SELECT count(*) FROM remove_old_requests(:most)").bindparams(bindparam("most"))


class PostgresRequests:
    """Keeps the promise of `app.ports.requests.Requests`."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use a pool."""
        self._engine = engine

    async def claim(
        self, key: RequestKey, fingerprint: bytes, lease: timedelta, keep: timedelta
    ) -> Claimed | Answered | InFlight | Other:
        """Claim a request; see the port."""
        token = str(uuid.uuid4())
        row = {
            "tenant_id": key.tenant_id,
            "credential": key.credential,
            "digest": key.digest,
            "request_id": str(uuid.uuid4()),
            "fingerprint": fingerprint,
            "claim": token,
            "created_at": func.now(),
            "leased_until": func.now() + lease,
            "kept_until": func.now() + keep,
        }
        fresh = insert(request).values(row)
        # Whose lease has ended without an answer has died, or had none to keep.
        claimed = fresh.on_conflict_do_update(
            index_elements=["tenant_id", "credential", "digest"],
            set_={"claim": token, "leased_until": fresh.excluded.leased_until, "created_at": func.now()},
            where=and_(
                request.c.answer.is_(None),
                request.c.leased_until <= func.now(),
                request.c.fingerprint == fresh.excluded.fingerprint,
            ),
        ).returning(request.c.request_id)
        found = select(request, func.now().label("present")).where(request.c.tenant_id == key.tenant_id, _is(key))
        while True:
            async with transaction(self._engine, key.tenant_id, Transaction.REQUEST) as connection:
                old = delete(request).where(request.c.tenant_id == key.tenant_id, _is(key))
                await connection.execute(old.where(request.c.kept_until <= func.now()))
                mine = (await connection.execute(claimed)).scalar_one_or_none()
                if mine is not None:
                    return Claimed(Claim(mine, token))
                theirs = (await connection.execute(found)).one_or_none()
            # None where it was removed in between.
            if theirs is not None:
                return _of(theirs, fingerprint)

    async def renew(self, key: RequestKey, claim: Claim, lease: timedelta) -> None:
        """Renew a claim; see the port."""
        async with transaction(self._engine, key.tenant_id, Transaction.REQUEST) as connection:
            held = update(request).where(request.c.tenant_id == key.tenant_id, _held(key, claim))
            await connection.execute(held.values(leased_until=func.now() + lease))

    async def answer(self, key: RequestKey, claim: Claim, answer: bytes, client_id: str | None) -> None:
        """Keep the answer; see the port."""
        async with transaction(self._engine, key.tenant_id, Transaction.REQUEST) as connection:
            values: dict[str, Any] = {"answer": answer, "leased_until": _OVER}
            if client_id is not None:
                if await _is_known(connection, key.tenant_id, client_id):
                    values["subject"] = digest_of(client_id)
                else:
                    values["answer"] = None
            held = update(request).where(request.c.tenant_id == key.tenant_id, _held(key, claim))
            await connection.execute(held.values(values))

    async def release(self, key: RequestKey, claim: Claim) -> None:
        """End a claim; see the port."""
        async with transaction(self._engine, key.tenant_id, Transaction.REQUEST) as connection:
            held = update(request).where(request.c.tenant_id == key.tenant_id, _held(key, claim))
            await connection.execute(held.values(leased_until=_OVER))

    async def remove_old(self, most: int) -> int:
        """Remove what is kept no longer; see the port."""
        async with transaction(self._engine, None, Transaction.REQUEST) as connection:
            return int((await connection.execute(_REMOVED, {"most": most})).scalar_one())


async def made_by(connection: AsyncConnection, tenant_id: str, request_id: str | None) -> str | None:
    """What a request has made already, when it was done before and its answer did not come to be kept.

    It is asked under the lock under which it is noted.
    """
    if request_id is None:
        return None
    statement = select(request.c.made).where(request.c.tenant_id == tenant_id, request.c.request_id == request_id)
    return (await connection.execute(statement)).scalar_one_or_none()


async def note_made(connection: AsyncConnection, tenant_id: str, request_id: str | None, name: str) -> None:
    """Note what a request makes, in the transaction that makes it."""
    if request_id is not None:
        mine = update(request).where(request.c.tenant_id == tenant_id, request.c.request_id == request_id)
        await connection.execute(mine.values(made=name))


def _is(key: RequestKey) -> ColumnElement[bool]:
    """Within the tenant."""
    return and_(request.c.credential == key.credential, request.c.digest == key.digest)


def _held(key: RequestKey, claim: Claim) -> ColumnElement[bool]:
    return and_(_is(key), request.c.claim == claim.token, request.c.answer.is_(None))


async def _is_known(connection: AsyncConnection, tenant_id: str, client_id: str) -> bool:
    """Whether there is a client, who is not erased before this transaction ends."""
    known = select(literal(1)).where(client.c.tenant_id == tenant_id, client.c.client_id == client_id)
    locked = known.with_for_update(read=True, key_share=True)
    return (await connection.execute(locked)).scalar_one_or_none() is not None


def _of(row: Any, fingerprint: bytes) -> Answered | InFlight | Other:
    if bytes(row.fingerprint) != fingerprint:
        return Other()
    if row.answer is not None:
        return Answered(bytes(row.answer))
    return InFlight(row.created_at, row.leased_until, row.present)
