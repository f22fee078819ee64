"""Every operation of the OpenAPI document, ready to be asked: with things that are there, and a body that fits.

A new operation is walked by itself. One with a new name in its path, or with a body that a walk may not send as the
document's example has it, says so here.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from app.cli.openapi import document_of_the_code
from app.ports.tenants import Scope
from app.rest.openapi.operations import Operation, operations_of
from tests.cloud_events import STRUCTURED, as_json, cloud_event
from tests.rest.conftest import Caller

__all__ = ["LOG", "OPERATIONS", "World", "ask", "named", "new_entries", "world_of"]


def named(operation: Operation) -> str:
    """As the table of scopes names it."""
    return f"{operation.method} {operation.path}"


OPERATIONS = [one for one in operations_of(document_of_the_code()) if one.needs_key]

EVENTS = "/v1/events"
LOG = "/v1/audit-log?limit=200"
NOWHERE = "http://127.0.0.1:9/"
"""Where nobody listens: what is sent fails at once."""


@dataclass(frozen=True)
class World:
    """A tenant and what it has.

    Attributes:
        tenant: its name.
        owner: a client of the API that may do everything.
        names: what stands in paths, by the name of the parameter.
        mark: a word that is in all that it has, and in no name.
    """

    tenant: str
    owner: httpx.AsyncClient
    names: dict[str, str]
    mark: str

    async def everything(self) -> dict[str, Any]:
        """All that can be read of it, apart from when keys were used."""
        keys = await self.owner.get("/v1/api-keys?limit=200")
        kept = [{**one, "last_used_at": None} for one in keys.json()["items"]]
        client = f"/v1/clients/{self.names['client_id']}"
        hook = f"/v1/webhooks/{self.names['webhook_id']}/deliveries"
        paths = ("/v1/clients", EVENTS, "/v1/policies", "/v1/erasures", "/v1/webhooks", hook, LOG, client)
        found = {path: (await self.owner.get(path)).json() for path in paths}
        return {**found, "keys": kept}


async def world_of(caller: Caller, tenant: str) -> World:
    """A tenant that has one of everything."""
    owner, mark, some = await caller(tenant), uuid.uuid4().hex, uuid.uuid4().hex[:8]

    async def done(method: str, path: str, **more: Any) -> Any:
        answer = await owner.request(method, path, **more)
        assert answer.is_success, answer.text
        return json.loads(answer.content or "null")

    client, gone, event = f"client-{some}", f"gone-{some}", f"event-{some}"
    for one in (client, gone):
        await done("PUT", f"/v1/clients/{one}", json={"name": mark})
    sent = cloud_event(event, "relationship.thrived", client, data={"note": mark}, time="2026-02-03T04:05:06Z")
    await done("POST", "/v1/events", content=as_json(sent), headers={"Content-Type": STRUCTURED})
    # The versions of others have the first numbers too.
    versions = [await done("POST", "/v1/policies", json={"settings": {}, "note": mark}) for _ in range(3)]
    key = await done("POST", "/v1/api-keys", json={"name": mark, "scopes": ["read"]})
    await done("DELETE", f"/v1/clients/{gone}")
    (erased,) = (await done("GET", "/v1/erasures"))["items"]
    # Something is told before there are webhooks, so that it can be replayed.
    await done("GET", "/v1/clients")
    webhooks = [await done("POST", "/v1/webhooks", json={"url": NOWHERE, "description": mark}) for _ in range(2)]
    paths = [f"/v1/webhooks/{one['webhook_id']}" for one in webhooks]
    delivery = await done("POST", f"{paths[0]}/ping")
    await done("POST", f"{paths[0]}/deliveries/{delivery['number']}/replay")
    await done("POST", f"{paths[1]}/disable")
    names = {
        "client_id": client,
        "event_id": event,
        "version": versions[-1]["version"],
        "key_id": key["key_id"],
        "digest": erased["digest"],
        "webhook_id": webhooks[0]["webhook_id"],
        "disabled_webhook_id": webhooks[1]["webhook_id"],
        "number": str(delivery["number"]),
    }
    return World(tenant, owner, names, mark)


async def ask(
    client: httpx.AsyncClient, operation: Operation, names: dict[str, str], scopes: frozenset[Scope] = frozenset(Scope)
) -> httpx.Response:
    """Ask an operation for what is named, with its first example as the body, as one who may so much."""
    query = {
        one["name"]: names[one["name"]]
        for one in operation.spec["parameters"]
        if one.get("name") in names and one["in"] == "query"
    }
    # `*` holds for whatever there is.
    headers = {"If-Match": "*"} if "428" in operation.spec["responses"] else {}
    content = None
    if operation.has_body:
        media, read = next(iter(operation.spec["requestBody"]["content"].items()))
        (example, *_) = read["examples"].values()
        body = example["value"]
        if isinstance(body, dict) and "scopes" in body:
            # Nobody may give what he does not have.
            body = {**body, "scopes": sorted(scopes)}
        elif operation.id == "rotateWebhook":
            # So many sign at once, and no more.
            body = {"overlap": 0}
        elif operation.id == "replayPeriod":
            # The same each time, for who sends it again.
            today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            body = {name: (today + timedelta(days=n)).isoformat() for name, n in (("since", -1), ("until", 2))}
        headers["Content-Type"], content = media, json.dumps(body)
    if operation.id == "enableWebhook":
        names = {**names, "webhook_id": names["disabled_webhook_id"]}
    path = operation.path.format_map(names)
    return await client.request(operation.method, path, params=query, headers=headers, content=content)


async def new_entries(world: World, before: dict[str, Any], *, sends: bool) -> list[dict[str, Any]]:
    """What the audit log has since then: one entry if the request `walk` changed anything, none if it did not.

    Of one that sends events there is none: these are a log of their own.
    """
    after = await world.everything()
    known = {one["id"] for one in before[LOG]["items"]}
    entries = [one for one in after[LOG]["items"] if one["id"] not in known]
    # A client that is put becomes an event, too.
    changed = {name for name in after if name not in (LOG, EVENTS) and after[name] != before[name]}
    assert len(entries) == (1 if changed and not sends else 0), changed
    assert all(one["request_id"] == "walk" and one["actor"].startswith("key:") for one in entries)
    # Nothing of what people wrote.
    assert world.mark not in json.dumps(after[LOG])
    assert world.names["client_id"] not in json.dumps(after[LOG])
    return entries
