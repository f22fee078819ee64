"""The audit log: who changed what and when. It is written with the change itself, and only ever added to."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

__all__ = [
    "CLI",
    "Action",
    "Actor",
    "AuditEntry",
    "AuditFilter",
    "AuditLog",
    "client_subject",
    "key_subject",
    "webhook_subject",
]


class Action(StrEnum):
    """What was done."""

    TENANT_CREATED = "tenant.created"
    KEY_CREATED = "api_key.created"
    KEY_ROTATED = "api_key.rotated"
    KEY_REVOKED = "api_key.revoked"
    POLICY_DRAFTED = "policy.drafted"
    POLICY_ACTIVATED = "policy.activated"
    RATE_SET = "rate.set"
    RATE_UNSET = "rate.unset"
    CLIENT_PUT = "client.put"
    CLIENT_ERASED = "client.erased"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_ROTATED = "webhook.rotated"
    WEBHOOK_ENABLED = "webhook.enabled"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_REPLAYED = "webhook.replayed"
    WEBHOOK_SKIPPED = "webhook.skipped"
    WEBHOOK_PINGED = "webhook.pinged"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change.

    Attributes:
        entry_id: names it within its tenant.
        at: when, an instant in UTC.
        actor: who: `key:…`, `user:…` or `cli`.
        action: what was done.
        subject: to what: `api_key:…`, `webhook:…`, `policy:…`, `tenant:…`, `keys` for all keys of the tenant, or
            `client:…` with the digest of the client's id.
        details: what else is worth knowing, never what is personal or secret.
        request_id: of the request that did it; None for another way.
    """

    entry_id: str
    at: datetime
    actor: str
    action: Action
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, and by which request."""

    name: str
    request_id: str | None = None

    def did(self, action: Action, subject: str, at: datetime, **details: Any) -> AuditEntry:
        """The entry for something that this one did; details that are None are left out."""
        told = {name: value for name, value in details.items() if value is not None}
        return AuditEntry(uuid.uuid4().hex, at, self.name, action, subject, told, self.request_id)


CLI = Actor("cli")
"""The operator, at the command line."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; None does not ask. Those with `since <= at < until`."""

    actor: str | None = None
    action: Action | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditLog(Protocol):
    """Reads the log; every method raises `StoreUnavailableError` when it cannot."""

    async def page(
        self, tenant_id: str, wanted: AuditFilter, before: tuple[datetime, str] | None, limit: int
    ) -> list[AuditEntry]:
        """Entries, the newest first, beginning behind a place: the instant and the id of an entry."""
        ...


def client_subject(client_id: str) -> str:
    """How the log names a client: by the SHA-256 of its id, as it is to stay when the client is erased."""
    return f"client:{hashlib.sha256(client_id.encode('utf-8', 'surrogatepass')).hexdigest()}"


def key_subject(key_id: str) -> str:
    """How the log names an API key."""
    return f"api_key:{key_id}"


def webhook_subject(webhook_id: str) -> str:
    """How the log names a webhook."""
    return f"webhook:{webhook_id}"
