"""Sends events as fast as the server takes them: a process of its own, whose bodies are made before the clock starts.

python -m benchmarks.sending PORT KEY (singles|batches|stream) CONNECTIONS FIRST COUNT [SIZE]

Prints one JSON object: seconds, and how many events were accepted and were duplicates.
"""

import gc
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.mix import array, lines

__all__ = ["main"]

_CHUNK_LINES = 500
_COUNTS = re.compile(rb'"(accepted|duplicate)":([0-9]+)')
_LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)


begin = threading.Event()


@dataclass
class Connection:
    """One connection, with what it sends and what it was answered."""

    port: int
    key: str
    media: str
    bodies: Sequence[bytes]
    counts: dict[str, int] = field(default_factory=lambda: {"accepted": 0, "duplicate": 0})
    failure: str = ""

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"POST /v1/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.key}\r\n"
        self._head += f"Content-Type: {self.media}\r\n"

    def batches(self) -> None:
        """One request after the other."""
        requests = [self._head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in self.bodies]
        begin.wait()
        for request in requests:
            self._socket.sendall(request)
            head, answer = self._answer()
            if b" 20" not in head[:12]:
                self.failure = (head + answer)[:300].decode(errors="replace")
                return
            self._count(answer[:200])

    def stream(self) -> None:
        """One request with a body of many chunks, whose answer is read meanwhile."""
        chunks = [b"%x\r\n" % len(body) + body + b"\r\n" for body in self.bodies]
        reader = threading.Thread(target=self._read_stream)
        begin.wait()
        reader.start()
        self._socket.sendall(self._head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for chunk in chunks:
            self._socket.sendall(chunk)
        self._socket.sendall(b"0\r\n\r\n")
        reader.join()

    def _read_stream(self) -> None:
        tail = b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            data = self._socket.recv(1 << 20)
            if not data:
                self.failure = f"the connection ended: {tail[-200:]!r}"
                return
            tail = (tail + data)[-1000:]
        at = tail.rfind(b'{"summary"')
        self._count(tail[at:]) if at >= 0 else setattr(self, "failure", repr(tail))

    def _answer(self) -> tuple[bytes, bytes]:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._received()
        found = _LENGTH.search(data, 0, end)
        assert found is not None, data[:end]
        parts, left = [data[end + 4 :]], int(found[1]) - (len(data) - end - 4)
        while left > 0:
            parts.append(self._received())
            left -= len(parts[-1])
        return data[:end], b"".join(parts)

    def _received(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def _count(self, text: bytes) -> None:
        for name, number in _COUNTS.findall(text):
            self.counts[name.decode()] += int(number)


def main(port: int, key: str, way: str, *numbers: int) -> None:
    """Send, and print what came of it."""
    connections, first, count, size = (*numbers, 500)[:4]
    if way == "singles":
        media, made = "application/cloudevents+json", [one for n in range(first, first + count) for one in lines(n, 1)]
    elif way == "batches":
        media, made = "application/cloudevents-batch+json", [array(n, size) for n in range(first, first + count, size)]
    else:
        media = "application/x-ndjson"
        made = [b"\n".join(lines(n, _CHUNK_LINES)) + b"\n" for n in range(first, first + count, _CHUNK_LINES)]
    all_of_them = [Connection(port, key, media, made[each::connections]) for each in range(connections)]
    threads = [threading.Thread(target=one.stream if way == "stream" else one.batches) for one in all_of_them]
    gc.freeze()
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    began, used = time.perf_counter(), time.process_time()
    begin.set()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    failures = [one.failure for one in all_of_them if one.failure]
    if failures:
        raise SystemExit(failures[0])
    counts = {name: sum(one.counts[name] for one in all_of_them) for name in ("accepted", "duplicate")}
    print(json.dumps({"seconds": took, "processor": time.process_time() - used, **counts}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
