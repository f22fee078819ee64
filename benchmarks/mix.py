"""What agencies send: a realistic mix of events of some thousand clients, the same for the same number."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["CLIENTS", "array", "event", "lines"]

CLIENTS = 3_000
_BEGIN = datetime(2024, 1, 1, 9, tzinfo=UTC)
_DAY = timedelta(days=1)


def event(number: int) -> dict[str, Any]:
    """The CloudEvent of a number; most come in order, one in fifty some days late."""
    at = _BEGIN + timedelta(minutes=3 * number) - (_DAY * (number % 11) if number % 50 == 7 else timedelta())
    source, kind, data = _told(number, at)
    return {
        "specversion": "1.0",
        "id": f"{number:x}-{number * 2654435761 % 2**32:08x}",
        "source": source,
        "type": kind,
        "subject": f"client-{number * 7919 % CLIENTS}",
        "time": at.isoformat().replace("+00:00", "Z"),
        "data": data,
    }


def _told(number: int, at: datetime) -> tuple[str, str, dict[str, Any]]:  # noqa: PLR0911, PLR0912 - a table
    turn, day = number % 50, at.date().isoformat()
    match turn:
        case 0:
            return "/crm", "client.updated", {"name": f"Ärger & Söhne {number % 977}", "country": "DE"}
        case 1 | 2 | 3:
            due = (at.date() + 30 * _DAY).isoformat()
            money = {"amount": f"{120 + number % 9000}.50", "currency": "EUR"}
            return "/billing", "invoice.issued", {"invoice": f"INV-{number}", **money, "due_date": due}
        case 4 | 5:
            return "/billing", "invoice.paid", {"invoice": f"INV-{number - 3}"}
        case 6:
            return "/billing", "invoice.paid", {"invoice": f"INV-{number - 3}", "amount": 100 + number % 70}
        case 7:
            return "/billing", "reminder.sent", {"invoice": f"INV-{number - 6}", "channel": "email"}
        case 8 | 9 | 10:
            data = {"change": f"C-{number}", "title": "One more page, and the logo larger", "hours": 1 + number % 8}
            return "/board", "change.requested", data
        case 11:
            return "/board", "change.approved", {"change": f"C-{number - 3}"}
        case 12:
            return "/board", "change.delivered", {"change": f"C-{number - 4}", "hours": 2.5}
        case 13:
            return "/calendar", "meeting.moved", {"scheduled_at": (at + _DAY).isoformat(), "by": "client"}
        case 14:
            return "/calendar", "meeting.missed", {"meeting": f"M-{number}"}
        case 15 | 16:
            return "/mail", "deadline.requested", {"due_at": (at + 3 * _DAY).isoformat()}
        case 17:
            terms = {"price": "2400.00", "currency": "EUR", "period": "month"}
            return "/crm", "agreement.made", {"agreement": "main", "hours": 32, **terms}
        case 18:
            return "/esign", "contract.sent", {"contract": f"K-{number}"}
        case 19:
            return "/esign", "contract.signed", {"contract": f"K-{number - 1}"}
        case 20 | 21 | 22:
            return "/phone", "call.received", {"channel": "phone", "urgent": number % 9 == 0}
        case _ if turn < 36:
            return "/mail", "message.received", {"channel": "email", "urgent": number % 17 == 0}
        case _:
            data = {"hours": (1 + number % 28) / 4, "billable": True, "day": day, "activity": "Design"}
            return "/hours", "time.logged", data


def lines(start: int, count: int) -> Iterator[bytes]:
    """Some events as JSON, one after the other."""
    for number in range(start, start + count):
        yield json.dumps(event(number), ensure_ascii=False, separators=(",", ":")).encode()


def array(start: int, count: int) -> bytes:
    """Some events as a JSON array."""
    return b"[" + b",".join(lines(start, count)) + b"]"
