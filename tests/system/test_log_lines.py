"""What a real server logs while it gets whatever nobody should send: JSON alone, with the promised fields alone."""

import json
import socket
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.edge.access_lines import LOGGER
from app.logs.fields import ALWAYS, FIELDS
from tests.bad_inputs.sending import sender
from tests.bad_inputs.table import every_case
from tests.postgres import Server
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]

EACH: Final = 20
"""Of so many bad inputs one is sent."""
MARK: Final = "quibblefax"


def lines_of(service: Service) -> list[dict[str, Any]]:
    """All that it wrote, each line of it JSON."""
    found = [json.loads(line) for line in service.output().splitlines()]
    for line in found:
        assert line.keys() >= ALWAYS.keys(), line
        assert line.keys() <= FIELDS.keys(), line
    return found


def pipelined(service: Service, authorization: str) -> None:
    """Two requests in one go on one connection, of which only the first one says who asks."""
    first = f"GET /v1/policies HTTP/1.1\r\nHost: x\r\nX-Request-Id: first\r\nAuthorization: {authorization}\r\n\r\n"
    second = "GET /v1/event-types HTTP/1.1\r\nHost: x\r\nX-Request-Id: second\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as wire:
        wire.sendall((first + second).encode())
        answers = b"".join(iter(lambda: wire.recv(65_536), b""))
    assert answers.count(b"HTTP/1.1 200") == 2


def test_only_json_is_logged_whatever_is_sent(fresh_database_url: str, postgres: Server, tmp_path: Path):
    # `debug` logs all that any level does.
    settings = {"PARTWISE_LOG_LEVEL": "debug", "MIGRATION_DATABASE_URL": postgres.owner_of(fresh_database_url)}
    service = Service(tmp_path, free_port(), database_url=fresh_database_url, kind="serve", settings=settings)
    service.start()
    try:
        sent = 0
        with sender(service, MARK) as send:
            for number, case in enumerate(every_case(service.url)):
                if number % EACH == 0:
                    send(case)
                    sent += 1
        known = {"Authorization": f"Bearer {service.key(MARK, 'read')}"}
        with httpx.Client(base_url=service.url, headers=known) as http:
            named = http.get(f"/v1/clients/{MARK}/score", headers={"X-Request-Id": "seven"})
            assert named.status_code == 404
            assert http.get("/livez").status_code == 200
            assert http.get(f"/{MARK}?{MARK}").status_code == 404
        pipelined(service, known["Authorization"])
    finally:
        service.end()
    lines = lines_of(service)
    assert MARK not in service.output()
    access = [line for line in lines if line["logger"] == LOGGER]
    # Some end before they are requests at all.
    assert len(access) > 0.9 * sent
    for line in access:
        assert line["event"] == "request"
        assert line["request_id"]
        assert line["status"] >= 200
        assert 0 < line["seconds"] < 60
    (found,) = [line for line in access if line["request_id"] == "seven"]
    assert (found["method"], found["route"], found["status"]) == ("GET", "/v1/clients/{client_id}/score", 404)
    assert found["tenant_id"]
    livez, unmatched, first, second = access[-4:]
    assert (livez["route"], livez["level"], unmatched["route"]) == ("/livez", "debug", "unmatched")
    assert (first["request_id"], first["tenant_id"]) == ("first", found["tenant_id"])
    assert second["request_id"] == "second"
    assert "tenant_id" not in second, "it begins where the first one ended, and is nobody's"
    assert {"listening", "request"} <= {line["event"] for line in lines}
