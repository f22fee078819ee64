"""What a newcomer does: the real command as a process of its own, with an embedded Postgres, over real HTTP."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cloud_events import NDJSON, as_json, cloud_event
from tests.embedded.owners import postmaster
from tests.service import Service, free_port

# One server for all of them, whichever worker runs them.
pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


def client_of(service: Service, tenant: str) -> httpx.Client:
    key = service.key(tenant)
    return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def test_the_welcome_has_commands_that_work_as_they_are(service: Service):
    if shutil.which("curl") is None:
        pytest.skip("this machine has no curl")
    text = service.output()
    assert service.url in text
    commands = re.findall(r"^  (curl (?:.*\\\n)*.*(?:\n {9}.*)?)$", text, flags=re.MULTILINE)
    assert len(commands) == 4
    clients, sent, explanation, asked = (_run(command) for command in commands)
    assert len(clients["items"]) >= 10
    assert sent["results"][0]["status"] in ("accepted", "duplicate")
    assert explanation["client_id"] == "acme"
    assert len(asked["data"]["clients"]["edges"]) == 3


def _run(command: str) -> Any:
    done = subprocess.run(
        ["bash", "-c", command + " -sS --fail-with-body"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_key_is_printed_alone(service: Service):
    done = service.run("keys", "create", "--tenant", "quiet", "--scopes", "ingest,read")
    assert re.fullmatch(r"pw_[\w-]{49}\n", done.stdout)
    answer = httpx.get(f"{service.url}/v1/clients", headers={"Authorization": f"Bearer {done.stdout.strip()}"})
    assert answer.json() == {"items": [], "next": None, "stale": 0}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("keys", "create", "--tenant", "studio", "--scopes", "everything"), "expected some of ingest, read"),
        (("import", "nothing.csv", "--map", "receivables"), "nothing.csv: No such file"),
        (("import", "nothing.csv", "--map", "x", "--key", "k"), "expected one of receivables"),
        (("import", "nothing.csv", "--map", "receivables", "--key", "k"), "nothing.csv: No such file"),
        (("serve",), "DATABASE_URL is not set"),
        (("stop",), "in use by a running server"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(service: Service, arguments: tuple[str, ...], expected: str):
    done = service.run(*arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_port_that_is_taken(service: Service):
    done = service.run("run")
    assert done.returncode == 1
    assert "is taken" in done.stderr


def test_a_wrong_setting_is_named(service: Service):
    done = service.run("run", PORT="eighty")
    assert done.returncode == 1
    assert done.stderr.startswith("error: PORT: ")


_HEADER = "customerID,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate,more\n"


def test_a_table_is_imported_once(service: Service, tmp_path: Path):
    file = tmp_path / "table.csv"
    rows = [
        f"c-{n % 3},{n},1/{n + 1}/2013,2/{n + 1}/2013,{10 + n}.50,{'Yes' if n else 'No'},3/{n + 1}/2013,x"
        for n in range(9)
    ]
    file.write_text(_HEADER + "\n".join(rows) + "\n")
    with client_of(service, "books") as http:
        key = http.headers["authorization"].split()[1]
        first = service.run("import", str(file), "--map", "receivables", PARTWISE_API_KEY=key)
        assert (first.returncode, first.stdout) == (0, "26 accepted\n"), first.stderr
        again = service.run("import", str(file), "--map", "receivables", PARTWISE_API_KEY=key)
        assert again.stdout == "26 duplicate\n"
        found = http.get("/v1/clients/c-1/explanation?as_of=2013-12-31").json()
    late = next(sign for sign in found["signs"] if sign["sign"] == "late")
    assert late["figures"]["late_invoices"] == 3
    assert late["figures"]["days_beyond_terms"] == 28


def test_without_a_key_a_table_goes_to_the_demo(service: Service, tmp_path: Path):
    file = tmp_path / "table.csv"
    file.write_text(_HEADER + "a-newcomers-client,1,1/2/2013,2/2/2013,5,No,,\n")
    assert service.run("import", str(file), "--map", "receivables").returncode == 0
    headers = {"Authorization": f"Bearer {_key_in(service.output())}"}
    assert httpx.get(f"{service.url}/v1/clients/a-newcomers-client", headers=headers).is_success
    nowhere = service.run("import", str(file), "--map", "receivables", PARTWISE_HOME=str(tmp_path))
    assert "no API key" in nowhere.stderr


def test_a_table_with_a_bad_row_sends_nothing(service: Service, tmp_path: Path):
    file = tmp_path / "table.csv"
    file.write_text(
        _HEADER + "a,1,1/2/2013,2/2/2013,5,No,,\na,2,13/2/2013,2/2/2013,5,No,,\na,3,1/2/2013,2/2/2013,-5,No,,\n"
    )
    with client_of(service, "bad-books") as http:
        key = http.headers["authorization"].split()[1]
        done = service.run("import", str(file), "--map", "receivables", PARTWISE_API_KEY=key)
        assert done.returncode == 1
        assert "line 3: InvoiceDate: expected a day as month/day/year, got '13/2/2013'" in done.stderr
        assert "line 4: InvoiceAmount: expected an amount above 0, got '-5'" in done.stderr
        assert http.get("/v1/events").json()["items"] == []


def test_an_import_that_meets_a_wrong_key_or_no_server(service: Service, tmp_path: Path):
    file = tmp_path / "table.csv"
    file.write_text(_HEADER + "a,1,1/2/2013,2/2/2013,5,No,,\n")
    done = service.run("import", str(file), "--map", "receivables", "--key", "pw_wrong")
    assert "401: this API key is unknown" in done.stderr
    done = service.run("import", str(file), "--map", "receivables", "--key", "k", "--url", "http://127.0.0.1:1")
    assert "cannot reach" in done.stderr


def test_a_client_that_hangs_up_in_a_stream_loses_nothing_that_was_answered(service: Service):
    with client_of(service, "hanging-up") as http:
        line = as_json(cloud_event("1")) + b"\n"
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['authorization']}\r\n"
        head += f"Content-Type: {NDJSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as wire:
            wire.sendall(head.encode() + f"{len(line):x}\r\n".encode() + line + b"\r\n")
            answer = b""
            while b"accepted" not in answer:
                answer += wire.recv(65536)
        assert [item["id"] for item in http.get("/v1/events").json()["items"]] == ["1"]


@pytest.mark.parametrize(
    "raw", [b"\x00\xff\r\n\r\n", b"GET / HTTP/1.1\r\nHost\r\n\r\n", b"GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_what_is_no_http_is_a_4xx(service: Service, raw: bytes):
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as wire:
        wire.sendall(raw)
        assert re.match(rb"HTTP/1.1 4\d\d ", wire.recv(1000))


def test_a_killed_server_starts_again_with_everything(service: Service):
    with client_of(service, "killed") as http:
        assert http.put("/v1/clients/acme", json={"name": "Acme"}).status_code == 201
        service.kill()
        service.start()
        assert http.get("/v1/clients/acme").json()["name"] == "Acme"


def test_a_killed_postgres_comes_back_without_a_restart(service: Service):
    with client_of(service, "postgres-killed") as http:
        assert http.put("/v1/clients/acme", json={"name": "Acme"}).status_code == 201
        process = postmaster(service.home)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (answer := http.get("/v1/clients/acme")).status_code != 200:
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert answer.json()["name"] == "Acme"


def test_two_servers_share_one_postgres_and_the_last_stops_it(service: Service):
    other = Service(service.home, free_port(), log="other.log")
    other.start()
    assert _key_in(other.output()) == _key_in(service.output()), "the demo keeps its key"
    other.process.terminate()
    assert other.process.wait(60) == 0
    assert httpx.get(f"{service.url}/readyz").is_success
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(60) == 0
    assert postmaster(service.home) is None
    service.start()


def _key_in(text: str) -> str:
    return re.findall(r"pw_[\w-]{49}", text)[-1]


def test_a_postgres_of_ones_own_is_used_instead(empty_database_url: str, tmp_path: Path):
    service = Service(tmp_path / "home", free_port(), database_url=empty_database_url)
    service.home.mkdir()
    service.start()
    try:
        with client_of(service, "own-postgres") as http:
            assert http.put("/v1/clients/acme", json={"name": "Acme"}).status_code == 201
    finally:
        service.stop()
    assert not (service.home / "postgres").exists()
    assert "embedded" not in service.output()
