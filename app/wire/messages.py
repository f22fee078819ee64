"""The bodies of webhooks' messages: `{"type", "timestamp", "data"}`, as the Standard Webhooks specification has it."""

from datetime import datetime
from typing import Any, Final

import orjson

from app.core.reading import Reading
from app.ports.changes import AssessmentChange
from app.ports.webhooks import Disabled, MessageType

__all__ = ["JsonMessages"]

_OPTIONS: Final = orjson.OPT_UTC_Z


class JsonMessages:
    """Keeps the promise of `app.use_cases.messages.MessageFormat`."""

    def changed(self, change: AssessmentChange) -> bytes:
        """That a client's assessment became another one: its data is an item of `GET /v1/changes`."""
        data = {
            "id": str(change.place),
            "at": change.at,
            "client_id": change.client_id,
            "as_of": change.as_of,
            "aspects": sorted(change.aspects),
            "before": _reading(change.before),
            "after": _reading(change.after),
        }
        return _message(MessageType.CHANGED, change.at, data)

    def disabled(self, webhook_id: str, url: str, disabled: Disabled) -> bytes:
        """That a webhook was disabled."""
        data = {"webhook_id": webhook_id, "url": url, "reason": disabled.reason, "at": disabled.at}
        return _message(MessageType.DISABLED, disabled.at, data)

    def ping(self, webhook_id: str, at: datetime) -> bytes:
        """That somebody tries whether it works."""
        return _message(MessageType.PING, at, {"webhook_id": webhook_id})


def _reading(found: Reading | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"score": found.score, "verdict": found.verdict, "client_type": found.client_type}


def _message(kind: MessageType, at: datetime, data: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "timestamp": at, "data": data}, option=_OPTIONS)
