"""Events made by the CloudEvents project's own SDK, over real HTTP, in binary and structured mode."""

from datetime import UTC, datetime

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    return service.key("sdk")


def event(number: int) -> CloudEvent:
    attributes = {
        "id": f"grüße/{number}",
        "source": "https://billing.example/invoices",
        "type": "invoice.issued",
        "subject": "Söhne & Co",
        "time": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "datacontenttype": "application/json",
    }
    data = {"invoice": "INV-1", "amount": "99.50", "currency": "EUR", "due_date": "2026-02-01"}
    return CloudEvent(attributes=attributes, data=data)


def send(service: Service, key: str, message: HTTPMessage) -> httpx.Response:
    headers = {**message.headers, "Authorization": f"Bearer {key}"}
    return httpx.post(f"{service.url}/v1/events", content=message.body, headers=headers)


@pytest.mark.parametrize("number", [1, 2])
def test_both_modes_are_the_same_event(service: Service, key: str, number: int):
    modes = [to_binary_event, to_structured_event]
    first, second = (send(service, key, mode(event(number))) for mode in modes[:: 1 if number == 1 else -1])
    assert first.status_code == 201, first.text
    assert (second.status_code, second.json()["duplicate"]) == (200, 1), second.text
    found = httpx.get(
        f"{service.url}/v1/events/gr%C3%BC%C3%9Fe%2F{number}", headers={"Authorization": f"Bearer {key}"}
    ).json()
    assert (found["subject"], found["data"]["amount"]) == ("Söhne & Co", "99.50")
