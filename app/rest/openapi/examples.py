"""Examples: of requests, written by hand, and of answers, recorded from the running service."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.rest import events
from app.rest.openapi.operations import operations_of

__all__ = ["EVENTS", "REQUESTS", "add_examples"]

_RECORDED: Final = Path(__file__).with_name("examples.json")


def _event(event_id: str, source: str, kind: str, time: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "subject": "acme",
        "time": time,
        "data": data,
    }


_INVOICE: Final = {"invoice": "INV-17", "amount": 3200, "currency": "USD", "due_date": "2026-08-30"}
EVENTS: Final = (
    _event("contract-1-sent", "/esign", "contract.sent", "2026-06-01T09:00:00Z"),
    _event("contract-1-explained", "/esign", "contract.explained", "2026-06-15T09:00:00Z"),
    _event("contract-1-declined", "/esign", "contract.declined", "2026-07-01T09:00:00Z", reason="later"),
    _event("hours-2026-07", "/hours", "time.logged", "2026-07-20T16:00:00Z", hours=32),
    _event("INV-17-issued", "/billing", "invoice.issued", "2026-07-31T09:00:00Z", **_INVOICE),
    _event("INV-17-paid", "/billing", "invoice.paid", "2026-09-29T09:00:00Z", invoice="INV-17"),
)
"""What happened with the client of the examples."""

_LINES: Final = "".join(json.dumps(event) + "\n" for event in EVENTS)
REQUESTS: Final[dict[str, dict[str, dict[str, tuple[str, Any]]]]] = {
    "sendEvents": {
        events.STRUCTURED: {"one": ("One event", EVENTS[4])},
        events.BATCH: {"batch": ("A batch", list(EVENTS))},
        events.NDJSON: {"stream": ("A stream", _LINES)},
        "application/json": {
            "one": ("One event, told by its attributes", EVENTS[4]),
            "batch": ("A batch, told by its bracket", list(EVENTS)),
            "binary": ("The data of an event in binary mode, with ce- headers", _INVOICE),
        },
    },
    "putClient": {
        "application/json": {
            "client": (
                "A client",
                {"name": "Acme Corp.", "country": "US", "currency": "USD", "time_zone": "America/New_York"},
            )
        }
    },
    "simulateEvents": {
        "application/json": {
            "paid": ("What if the contract were signed?", {"events": [{"type": "contract.signed", "data": {}}]})
        }
    },
    "draftPolicy": {
        "application/json": {
            "calendar": (
                "Another calendar and three days of grace",
                {
                    "settings": {"late": {"grace_days": 3}, "calendar": {"zone": "Europe/Berlin", "country": "DE"}},
                    "note": "We are in Berlin.",
                },
            )
        }
    },
    "createApiKey": {
        "application/json": {
            "crm": ("A key for a CRM", {"name": "CRM", "scopes": ["ingest", "read"], "expires_at": None})
        }
    },
    "rotateApiKey": {"application/json": {"week": ("The secret before works for a week", {"overlap": "P7D"})}},
    "createWebhook": {
        "application/json": {
            "parted": (
                "Who is to be parted with",
                {"url": "https://crm.example/partwise", "verdicts": ["part"], "aspects": ["verdict"]},
            )
        }
    },
    "changeWebhook": {
        "application/json": {"all": ("All changes of verdicts", {"verdicts": [], "aspects": ["verdict"]})}
    },
    "rotateWebhook": {"application/json": {"day": ("Both secrets sign for a day", {"overlap": "P1D"})}},
    "replayPeriod": {
        "application/json": {"day": ("A day", {"since": "2026-11-24T00:00:00Z", "until": "2026-11-25T00:00:00Z"})}
    },
}
"""By operation, media type and name: a summary and the value."""


@cache
def _recorded() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(_RECORDED.read_text()) if _RECORDED.exists() else {}
    return found


def add_examples(document: dict[str, Any]) -> None:
    """Write examples into requests and answers."""
    for operation in operations_of(document):
        for media, named in REQUESTS.get(operation.id, {}).items():
            operation.spec["requestBody"]["content"][media]["examples"] = {
                name: {"summary": summary, "value": value} for name, (summary, value) in named.items()
            }
        for place, value in _recorded().get(operation.id, {}).items():
            status, _, media = place.partition(" ")
            content = operation.spec["responses"][status].setdefault("content", {})
            if media in content:
                content[media]["example"] = value
