"""Subscriptions of a real server, by the libraries that front-end teams use, while writers write and servers are
replaced: nobody misses anything, and nothing comes twice."""

import threading
import time
from functools import partial
from typing import Any

import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.node import Packages
from tests.service import Service, running
from tests.system.followers import LibraryFollower
from tests.system.test_changes import Reader, all_changes, last_of, now
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

LIBRARIES = ("graphql-ws", "graphql-sse")
KINDS = ("contract.declined", "invoice.issued", "call.received", "contract.signed")
WRITERS = 3
TURNS = 6
CLIENTS = 12


def api_of(service: Service, key: str) -> httpx.Client:
    return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def decline(api: httpx.Client, client: str, *numbers: int) -> None:
    told = [
        cloud_event(f"{client}-{n}", "contract.declined", client, time=f"2026-06-{n + 1:02}T10:00:00Z") for n in numbers
    ]
    api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH}).raise_for_status()
    api.get("/v1/clients?limit=1").raise_for_status()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_told_what_comes(service: Service, front_ends: Packages, library: str):
    key, stranger = service.key(f"told-{library}"), service.key(f"stranger-{library}")
    with (
        api_of(service, key) as api,
        LibraryFollower(front_ends, library, service.url, key) as follower,
        LibraryFollower(front_ends, library, service.url, key, verdict=["PART"]) as picky,
        LibraryFollower(front_ends, library, service.url, stranger) as other,
    ):
        for one in (follower, picky, other):
            assert one.wait_for("changes") == [[]]
        decline(api, "a", 1, 2, 3)
        wait_until(lambda: len(follower.changes) >= 1)
        assert [one["clientId"] for one in follower.changes] == ["a"]
        assert follower.changes[0]["before"] is None
        assert [one["id"] for one in follower.changes] == [one["id"] for one in all_changes(api)]
        assert picky.changes == [one for one in follower.changes if one["after"]["verdict"] == "PART"]
        assert other.changes == []


def test_a_key_that_is_revoked_ends_what_it_opened(service: Service, front_ends: Packages):
    admin = service.key("revoking", "ingest,read,manage")
    with api_of(service, admin) as api:
        made = api.post("/v1/api-keys", json={"name": "follower", "scopes": ["read"]}).raise_for_status().json()
        with (
            LibraryFollower(front_ends, "graphql-ws", service.url, made["secret"]) as socket,
            LibraryFollower(front_ends, "graphql-sse", service.url, made["secret"]) as stream,
        ):
            assert socket.wait_for("changes") == stream.wait_for("changes") == [[]]
            api.delete(f"/v1/api-keys/{made['key_id']}", headers={"If-Match": "*"}).raise_for_status()
            # Neither comes again by itself.
            assert socket.wait_for("error") == socket.told("closed") == [4401]
            stream.wait_for("complete")
            assert stream.told("errors")[0][0]["extensions"]["code"] == "UNAUTHENTICATED"
        with LibraryFollower(front_ends, "graphql-ws", service.url, made["secret"]) as socket:
            assert socket.wait_for("error") == [4401]


class CursorReader(threading.Thread):
    """Asks for page after page and waits for what comes, as a plugin of a CRM would; by whichever server answers."""

    def __init__(self, service: Service, key: str) -> None:
        super().__init__(daemon=True)
        self.changes: list[dict[str, Any]] = []
        self.ended = False
        self._service = service
        self._key = key

    def run(self) -> None:
        query: dict[str, Any] = {"limit": 7, "wait": 5}
        while not self.ended:
            try:
                with api_of(self._service, self._key) as api:
                    while not self.ended:
                        page = api.get("/v1/changes", params=query).raise_for_status().json()
                        self.changes += page["items"]
                        query["after"] = page["next"]
            except httpx.HTTPError:
                time.sleep(0.1)


class Writer(threading.Thread):
    """Sends events about clients that others write about too, each batch until it is taken."""

    def __init__(self, service: Service, key: str, number: int) -> None:
        super().__init__(daemon=True)
        self.turn = 0
        self._service = service
        self._key = key
        self._number = number

    def run(self) -> None:
        for self.turn in range(TURNS):
            told = [
                cloud_event(
                    f"{self._number}-{self.turn}-{n}",
                    KINDS[(self._number + self.turn + n) % len(KINDS)],
                    f"c-{n}",
                    time=f"2026-{self.turn + 1:02}-{self._number + 1:02}T10:00:00Z",
                )
                for n in range(CLIENTS)
            ]
            self._send(as_json(told))
        self.turn = TURNS

    def _send(self, body: bytes | str) -> None:
        while True:
            try:
                with api_of(self._service, self._key) as api:
                    api.post("/v1/events", content=body, headers={"Content-Type": BATCH}).raise_for_status()
                    api.get("/v1/clients?limit=1").raise_for_status()
                    return
            except httpx.HTTPError:
                time.sleep(0.1)


def have_come_to(writers: list[Writer], turn: int) -> bool:
    return min(one.turn for one in writers) >= turn


@pytest.mark.timeout(240)
def test_nobody_misses_anything_while_writers_write_and_servers_are_replaced(front_ends: Packages):
    with running() as service:
        key = service.key("followed-by-many")
        stream, cursor = Reader(service.url, key), CursorReader(service, key)
        writers = [Writer(service, key, number) for number in range(WRITERS)]
        with (
            LibraryFollower(front_ends, "graphql-ws", service.url, key) as socket,
            LibraryFollower(front_ends, "graphql-sse", service.url, key) as events,
        ):
            for follower in (socket, events):
                follower.wait_for("changes")
            for one in (stream, cursor, *writers):
                one.start()
            for number in (1, 2):
                wait_until(partial(have_come_to, writers, number * TURNS // 3), 60)
                if number % 2:
                    service.kill()
                else:
                    service.end()
                service.start()
            for one in writers:
                one.join(60)
                assert not one.is_alive()
            with api_of(service, key) as api:
                wait_until(lambda: last_of(all_changes(api)) == now(api), 60)
                listed = all_changes(api)
                everybody = (stream, cursor, socket, events)
                wait_until(lambda: all(len(one.changes) >= len(listed) for one in everybody), 60)
            stream.ended = cursor.ended = True
            ids = [one["id"] for one in listed]
            assert ids == [str(n + 1) for n in range(len(ids))]
            assert len(ids) > CLIENTS
            assert stream.changes[: len(ids)] == cursor.changes[: len(ids)] == listed
            for follower in (socket, events):
                assert [one["id"] for one in follower.changes[: len(ids)]] == ids
                assert [one["clientId"] for one in follower.changes[: len(ids)]] == [one["client_id"] for one in listed]
                # It came again each time, and was never told that anything was over.
                assert len(follower.told("connected")) >= 3
                assert not follower.told("error")
                assert not follower.told("errors")
            # Whoever is replaced in order says so.
            assert 1012 in socket.told("closed")
