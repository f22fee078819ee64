"""A real server whose Postgres is slow: memory stays bounded, TCP pushes back, and all goes on afterwards."""

import json
import socket
import threading
import time

import httpx
import psutil

from tests.cloud_events import as_json, cloud_event
from tests.service import Service, running

MEBIBYTE = 2**20
SENT = 80 * MEBIBYTE
CONNECTIONS = 12


class Stream(threading.Thread):
    """A stream that sends as fast as it can; its answers are read meanwhile."""

    def __init__(self, service: Service, key: str, name: str) -> None:
        super().__init__(daemon=True)
        self.sent = self.lines = 0
        self.answers = b""
        self._name = name
        self._socket = socket.create_connection(("127.0.0.1", service.port))
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        head += "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._socket.sendall(head.encode())

    def run(self) -> None:
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        while self.sent < SENT // CONNECTIONS:
            names = [f"{self._name}-{number}" for number in range(self.lines, self.lines + 200)]
            lines = b"".join(as_json(cloud_event(name, "call.received")) + b"\n" for name in names)
            self._socket.sendall(b"%x\r\n" % len(lines) + lines + b"\r\n")
            self.sent += len(lines)
            self.lines += len(names)
        self._socket.sendall(b"0\r\n\r\n")
        reader.join()
        self._socket.close()

    def _read(self) -> None:
        while data := self._socket.recv(MEBIBYTE):
            self.answers += data
            if self.answers.endswith(b"\r\n0\r\n\r\n") or not self.answers.startswith(b"HTTP/1.1 200"):
                return

    def accepted(self) -> int:
        """How many lines the summary says were accepted."""
        last = next(line for line in reversed(self.answers.splitlines()) if line.startswith(b"{"))
        found = json.loads(last)
        assert "summary" in found, found
        return int(found["summary"]["accepted"])


def test_memory_is_bounded_while_postgres_stands_still():
    with running() as service:
        key = service.key("slow")
        assert post(service, key, "warm").status_code == 201
        pid_file = service.home / "postgres" / "data" / "postmaster.pid"
        backends = [
            one
            for one in psutil.Process(int(pid_file.read_text().split()[0])).children()
            if "127.0.0.1" in " ".join(one.cmdline())
        ]
        assert backends
        before = service.memory()
        streams = [Stream(service, key, f"{n}") for n in range(CONNECTIONS)]
        for one in backends:
            one.suspend()
        try:
            for stream in streams:
                stream.start()
            most = 0
            for _ in range(40):
                time.sleep(0.1)
                most = max(most, service.memory())
            assert all(stream.is_alive() for stream in streams)
            held_back = sum(stream.sent for stream in streams)
            assert httpx.get(f"{service.url}/livez", timeout=5).is_success
        finally:
            for one in backends:
                one.resume()
        for stream in streams:
            stream.join(120)
        assert most - before < 64 * MEBIBYTE, f"{(most - before) / MEBIBYTE:.0f} MiB more"
        # What the sockets hold on both sides is the kernel's, and a few MiB each.
        assert held_back < SENT, f"{held_back / MEBIBYTE:.0f} MiB were sent"
        assert sum(stream.accepted() for stream in streams) == sum(stream.lines for stream in streams)
        assert post(service, key, "after").status_code == 201


def post(service: Service, key: str, name: str) -> httpx.Response:
    return httpx.post(
        f"{service.url}/v1/events",
        content=as_json(cloud_event(name)),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"},
        timeout=30,
    )
