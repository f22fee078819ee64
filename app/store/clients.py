"""Clients in Postgres."""

from collections.abc import Sequence
from typing import Any, Final

from app.ports.clients import ClientRecord
from app.store.reads import Reads

__all__ = ["PostgresClients"]

_COLUMNS: Final = "SELECT client_id, name, country, currency, time_zone, created_at, revision FROM client "
_HAS: Final = "strpos(lower(client_id), lower($2)) > 0 OR strpos(lower(name), lower($2)) > 0"
# In the order of code points, so that a list is the same on every server and as Python sorts it.
_NAME: Final = 'coalesce(name, client_id) COLLATE "C"'
_ID: Final = 'client_id COLLATE "C"'


class PostgresClients:
    """Keeps the promise of `app.ports.clients.Clients`."""

    def __init__(self, reads: Reads) -> None:
        """Read by single statements."""
        self._reads = reads

    async def get(self, tenant_id: str, client_id: str) -> ClientRecord | None:
        """Find one client; see the port."""
        row = await self._reads.row(tenant_id, _COLUMNS + "WHERE tenant_id = $1 AND client_id = $2", client_id)
        return None if row is None else ClientRecord(*row)

    async def several(self, tenant_id: str, client_ids: Sequence[str]) -> dict[str, ClientRecord]:
        """Find some clients; see the port."""
        statement = _COLUMNS + "WHERE tenant_id = $1 AND client_id = ANY($2)"
        return {row[0]: ClientRecord(*row) for row in await self._reads.rows(tenant_id, statement, list(client_ids))}

    async def all(self, tenant_id: str) -> list[ClientRecord]:
        """List all clients; see the port."""
        statement = _COLUMNS + "WHERE tenant_id = $1 ORDER BY client_id"
        return [ClientRecord(*row) for row in await self._reads.rows(tenant_id, statement)]

    async def count(self, tenant_id: str, text: str | None = None) -> int:
        """Count clients; see the port."""
        statement, values = "SELECT count(*) FROM client WHERE tenant_id = $1", list[str]()
        if text is not None:
            statement, values = f"{statement} AND ({_HAS})", [text]
        return int(await self._reads.value(tenant_id, statement, *values))

    async def page(
        self,
        tenant_id: str,
        text: str | None,
        after: tuple[str, str] | None,
        before: tuple[str, str] | None,
        limit: int,
        *,
        last: bool,
    ) -> list[ClientRecord]:
        """List clients by name; see the port."""
        values: list[Any] = []

        def given(*more: object) -> list[str]:
            values.extend(more)
            return [f"${number}" for number in range(len(values) - len(more) + 2, len(values) + 2)]

        statement = _COLUMNS + "WHERE tenant_id = $1"
        if text is not None:
            given(text)
            statement += f" AND ({_HAS})"
        for place, sign in ((after, ">"), (before, "<")):
            if place is not None:
                statement += f" AND ({_NAME}, {_ID}) {sign} ({', '.join(given(*place))})"
        way = "DESC" if last else "ASC"
        (most,) = given(limit)
        statement += f" ORDER BY {_NAME} {way}, {_ID} {way} LIMIT {most}"
        found = [ClientRecord(*row) for row in await self._reads.rows(tenant_id, statement, *values)]
        return found[::-1] if last else found
