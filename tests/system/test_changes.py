"""Follow changes of a real server: docs/changes.md as it stands, and a reader to whom nothing is lost by a kill -9."""

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.guides import blocks_of, printed_by
from tests.service import Service, running

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

GUIDE = (Path(__file__).parents[2] / "docs" / "changes.md").read_text()
BLOCKS = blocks_of(GUIDE)
CLIENTS = 30


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="this machine has no curl or no jq")
def test_the_commands_of_the_guide_print_what_it_shows(service: Service):
    shown = [text.strip() for language, text in BLOCKS if language == "text"]
    assert printed_by(BLOCKS, service.url, {**os.environ, "KEY": service.key("changes-guide")}) == shown


class Reader(threading.Thread):
    """Reads the stream and comes again with the last id whenever it breaks, as a library would."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        self.changes: list[dict[str, Any]] = []
        self.connections = 0
        self.ended = False
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}

    def run(self) -> None:
        while not self.ended:
            try:
                self._read()
            except httpx.HTTPError:
                time.sleep(0.1)

    def _read(self) -> None:
        with (
            httpx.Client(timeout=30) as http,
            http.stream("GET", f"{self._url}/v1/changes", headers=self._headers) as answer,
        ):
            answer.raise_for_status()
            self.connections += 1
            data = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "data":
                    data = value
                elif name == "id":
                    self._headers["Last-Event-ID"] = value
                elif not line and data:
                    self.changes.append(json.loads(data))
                    data = ""
                if self.ended:
                    return


def test_a_reader_loses_nothing_whenever_the_server_and_its_worker_are_killed():
    with running() as service:
        key = service.key("followed")
        reader = Reader(service.url, key)
        reader.start()
        kinds = ("contract.declined", "invoice.issued", "call.received", "contract.signed")
        for turn in range(12):
            told = [
                cloud_event(
                    f"{turn}-{n}", kinds[(turn + n) % len(kinds)], f"c-{n}", time=f"2026-{turn + 1:02}-01T10:00:00Z"
                )
                for n in range(CLIENTS)
            ]
            with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
                http.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH}).raise_for_status()
                assert http.get("/v1/clients?limit=1").is_success
            if turn % 4 == 3:
                service.kill()
                service.start()
        with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
            deadline = time.monotonic() + 60
            # Whoever has followed knows what holds now.
            listed, verdicts = all_changes(http), now(http)
            while last_of(listed) != verdicts:
                assert time.monotonic() < deadline
                time.sleep(0.1)
                listed, verdicts = all_changes(http), now(http)
            while len(reader.changes) < len(listed):
                assert time.monotonic() < deadline, (len(reader.changes), len(listed))
                time.sleep(0.05)
            reader.ended = True
        assert reader.connections > 3
        assert reader.changes[: len(listed)] == listed
        assert [one["id"] for one in listed] == [str(n + 1) for n in range(len(listed))]
        assert len(verdicts) == CLIENTS


def all_changes(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 200}
    while True:
        page = http.get("/v1/changes", params=query).raise_for_status().json()
        found += page["items"]
        if not page["has_more"]:
            return found
        query["after"] = page["next"]


def last_of(changes: list[dict[str, Any]]) -> dict[str, str]:
    return {one["client_id"]: one["after"]["verdict"] for one in changes}


def now(http: httpx.Client) -> dict[str, str]:
    items = http.get("/v1/clients?limit=200").raise_for_status().json()["items"]
    return {one["client_id"]: one["score"]["verdict"] for one in items}
