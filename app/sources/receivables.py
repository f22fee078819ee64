"""Accounts receivable, as in IBM's public sample: one row an invoice, issued, perhaps disputed, and settled."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from app.sources.table import Row, RowError, TableSource, at, cloud_event

__all__ = ["RECEIVABLES"]

_SOURCE = "/sources/receivables"
_CURRENCY = "USD"


def _events(row: Row) -> list[dict[str, Any]]:
    """Issued in the morning, paid in the afternoon of the days that the row tells.

    When an invoice was disputed is not told; the day that it was settled is the latest that it can have been, and so
    nothing is known sooner than it was.
    """
    number, client = _text(row, "invoiceNumber"), _text(row, "customerID")
    issued, due = _day(row, "InvoiceDate"), _day(row, "DueDate")
    settled = _day(row, "SettledDate") if row["SettledDate"].strip() else None
    amount = _amount(row, "InvoiceAmount")
    disputed = row["Disputed"].strip().lower() in ("yes", "true", "1")

    def event(what: str, kind: str, when: datetime, **data: Any) -> dict[str, Any]:
        return cloud_event(_SOURCE, f"{number}/{what}", kind, client, when, invoice=number, **data)

    found = [
        event("issued", "invoice.issued", at(issued, 9), amount=amount, currency=_CURRENCY, due_date=due.isoformat())
    ]
    if disputed:
        found.append(event("disputed", "invoice.disputed", at(settled or issued, 12)))
    if settled is not None:
        found.append(event("paid", "invoice.paid", at(settled, 15)))
    return found


def _text(row: Row, column: str) -> str:
    text = row[column].strip()
    if not text:
        raise RowError(column, "a value", text)
    return text


def _day(row: Row, column: str) -> date:
    text = row[column].strip()
    try:
        return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).date()
    except ValueError:
        raise RowError(column, "a day as month/day/year", text) from None


def _amount(row: Row, column: str) -> str:
    text = row[column].strip()
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise RowError(column, "an amount above 0", text)
    return format(amount, "f")


RECEIVABLES = TableSource(
    name="receivables",
    columns=("customerID", "invoiceNumber", "InvoiceDate", "DueDate", "InvoiceAmount", "Disputed", "SettledDate"),
    events=_events,
)
