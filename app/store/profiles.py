"""What is known of clients, as their events tell it in the order of their times, whatever order they arrive in."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.ports.ledger import NewEvent

__all__ = ["PROFILE_TYPES", "tell_profiles"]

PROFILE_TYPES: Final = ("client.created", "client.updated", "event.voided")
"""Events that may change what is known of a client; an index of their own finds them (`event_of_profile`)."""

_VOIDS: Final = "event.voided"
_FIELDS: Final = ("name", "country", "currency", "time_zone")

# An event after all that were told before: what it says is added. The rows are there, but a statement that looks each
# of them up by its key, whatever is thought of the size of the table, is one that would insert.
_ADD: Final = """
    WITH added AS (
        INSERT INTO client (
            tenant_id, client_id, name, country, currency, time_zone, profile_until, created_at, revision
        )
        SELECT $1, told.*, now(), 0
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]) AS told
        ON CONFLICT (tenant_id, client_id) DO UPDATE SET
            name = coalesce(excluded.name, client.name), country = coalesce(excluded.country, client.country),
            currency = coalesce(excluded.currency, client.currency),
            time_zone = coalesce(excluded.time_zone, client.time_zone), profile_until = excluded.profile_until
        WHERE client.profile_until < excluded.profile_until
        RETURNING client_id
    )
    SELECT array_agg(client_id) FROM added
    """
_TOLD: Final = """
    SELECT event.client_id, event.source, event.id, event.type, event.data, event."time"
    FROM unnest($2::text[]) AS wanted (client_id)
    CROSS JOIN LATERAL (
        SELECT * FROM event
        WHERE tenant_id = $1 AND client_id = wanted.client_id
            AND type IN ('client.created', 'client.updated', 'event.voided')
        ORDER BY "time", source, id
        OFFSET 0
    ) AS event
    ORDER BY event.client_id, event."time", event.source, event.id
    """
# Where an event was voided, one may yet come that was voided before it came: nothing can be added without looking.
_TELL: Final = """
    INSERT INTO client (tenant_id, client_id, name, country, currency, time_zone, profile_until, created_at, revision)
    SELECT $1, told.client_id, told.name, told.country, told.currency, told.time_zone,
        coalesce(told.until, 'infinity'), now(), 0
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
        AS told (client_id, name, country, currency, time_zone, until)
    ON CONFLICT (tenant_id, client_id) DO UPDATE SET
        name = excluded.name, country = excluded.country, currency = excluded.currency,
        time_zone = excluded.time_zone, profile_until = excluded.profile_until
    """

_read = msgspec.json.Decoder(dict[str, str | None]).decode


async def tell_profiles(connection: Any, tenant_id: str, events: Sequence[NewEvent]) -> None:
    """Tell clients what new events say of them, in the transaction of a connection that has locked their rows.

    What comes in order is added to what is known, at a cost that does not depend on what was told before; all else is
    worked out anew from all that was told.
    """
    news = [one for one in events if one.type in PROFILE_TYPES]
    counts = Counter([one.client_id for one in news])
    single = sorted((one for one in news if counts[one.client_id] == 1 and one.type != _VOIDS), key=_client_id)
    if single:
        said = [_read(one.data) for one in single]
        columns = [[one.get(name) for one in said] for name in _FIELDS]
        names, times = [one.client_id for one in single], [one.time for one in single]
        for name in await connection.fetchval(_ADD, tenant_id, names, *columns, times) or ():
            del counts[name]
    if counts:
        await _retell(connection, tenant_id, sorted(counts))


def _client_id(event: NewEvent) -> str:
    return event.client_id


async def _retell(connection: Any, tenant_id: str, client_ids: Sequence[str]) -> None:
    told = await connection.fetch(_TOLD, tenant_id, client_ids)
    voided = {_voided(client_id, data) for client_id, _, _, kind, data, _ in told if kind == _VOIDS}
    known: dict[str, dict[str, str | None]] = {client_id: dict.fromkeys(_FIELDS) for client_id in client_ids}
    until = {row[0]: row[5] for row in told} | dict.fromkeys((void[0] for void in voided), None)
    for client_id, source, event_id, kind, data, _ in told:
        if kind != _VOIDS and (client_id, source, event_id) not in voided:
            known[client_id] |= {name: value for name, value in _read(data).items() if value is not None}
    columns = [[known[client_id][name] for client_id in client_ids] for name in _FIELDS]
    await connection.execute(_TELL, tenant_id, client_ids, *columns, [until[name] for name in client_ids])


def _voided(client_id: str, data: str) -> tuple[str, str | None, str | None]:
    void = _read(data)
    return client_id, void["source"], void["id"]
