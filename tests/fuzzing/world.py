"""What the fuzzed server holds before: two tenants, with the same ids and other contents."""

import json
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.ports.tenants import Scope
from app.rest.openapi.examples import EVENTS
from tests.cloud_events import BATCH, as_json
from tests.service import Service

__all__ = ["World", "made"]

TENANTS = {"ours": "Acme Corp.", "theirs": "Another Acme"}


@dataclass(frozen=True)
class World:
    """Who asks.

    Attributes:
        keys: by tenant.
        ids: of a spare key of the first, and of these keys, that are not to be revoked.
    """

    keys: dict[str, str]
    ids: tuple[str, ...]

    def written(self, folder: Path) -> Path:
        """Write the keys down as Web Fuzzing Commons has it."""
        users = [
            {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
            for name, key in self.keys.items()
        ]
        path = folder / "users.json"
        path.touch(0o600)
        path.write_text(json.dumps({"auth": users}))
        return path


def made(service: Service) -> World:
    """Make the tenants and what they have."""
    keys, own, spare = {}, [], ""
    for tenant, name in TENANTS.items():
        keys[tenant] = service.key(tenant, ",".join(Scope))
        headers = {"Authorization": f"Bearer {keys[tenant]}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=60) as http:
            own += [key["key_id"] for key in http.get("/v1/api-keys").raise_for_status().json()["items"]]
            spare = spare or http.post("/v1/api-keys", json={"name": "spare", "scopes": ["read"]}).json()["key_id"]
            http.put("/v1/clients/acme", json={"name": name, "country": "US", "currency": "USD"}).raise_for_status()
            for client in ("acme", "other"):
                told = [{**event, "subject": client, "id": f"{event['id']}-{client}-{tenant}"} for event in EVENTS]
                told += EVENTS if client == "acme" else ()
                http.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH}).raise_for_status()
            policy = {"settings": {}, "note": name}
            drafted = http.post("/v1/policies", json=policy).raise_for_status().json()["version"]
            http.post(f"/v1/policies/{drafted}/activate", headers={"If-Match": "*"}).raise_for_status()
            http.delete("/v1/clients/other").raise_for_status()
    return World(keys, (spare, *own))
