"""What is sent, to whom it is never sent, and what is made of answers: against real receivers on this machine."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from app.outgoing.sender import MOST_READ, HttpSender
from app.outgoing.signing import key_of, signatures
from app.ports.sending import Message, Sent, UnfitUrlError
from tests.webhook_stage import SECRET

HERE = [ip_network("127.0.0.0/8")]
KEYS = [key_of(SECRET)]
MESSAGE = Message("msg_1", b'{"type":"webhook.ping"}')
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    port: int = 0
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@asynccontextmanager
async def receiver(answer: bytes, *, then: Serve | None = None, tls: ssl.SSLContext | None = None):
    """Answers each request so, and may go on with the connection in some way."""
    found = Receiver()
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        found.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                found.bodies.append(await reader.readexactly(length))
                found.heads.append(head)
                writer.write(answer)
                if then is not None:
                    await then(reader, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)


@asynccontextmanager
async def sending(seconds: float = 5.0, networks=HERE) -> AsyncIterator[HttpSender]:
    made = HttpSender("Partwise/test", networks, seconds)
    try:
        yield made
    finally:
        await made.close()


async def outcome(url: str, networks=HERE, seconds: float = 5.0) -> Sent:
    async with sending(seconds, networks) as sender:
        return await sender.send(url, MESSAGE, KEYS)


async def test_a_message_is_signed_and_named():
    async with receiver(b"HTTP/1.1 202 Yes\r\nContent-Length: 4\r\n\r\nwell") as there, sending() as sender:
        sent = await sender.send(there.url, MESSAGE, [*KEYS, b"another"])
        assert (sent.attempt.status, sent.attempt.error, sent.attempt.answer) == (202, None, "well")
        assert sent.attempt.was_taken
    head = dict(line.split(": ", 1) for line in there.heads[0].split("\r\n")[1:] if line)
    timestamp = int(head["webhook-timestamp"])
    assert abs(timestamp - sent.attempt.at.timestamp()) < 2
    assert head["webhook-id"] == "msg_1"
    assert head["webhook-signature"] == signatures([*KEYS, b"another"], "msg_1", timestamp, MESSAGE.body)
    assert len(head["webhook-signature"].split(" ")) == 2
    assert head["User-Agent"] == "Partwise/test"
    assert head["Content-Type"] == "application/json"
    assert there.bodies == [MESSAGE.body]


async def test_connections_are_used_again_and_one_that_was_closed_meanwhile_is_no_failure():
    async with receiver(b"HTTP/1.1 204 No\r\n\r\n") as there, sending() as sender:
        for _ in range(5):
            assert (await sender.send(there.url, MESSAGE, KEYS)).attempt.status == 204
        assert there.connections == 1

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise ConnectionError

    async with receiver(b"HTTP/1.1 204 No\r\n\r\n", then=hang_up) as there, sending() as sender:
        for _ in range(5):
            assert (await sender.send(there.url, MESSAGE, KEYS)).attempt.status == 204


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0.0.0.0"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nothing_is_sent_into_our_own_network(scheme: str, host: str, monkeypatch: pytest.MonkeyPatch):
    """However it is written: what counts is the address that a socket is made for."""
    resolve = socket.getaddrinfo

    def read(name: str, *more: Any, **named: Any) -> Any:
        # As the C library reads such names.
        return resolve("127.0.0.1" if name in ("0x7f.1", "2130706433", "127.1") else name, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", read)
    async with receiver(b"HTTP/1.1 204 No\r\n\r\n") as there:
        sent = await outcome(f"{scheme}://{host}:{there.port}/", networks=[ip_network("10.1.0.0/16")])
        assert sent.attempt.status is None
        assert sent.attempt.error in {"refused_address", "malformed"}, sent
        assert there.connections == 0


async def test_a_name_that_leads_elsewhere_when_it_is_connected_to_gains_nothing(monkeypatch: pytest.MonkeyPatch):
    """The first look-up says a public address, all others ours: there is one, and its answer is what is looked at."""
    asked = []

    def resolve(host: str, *more: object, **named: object) -> list[object]:
        asked.append(host)
        address = "1.1.1.1" if len(asked) > 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, there.port))]

    async with receiver(b"HTTP/1.1 204 No\r\n\r\n") as there:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        async with sending(networks=[]) as sender:
            sent = await sender.send(f"https://rebinding.example:{there.port}/", MESSAGE, KEYS)
        assert (sent.attempt.error, asked, there.connections) == ("refused_address", ["rebinding.example"], 0)


async def test_without_tls_only_into_ones_own_network(monkeypatch: pytest.MonkeyPatch):
    def resolve(host: str, *more: object, **named: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert (await outcome("http://public.example/")).attempt.error == "refused_address"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https:///path",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://@example.com/",
        "https://example.com/#part",
        "https://example.com/#",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com\\@127.0.0.1/",
        "https://exämple.com/",
        "https://example.com/\r\nX: y",
        "https://" + "a" * 2000 + ".com/",
        "//example.com/",
        "example.com",
        "",
    ],
)
async def test_urls_that_are_never_sent_to(url: str):
    async with sending(networks=[]) as sender:
        with pytest.raises(UnfitUrlError):
            sender.check(url)
        assert (await sender.send(url, MESSAGE, KEYS)).attempt.error == "refused_address"


@pytest.mark.parametrize("url", ["https://example.com", "https://example.com:8443/a/b?c=d", "https://[2606:4700::1]/x"])
async def test_urls_that_may_be_sent_to(url: str):
    async with sending(networks=[]) as sender:
        sender.check(url)


async def test_redirects_are_not_followed():
    async with receiver(b"HTTP/1.1 204 No\r\n\r\n") as other:
        moved = f"HTTP/1.1 307 There\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        async with receiver(moved) as there:
            sent = await outcome(there.url)
        assert (sent.attempt.status, sent.attempt.was_taken, other.connections) == (307, False, 0)


async def test_of_an_answer_no_more_is_read_than_is_kept():
    """One without an end takes neither memory nor time."""
    read = []

    async def without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 1024)
            read.append(1024)
            await writer.drain()

    async with receiver(b"HTTP/1.1 200 Yes\r\nContent-Length: 999999999\r\n\r\n", then=without_end) as there:
        sent = await outcome(there.url)
    assert (sent.attempt.status, sent.attempt.answer) == (200, "x" * 256)
    assert MOST_READ <= sum(read) < 8_000_000


async def test_compressed_answers_stay_compressed():
    bomb = b"HTTP/1.1 200 Yes\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    async with receiver(bomb) as there:
        sent = await outcome(there.url)
    assert (sent.attempt.status, sent.attempt.answer) == (200, "")


async def test_an_answer_that_drips_ends_with_the_time():
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    for answer in (b"HTTP/1.1 200 Yes\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 Yes\r\nX-Long: ", b""):
        async with receiver(answer, then=drip) as there:
            sent = await outcome(there.url, seconds=0.4)
        assert (sent.attempt.status, sent.attempt.error) in {(None, "timeout"), (None, "malformed")}, answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "malformed"),
        (b"HTTP/1.1 abc No\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 Yes\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", "malformed"),
    ],
)
async def test_what_is_no_http_is_told_so(answer: bytes, error: str):
    async with receiver(answer) as there:
        assert (await outcome(there.url)).attempt.error == error


async def test_errors_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    def resolve(host: str, *more: object, **named: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolve)
        assert (await outcome("http://no-such-name.invalid/")).attempt.error == "unresolved"
    async with receiver(b"") as there:
        pass
    assert (await outcome(there.url)).attempt.error == "connect"

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise ConnectionError

    async with receiver(b"", then=hang_up) as there:
        assert (await outcome(there.url)).attempt.error == "closed"


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path):
    from tests.certificates import self_signed

    context = self_signed(tmp_path, "localhost")
    async with receiver(b"HTTP/1.1 204 No\r\n\r\n", tls=context) as there:
        assert (await outcome(f"https://localhost:{there.port}/")).attempt.error == "tls"
        assert there.bodies == []


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "7", 7),
        (503, "99999", 3600),
        (503, "soon", None),
        (503, "Wed, 21 Oct 2015 07:28:00 GMT", None),
        (503, "Wed, 21 Oct 2999 07:28:00 GMT", 3600),
        (500, "7", None),
    ],
)
async def test_whoever_wants_to_be_left_alone_is(status: int, header: str, seconds: float | None):
    answer = f"HTTP/1.1 {status} No\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n".encode()
    async with receiver(answer) as there:
        assert (await outcome(there.url)).again_after == seconds


async def test_texts_of_answers_can_be_stored():
    async with receiver(b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\na\x00\xff\xfeb") as there:
        assert (await outcome(there.url)).attempt.answer == "a\x00��b"
