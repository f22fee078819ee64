"""Receivables as events: the same ids whenever they are read, and errors that name the column."""

import pytest

from app.ports.ledger import NewEvent
from app.sources import TABLES, RowError
from app.wire.cloudevents import EventDecoder
from tests.cloud_events import as_json
from tests.wire.test_cloudevents import Noon

SOURCE = TABLES["receivables"]
ROW = {
    "customerID": "0187-ERLSR",
    "invoiceNumber": "611365",
    "InvoiceDate": "1/2/2013",
    "DueDate": "2/1/2013",
    "InvoiceAmount": "55.94",
    "Disputed": "Yes",
    "SettledDate": "1/15/2013",
}


def test_a_row_is_an_invoice_issued_disputed_and_paid():
    events = SOURCE.events(ROW)
    assert [(event["id"], event["type"], event["time"]) for event in events] == [
        ("611365/issued", "invoice.issued", "2013-01-02T09:00:00+00:00"),
        ("611365/disputed", "invoice.disputed", "2013-01-15T12:00:00+00:00"),
        ("611365/paid", "invoice.paid", "2013-01-15T15:00:00+00:00"),
    ]
    assert events[0]["data"] == {
        "invoice": "611365",
        "amount": "55.94",
        "currency": "USD",
        "due_date": "2013-02-01",
    }
    assert SOURCE.events(dict(ROW)) == events


def test_an_invoice_that_is_still_open_is_not_paid():
    assert [event["type"] for event in SOURCE.events(ROW | {"SettledDate": "", "Disputed": "No"})] == ["invoice.issued"]


def test_every_event_of_every_table_is_valid():
    decoder = EventDecoder(Noon())
    assert all(isinstance(decoder.structured(as_json(event)), NewEvent) for event in SOURCE.events(ROW))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("customerID", " "),
        ("invoiceNumber", ""),
        ("InvoiceDate", "2013-01-02"),
        ("InvoiceDate", "2/30/2013"),
        ("DueDate", ""),
        ("SettledDate", "soon"),
        ("InvoiceAmount", "0"),
        ("InvoiceAmount", "-1"),
        ("InvoiceAmount", "NaN"),
        ("InvoiceAmount", "1,000"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_by_its_column(column: str, value: str):
    with pytest.raises(RowError, match=f"^{column}: expected "):
        SOURCE.events(ROW | {column: value})
