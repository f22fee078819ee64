"""What is known of clients: added to where it comes in order, told again where it does not, and the same either way."""

import json
import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.ports.ledger import NewEvent
from app.store.clients import PostgresClients
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.store.writes import Writes

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
CLIENTS = ("acme", "bolt", "café")
FIELDS = ("name", "country", "currency", "time_zone")
VALUES = {
    "name": ("Acme", "Acme Ltd", None),
    "country": ("DE", "FR", None),
    "currency": ("EUR", "CHF", None),
    "time_zone": ("Europe/Berlin", None),
}


def told(number: int, client: str, minute: int, **says: str | None) -> NewEvent:
    return event(number, "client.updated", client, minute, {name: says.get(name) for name in FIELDS})


def void(number: int, client: str, minute: int, voided: int) -> NewEvent:
    return event(number, "event.voided", client, minute, {"source": "s", "id": f"{voided:03}", "reason": None})


def event(number: int, kind: str, client: str, minute: int, data: dict[str, str | None]) -> NewEvent:
    at = BEGIN + timedelta(minutes=minute)
    return NewEvent("s", f"{number:03}", kind, client, at, json.dumps(data), number.to_bytes(32, "big"))


def history(chance: random.Random) -> list[NewEvent]:
    """Some events of few clients, many of them at one minute; some are voided, also before they come."""
    events = []
    for number in range(40):
        client, minute = chance.choice(CLIENTS), chance.randrange(30)
        if chance.random() < 0.1:
            events.append(void(number, client, minute, chance.randrange(40)))
        else:
            events.append(told(number, client, minute, **{name: chance.choice(VALUES[name]) for name in FIELDS}))
    return events


def expected(events: Sequence[NewEvent], client: str) -> tuple[str | None, ...]:
    """By the definition: the newest that says something of a field, and was not voided, counts."""
    voided = {json.loads(one.data)["id"] for one in events if one.client_id == client and one.type == "event.voided"}
    known: dict[str, str | None] = dict.fromkeys(FIELDS)
    for one in sorted(events, key=lambda one: (one.time, one.source, one.id)):
        if one.client_id == client and one.type == "client.updated" and one.id not in voided:
            known |= {name: value for name, value in json.loads(one.data).items() if value is not None}
    return tuple(known.values())


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_known_is_what_the_events_say_in_their_order(seed: int, reads: Reads, ledger: PostgresLedger):
    chance = random.Random(seed)
    events = history(chance)
    if seed % 3 == 0:
        # Most come in order, and are added.
        events.sort(key=lambda one: one.time)
    clients, tenant, sent = PostgresClients(reads), str(uuid.uuid4()), 0
    while sent < len(events):
        size = chance.choice((1, 1, 2, 5))
        await ledger.append(tenant, events[sent : sent + size])
        sent += size
        for client in CLIENTS:
            found = await clients.get(tenant, client)
            known = (None,) * 4 if found is None else (found.name, found.country, found.currency, found.time_zone)
            assert known == expected(events[:sent], client), (client, sent)


async def test_what_comes_in_order_is_told_without_a_look_at_what_was_told_before(
    ledger: PostgresLedger, writes: Writes, tenant: str
):
    """So what the row says beside the events stays, until they are all read."""
    await ledger.append(tenant, [told(1, "acme", 1, name="First", country="DE")])
    async with writes.transaction(tenant) as connection:
        await connection.execute("UPDATE client SET country = 'FR' WHERE tenant_id = $1", tenant)

    async def known() -> tuple[str | None, ...]:
        async with writes.transaction(tenant) as connection:
            return tuple(await connection.fetchrow("SELECT name, country FROM client WHERE tenant_id = $1", tenant))

    await ledger.append(tenant, [told(2, "acme", 2, name="Second")])
    assert await known() == ("Second", "FR")
    await ledger.append(tenant, [told(3, "acme", 0, name="Comes late")])
    assert await known() == ("Second", "DE")


async def test_a_client_of_whom_it_is_not_known_what_was_told_is_told_again(
    ledger: PostgresLedger, reads: Reads, writes: Writes, tenant: str
):
    """As those are that were there before the column was."""
    await ledger.append(tenant, [told(1, "acme", 5, name="Newest")])
    async with writes.transaction(tenant) as connection:
        await connection.execute("UPDATE client SET profile_until = NULL WHERE tenant_id = $1", tenant)
    await ledger.append(tenant, [told(2, "acme", 1, name="Older", country="DE")])
    found = await PostgresClients(reads).get(tenant, "acme")
    assert found is not None
    assert (found.name, found.country) == ("Newest", "DE")
