"""Webhooks of a real server and its worker: docs/webhooks.md as it stands; what is sent, as other libraries see it."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.outgoing.signing import key_of, signatures
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.guides import blocks_of, printed_by
from tests.node import RECEIVERS, installed, node_environment
from tests.service import Service, free_port, running
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

BLOCKS = blocks_of((Path(__file__).parents[2] / "docs" / "webhooks.md").read_text())


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(PARTWISE_WEBHOOK_NETWORKS="127.0.0.0/8") as found:
        yield found


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="this machine has no curl or no jq")
def test_the_commands_of_the_guide_print_what_it_shows_with_its_receivers(service: Service, tmp_path: Path):
    texts = {language: text for language, text in BLOCKS if language in ("python", "typescript")}
    (tmp_path / "receiver.py").write_text(texts["python"])
    (tmp_path / "receiver.ts").write_text(texts["typescript"])
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(installed(RECEIVERS).folder / "node_modules")
    ports = {"9001": str(free_port()), "9002": str(free_port())}
    blocks = [(language, _put(text, ports)) for language, text in BLOCKS]
    path = os.pathsep.join((str(Path(sys.executable).parent), node_environment()["PATH"]))
    environment = {**os.environ, "PATH": path, "KEY": service.key("webhooks-guide", "ingest,read,manage")}
    shown = [text.strip() for language, text in blocks if language == "text"]
    assert printed_by(blocks, service.url, environment, tmp_path) == shown


def _put(text: str, ports: dict[str, str]) -> str:
    for shown, real in ports.items():
        text = text.replace(shown, real)
    return text


class Taker:
    """Takes what is sent, and keeps it as it came."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        taker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                taker.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def changes(self) -> list[tuple[dict[str, str], bytes]]:
        return [one for one in self.got if json.loads(one[1])["type"] == "assessment.changed"]


@pytest.fixture
def taker() -> Iterator[Taker]:
    found = Taker()
    yield found
    found.close()


@pytest.fixture
def http(service: Service, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    key = service.key(f"webhooks-{request.node.name[:80]}", "ingest,read,manage")
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def tell(http: httpx.Client, *clients: str, kind: str = "contract.declined", number: int = 1) -> None:
    told = [cloud_event(f"{kind}-{name}-{number}", kind, name, time=f"2026-0{number}-01T09:00:00Z") for name in clients]
    http.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH}).raise_for_status()
    http.get("/v1/clients").raise_for_status()


def by_pypi(secret: str, headers: dict[str, str], body: bytes) -> str:
    try:
        return str(Webhook(secret).verify(body, headers)["type"])
    except WebhookVerificationError as error:
        return str(error)


def by_npm(*asked: tuple[str, dict[str, str], bytes]) -> list[str]:
    told = [{"secret": secret, "headers": headers, "body": body.decode()} for secret, headers, body in asked]
    command = installed(RECEIVERS).command("verify.mjs")
    done = subprocess.run(
        command, input=json.dumps(told), capture_output=True, text=True, cwd=RECEIVERS, check=True, timeout=60
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_what_a_worker_delivers_is_verified_by_the_libraries_of_both_and_nothing_else_is(
    http: httpx.Client, taker: Taker
):
    made = http.post("/v1/webhooks", json={"url": taker.url}).raise_for_status().json()
    first, path = made["secret"], f"/v1/webhooks/{made['webhook_id']}"
    tell(http, "acme", "Ünïcode \u2028 & <b>")
    wait_until(lambda: len(taker.changes()) == 2, 60)
    second = http.post(f"{path}/rotate", json={"overlap": "P1D"}).raise_for_status().json()["secret"]
    tell(http, "acme", kind="contract.signed", number=2)
    tell(http, "later")
    wait_until(lambda: any(b'"later"' in body for _, body in taker.changes()), 60)
    http.post(f"{path}/ping").raise_for_status()
    third = http.post(f"{path}/rotate", json={"overlap": 0}).raise_for_status().json()["secret"]
    http.post(f"{path}/ping").raise_for_status()

    *delivered, pinged, last = taker.got
    assert [json.loads(body)["type"] for _, body in (pinged, last)] == ["webhook.ping"] * 2
    good = [(first, *one) for one in delivered] + [(second, *pinged), (first, *pinged), (third, *last)]
    assert [by_pypi(*one) for one in good] == by_npm(*good)
    assert {by_pypi(*one) for one in good} == {"assessment.changed", "webhook.ping"}
    # The same change as in the feed, to the letter.
    feed = {one["id"]: one for one in http.get("/v1/changes").json()["items"]}
    for _, body in delivered:
        data = json.loads(body)["data"]
        assert data == feed[data["id"]]
        assert json.loads(body)["timestamp"] == data["at"]

    headers, body = delivered[0]
    old = int(headers["webhook-timestamp"]) - 301
    late = {**headers, "webhook-timestamp": str(old)}
    signed = {**late, "webhook-signature": signatures([key_of(first)], headers["webhook-id"], old, body)}
    young = {**headers, "webhook-timestamp": str(int(datetime.now(UTC).timestamp()) + 301 + 60)}
    bad = [
        (first, headers, body + b" "),
        (first, headers, body.replace(b"acme", b"acne") if b"acme" in body else body[:-1]),
        (first, {**headers, "webhook-id": "msg_other"}, body),
        (first, {**headers, "webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}, body),
        (third, headers, body),
        (first, *last),
        (second, *last),
        (first, late, body),
        (first, signed, body),
        (first, young, body),
        (first, {name: value for name, value in headers.items() if name != "webhook-signature"}, body),
    ]
    refusals = ["No matching signature found"] * 7 + ["Message timestamp too old"] * 2
    refusals += ["Message timestamp too new", "Missing required headers"]
    assert [by_pypi(*one) for one in bad] == refusals
    assert by_npm(*bad) == refusals


def test_filters_replays_and_what_waits(http: httpx.Client, taker: Taker):
    made = http.post("/v1/webhooks", json={"url": taker.url, "sources": ["/other"]}).raise_for_status().json()
    path = f"/v1/webhooks/{made['webhook_id']}"
    tell(http, "a", "b")
    settled(http, path)
    assert taker.changes() == []
    # Of one that waits nothing is sent, and all of it when it goes on.
    http.patch(path, json={"sources": []}).raise_for_status()
    http.post(f"{path}/disable").raise_for_status()
    tell(http, "c", "d")
    assert http.get(path).json()["delivering"]["behind"] == 2
    http.post(f"{path}/enable").raise_for_status()
    wait_until(lambda: told(taker) == ["c", "d"], 60)
    settled(http, path)
    # From before it was asked for, too.
    now = datetime.now(UTC)
    day = {"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=1)).isoformat()}
    assert http.post(f"{path}/replay", json=day).json() == {"deliveries": 4}
    wait_until(lambda: told(taker) == ["a", "b", "c", "c", "d", "d"], 60)
    settled(http, path)
    ids = [headers["webhook-id"] for headers, _ in taker.changes()]
    assert len(set(ids)) == 4
    every = http.get(f"{path}/deliveries").json()["items"]
    assert {one["state"] for one in every} == {"delivered"}
    # One of them, again.
    one = next(one for one in every if one["client_id"] == "a")
    again = http.post(f"{path}/deliveries/{one['number']}/replay")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    wait_until(lambda: told(taker).count("a") == 2, 60)
    settled(http, path)
    shown = http.get(f"{path}/deliveries/{one['number']}").json()
    assert (shown["change"]["client_id"], len(shown["attempts"])) == ("a", 2)
    # Whoever is erased is told of no more, and what was is not shown any more.
    assert http.delete("/v1/clients/a").status_code == 204
    assert http.get(f"{path}/deliveries/{one['number']}").status_code == 404
    assert http.post(f"{path}/deliveries/{one['number']}/replay").status_code == 404
    assert http.post(f"{path}/replay", json=day).json() == {"deliveries": 3}
    assert http.get(f"{path}/deliveries?client_id=a").json()["items"] == []
    wait_until(lambda: len(taker.changes()) == 10, 60)
    settled(http, path)
    assert told(taker).count("a") == 2
    # What is skipped is not sent when it goes on.
    http.post(f"{path}/disable").raise_for_status()
    before = told(taker)
    assert http.post(f"{path}/replay", json=day).json() == {"deliveries": 3}
    assert http.post(f"{path}/skip").json() == {"deliveries": 3}
    http.post(f"{path}/enable").raise_for_status()
    tell(http, "f")
    wait_until(lambda: "f" in told(taker), 60)
    settled(http, path)
    assert told(taker) == [*before, "f"]
    assert len(http.get(f"{path}/deliveries?state=skipped").json()["items"]) == 3
    # Nothing is sent any more once it is removed.
    assert http.delete(path).status_code == 204
    assert http.get(f"{path}/deliveries").status_code == 404


def told(taker: Taker) -> list[str]:
    return sorted(json.loads(body)["data"]["client_id"] for _, body in taker.changes())


def settled(http: httpx.Client, path: str) -> None:
    """Wait until nothing is left to be delivered."""

    def is_so() -> bool:
        delivering = http.get(path).json()["delivering"]
        return (delivering["behind"], delivering["pending"]) == (0, 0)

    wait_until(is_so, 60)
