"""CloudEvents as a sender would write them."""

import json
from typing import Any

__all__ = ["BATCH", "EVERY_TYPE", "NDJSON", "STRUCTURED", "as_json", "cloud_event"]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"

EVERY_TYPE: dict[str, dict[str, Any]] = {
    "contract.sent": {},
    "contract.explained": {"contract": "c-1"},
    "contract.signed": {},
    "contract.declined": {"reason": "later"},
    "contract.expired": {},
    "contract.terminated": {},
    "agreement.made": {"hours": 40, "price": "4000.00", "currency": "EUR", "period": "month", "starts": "2026-01-01"},
    "agreement.amended": {"hours": "32.5"},
    "change.requested": {"change": "x", "title": "one more page", "hours": 8},
    "change.quoted": {"change": "x", "price": 800, "currency": "USD"},
    "change.approved": {"change": "x"},
    "change.rejected": {"change": "x", "by": "us"},
    "change.delivered": {"change": "x", "hours": 9},
    "time.logged": {"hours": 1.25, "billable": False, "day": "2026-01-02"},
    "message.received": {"channel": "chat", "urgent": True},
    "call.received": {},
    "deadline.requested": {"due_at": "2026-01-03T17:00:00+01:00"},
    "meeting.missed": {"scheduled_at": "2026-01-03T17:00:00Z"},
    "meeting.moved": {"scheduled_at": "2026-01-03T17:00:00Z", "moved_to": "2026-01-04T17:00:00Z"},
    "rate.proposed": {"rate": 120, "currency": "USD"},
    "rate.accepted": {"rate": 120, "currency": "USD"},
    "rate.refused": {},
    "invoice.issued": {"invoice": "A", "amount": "0.01", "currency": "JPY", "due_date": "2026-02-01"},
    "invoice.due_date_changed": {"invoice": "A", "due_date": "2026-03-01"},
    "invoice.disputed": {"invoice": "A"},
    "invoice.dispute_resolved": {"invoice": "A", "outcome": "upheld"},
    "invoice.paid": {"invoice": "A", "amount": 5},
    "invoice.written_off": {"invoice": "A"},
    "invoice.voided": {"invoice": "A"},
    "payment.failed": {"invoice": "A"},
    "payment.charged_back": {"invoice": "A"},
    "reminder.sent": {"invoice": "A"},
    "expectation.stated": {"sign": "late"},
    "relationship.ended": {"by": "client"},
    "relationship.regretted": {},
    "relationship.thrived": {"note": "grüße"},
    "client.created": {"name": "Ärger & Söhne", "country": "DE", "currency": "EUR", "time_zone": "Europe/Berlin"},
    "client.updated": {"name": "Ärger & Co"},
    "event.voided": {"source": "/t", "id": "1"},
}


def cloud_event(
    event_id: str = "1", kind: str = "invoice.issued", client: str = "acme", **changes: Any
) -> dict[str, Any]:
    """A valid event of a type, with some attributes changed; None leaves one out."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/t",
        "type": kind,
        "subject": client,
        "time": "2026-01-01T00:00:00Z",
        "data": EVERY_TYPE.get(kind, {}),
    }
    return {name: value for name, value in (event | changes).items() if value is not None}


def as_json(event: Any) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()
