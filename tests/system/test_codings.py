"""gzip and zstd over real sockets: streams as they come, and bombs beside honest requests."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.wire.codings import CODINGS, Coding, Decoder, Encoder
from tests.cloud_events import BATCH, NDJSON, as_json, cloud_event
from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

MEBIBYTE = 2**20
BOMBS = 16


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    return service.key("codings")


class Exchange:
    """A stream of events and its answers, both in a coding, at the same time."""

    def __init__(self, service: Service, key: str, coding: Coding) -> None:
        self.socket = socket.create_connection(("127.0.0.1", service.port), timeout=30)
        self._encoder, self._decoder = Encoder(coding), Decoder(coding)
        head = (
            "POST /v1/events HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {key}",
            f"Content-Type: {NDJSON}",
            f"Content-Encoding: {coding}",
            f"Accept-Encoding: {coding}",
            "Transfer-Encoding: chunked",
        )
        self.socket.sendall("\r\n".join([*head, "", ""]).encode())
        self._received = self.socket.makefile("rb")
        self.head = b""

    def send(self, line: bytes, *, is_last: bool = False) -> None:
        data = self._encoder.feed(line, is_last=is_last)
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))
        if is_last:
            self.socket.sendall(b"0\r\n\r\n")

    def lines(self) -> Iterator[bytes]:
        """What is answered, a line at a time."""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self._received.readline()
        text = b""
        while size := int(self._received.readline(), 16):
            chunk = self._received.read(size)
            assert self._received.read(2) == b"\r\n"
            text += b"".join(self._decoder.feed(chunk, is_last=False))
            *whole, text = text.split(b"\n")
            yield from whole
        assert not text


@pytest.mark.parametrize("coding", CODINGS)
def test_a_stream_is_answered_line_by_line(service: Service, key: str, coding: Coding):
    exchange = Exchange(service, key, coding)
    lines = exchange.lines()
    for number in range(1, 4):
        exchange.send(as_json(cloud_event(f"{coding}-{number}")) + b"\n")
        # The next one is not sent before this one is answered.
        answer = json.loads(next(lines))
        assert (answer["line"], answer["status"]) == (number, "accepted")
    assert f"\r\ncontent-encoding: {coding}\r\n".encode() in exchange.head
    exchange.send(b"", is_last=True)
    assert json.loads(next(lines)) == {"summary": {"lines": 3, "accepted": 3}}
    assert next(lines, None) is None
    exchange.socket.close()


@pytest.mark.parametrize("coding", CODINGS)
def test_many_bombs_at_once_take_little_memory_and_others_are_served(service: Service, key: str, coding: Coding):
    """Each stands for a gigabyte: together for more than there is."""
    encoder = Encoder(coding)
    bomb = b"".join(encoder.feed(b" " * MEBIBYTE, is_last=number == 1023) for number in range(1024))
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": coding}
    before = service.memory()

    def explode(number: int) -> int:
        path, media = [("/v1/events", BATCH), ("/graphql", "application/json")][number % 2]
        with httpx.Client(base_url=service.url, timeout=60) as http:
            return http.post(path, content=bomb, headers={**headers, "Content-Type": media}).status_code

    with ThreadPoolExecutor(BOMBS) as clients:
        found = clients.map(explode, range(BOMBS))
        for _ in range(5):
            assert httpx.get(f"{service.url}/livez", timeout=30).is_success
        # Some find no room at all: what is held of bodies has a limit, too.
        assert set(found) <= {413, 503}
    assert service.memory() - before < 256 * MEBIBYTE
