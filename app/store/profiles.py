"""What is known of clients, told again from their events, so that the order of arrival does not matter."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

__all__ = ["PROFILE_TYPES", "retell_profiles"]

PROFILE_TYPES: Final = ("client.created", "client.updated", "event.voided")
"""Events that may change what is known of a client; an index of their own finds them (`event_of_profile`)."""

_FIELDS: Final = ("name", "country", "currency", "time_zone")
_TOLD: Final = """
    SELECT client_id, source, id, type, data FROM event
    WHERE tenant_id = $1 AND client_id = ANY($2::text[])
        AND type IN ('client.created', 'client.updated', 'event.voided')
    ORDER BY client_id, "time", source, id
    """
_TELL: Final = """
    UPDATE client SET name = told.name, country = told.country, currency = told.currency, time_zone = told.time_zone
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        AS told (client_id, name, country, currency, time_zone)
    WHERE client.tenant_id = $1 AND client.client_id = ANY($2) AND client.client_id = told.client_id
    """

_read = msgspec.json.Decoder(dict[str, str | None]).decode


async def retell_profiles(connection: Any, tenant_id: str, client_ids: Sequence[str]) -> None:
    """Work out the profiles of some clients anew, in the transaction of a connection that has locked their rows."""
    told = await connection.fetch(_TOLD, tenant_id, client_ids)
    voided: set[tuple[str, str | None, str | None]] = set()
    for client_id, _, _, kind, data in told:
        if kind == "event.voided":
            void = _read(data)
            voided.add((client_id, void["source"], void["id"]))
    known: dict[str, dict[str, str | None]] = {client_id: dict.fromkeys(_FIELDS) for client_id in client_ids}
    for client_id, source, event_id, kind, data in told:
        if kind != "event.voided" and (client_id, source, event_id) not in voided:
            known[client_id] |= {name: value for name, value in _read(data).items() if value is not None}
    columns = [[known[client_id][name] for client_id in client_ids] for name in _FIELDS]
    await connection.execute(_TELL, tenant_id, client_ids, *columns)
