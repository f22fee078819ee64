"""Whatever is sent to the real server: a problem that names the field, nothing stored, and it serves on."""

from collections.abc import Callable

import httpx
import pytest

from tests.bad_inputs import table
from tests.cloud_events import STRUCTURED, as_json, cloud_event
from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]


@pytest.mark.timeout(300)
def test_the_table_of_bad_inputs(service: Service, record_property: Callable[[str, object], None]):
    found = table.run(service, "bad-inputs")
    record_property("summary", f"bad inputs: {found.sent} requests, {len(found.faults)} answered wrongly")
    assert found.faults == []
    assert found.stored == {}, "nothing is stored, not even half"
    assert found.sent > 9_000
    assert found.grown < 300 * 1024 * 1024
    headers = {"Authorization": f"Bearer {service.key('bad-inputs-after')}"}
    with httpx.Client(base_url=service.url, headers=headers) as http:
        sent = http.post("/v1/events", content=as_json(cloud_event()), headers={"Content-Type": STRUCTURED})
        assert sent.status_code == 201
        assert http.get("/v1/clients/acme/score").status_code == 200
        asked = http.post("/graphql", json={"query": '{ client(clientId: "acme") { clientId } }'})
        assert asked.json() == {"data": {"client": {"clientId": "acme"}}}
    page = table.PAGE.read_text()
    missing = [what for kinds in found.answers.values() for what in kinds if f"| {what} |" not in page]
    assert missing == [], "make bad-inputs writes docs/bad-inputs.md anew"
