"""Messages of webhooks: how they are named and what they say."""

import hashlib
import uuid
from datetime import datetime
from typing import Protocol

from app.ports.changes import AssessmentChange
from app.ports.webhooks import Disabled

__all__ = ["MessageFormat", "id_of_change", "new_id"]


class MessageFormat(Protocol):
    """Says things as bytes."""

    def changed(self, change: AssessmentChange) -> bytes:
        """That a client's assessment became another one."""
        ...

    def disabled(self, webhook_id: str, url: str, disabled: Disabled) -> bytes:
        """That a webhook was disabled."""
        ...

    def ping(self, webhook_id: str, at: datetime) -> bytes:
        """That somebody tries whether it works."""
        ...


def id_of_change(tenant_id: str, place: int) -> str:
    """`webhook-id` of a change: the same for all webhooks, tries and replays; it does not tell how many there are."""
    return "msg_" + hashlib.sha256(f"{tenant_id}\0{place}".encode()).hexdigest()[:32]


def new_id() -> str:
    """`webhook-id` of any other message."""
    return f"msg_{uuid.uuid4().hex}"
