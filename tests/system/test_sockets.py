"""WebSockets of a real server: the handshake, frames and messages of all kinds, slow readers and floods."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.cloud_events import as_json, cloud_event
from tests.metrics.exposed import OPENMETRICS, Exposed
from tests.service import Service, free_port
from tests.waiting import until, wait_until

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("connections")]

PROTOCOL = "graphql-transport-ws"
ORIGIN = "https://app.example"
CONNECTIONS = 60
OF_KEY = 120
READ_SECONDS = 3
FAILED_ATTEMPTS = 40
BIG = "{ " + " ".join(f"a{n}: eventTypes {{ schema }}" for n in range(8)) + " }"
SHORT = "subscription { scoreChanged { cursor changes { clientId } } }"


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {
        "PARTWISE_READ_SECONDS": str(READ_SECONDS),
        "PARTWISE_CONNECTIONS": str(CONNECTIONS),
        "PARTWISE_CORS_ORIGINS": ORIGIN,
        "PARTWISE_SUBSCRIPTIONS_OF_KEY": str(OF_KEY),
        "PARTWISE_FAILED_ATTEMPTS": str(FAILED_ATTEMPTS),
    }
    found = Service(
        Path(tmp_path_factory.mktemp("sockets")),
        free_port(),
        database_url=database_url,
        kind="serve",
        settings=settings,
    )
    found.start()
    yield found
    found.end()
    log = found.output()
    # Whatever was sent to it.
    assert "Traceback" not in log, log[-5000:]
    assert '"error"' not in log, log[-5000:]
    assert "a connection failed" not in log


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    return service.key("sockets")


@pytest.fixture(autouse=True)
def serves_others_all_the_while(service: Service, key: str) -> Iterator[None]:
    yield
    answer = httpx.get(f"{service.url}/v1/clients?limit=1", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200


class Client:
    """A client that speaks the sub-protocol by hand."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            found: dict[str, Any] = json.loads(await self.connection.recv())
            return found

    async def subscribe(self, name: str = "1", query: str = SHORT, **variables: Any) -> None:
        await self.say(id=name, type="subscribe", payload={"query": query, "variables": variables})

    async def closed(self) -> tuple[int, str]:
        """Why it was closed, once it is; what was told before is thrown away."""

        async def hear_all() -> None:
            while True:
                await self.connection.recv()

        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(hear_all(), 30)
        assert closed.value.rcvd is not None, "it was cut off"
        return closed.value.rcvd.code, closed.value.rcvd.reason


@asynccontextmanager
async def opened(service: Service, key: str | None = None, **more: Any) -> AsyncIterator[Client]:
    """A connection; with a key one that is let in."""
    more = {"subprotocols": [PROTOCOL], "proxy": None, **more}
    async with connect(service.url.replace("http", "ws") + "/graphql", **more) as connection:
        client = Client(connection)
        if key is not None:
            await client.say(type="connection_init", payload={"Authorization": f"Bearer {key}"})
            assert await client.hear() == {"type": "connection_ack"}
        yield client


# ------------------------------------------------------------------------------------------------------ handshake


def head_of(*fields: str, target: str = "/graphql", method: str = "GET", version: str = "1.1") -> bytes:
    usual = {
        "host": "x",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-protocol": PROTOCOL,
    }
    for field in fields:
        name, _, value = field.partition(": ")
        if value:
            usual[name.lower()] = value
        else:
            del usual[name.lower().rstrip(":")]
    lines = [f"{name}: {value}" for name, value in usual.items()]
    return "\r\n".join([f"{method} {target} HTTP/{version}", *lines, "", ""]).encode()


class Raw:
    """A connection on which anything can be sent."""

    def __init__(self, service: Service, sent: bytes = b"", buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", service.port))
        self.socket.sendall(sent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def until(self, mark: bytes) -> bytes:
        found = b""
        while mark not in found:
            piece = self.socket.recv(4096)
            if not piece:
                return found
            found += piece
        return found

    def open(self) -> Self:
        self.socket.sendall(head_of())
        assert self.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        return self

    def frame(self, first: int, data: bytes = b"", *, masked: bool = True) -> None:
        self.socket.sendall(frame(first, data, masked=masked))

    def let_in(self, key: str) -> Self:
        self.frame(
            0x81, json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}).encode()
        )
        self.until(b"ack")
        return self

    def close_code(self) -> int:
        """Of the frame that the server closes with, after all others."""
        data = bytearray()
        while piece := self.socket.recv(65536):
            data += piece
            while (size := self._size(data)) and len(data) >= size:
                if data[0] & 15 == 8:
                    return int(struct.unpack("!H", data[2:4])[0])
                del data[:size]
        raise AssertionError("it closed without a word")

    @staticmethod
    def _size(data: bytearray) -> int:
        """Of the first frame, with its head; 0 where that is not there yet."""
        if len(data) < 10:
            return 2 + data[1] if len(data) > 1 and data[1] < 126 else 0
        wide = {126: 2, 127: 8}.get(data[1], 0)
        return 2 + wide + (int.from_bytes(data[2 : 2 + wide]) if wide else data[1])


def frame(first: int, data: bytes = b"", *, masked: bool = True) -> bytes:
    size = len(data)
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 65536:
        head = bytes([first, bit | 126]) + struct.pack("!H", size)
    else:
        head = bytes([first, bit | 127]) + struct.pack("!Q", size)
    return head + (bytes(4) if masked else b"") + data


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (head_of("sec-websocket-version: 8"), b"HTTP/1.1 400 "),
        (head_of("sec-websocket-version:"), b"HTTP/1.1 400 "),
        (head_of("sec-websocket-key:"), b"HTTP/1.1 400 "),
        (head_of("sec-websocket-key: short"), b"HTTP/1.1 400 "),
        (head_of("sec-websocket-key: ÿÿ"), b"HTTP/1.1 400 "),
        (head_of("host:"), b"HTTP/1.1 400 "),
        (head_of("origin: https://evil.example"), b"HTTP/1.1 403 "),
        (head_of("origin: null"), b"HTTP/1.1 403 "),
        (head_of("authorization: Bearer pw_nonsense"), b"HTTP/1.1 401 "),
        (head_of("authorization: Basic eDp5"), b"HTTP/1.1 401 "),
        (head_of(f"origin: {ORIGIN}"), b"HTTP/1.1 101 "),
        (head_of("origin: http://x"), b"HTTP/1.1 101 "),
        (head_of("upgrade: WebSocket"), b"HTTP/1.1 101 "),
        (head_of("connection: keep-alive, Upgrade"), b"HTTP/1.1 101 "),
        # What asks for none, or not here, is a request like others.
        (head_of(target="/livez"), b"HTTP/1.1 200 "),
        (head_of(target="/v1/clients"), b"HTTP/1.1 401 "),
        (head_of(target="/graphql/"), b"HTTP/1.1 404 "),
        (head_of("content-length: 2") + b"{}", b"HTTP/1.1 401 "),
        (head_of(method="POST"), b"HTTP/1.1 401 "),
        (head_of(version="1.0"), b"HTTP/1.1 401 "),
        (head_of("upgrade: h2c"), b"HTTP/1.1 401 "),
    ],
)
def test_each_handshake_is_answered(service: Service, sent: bytes, answer: bytes):
    with Raw(service, sent) as raw:
        found = raw.until(b"\r\n\r\n")
        assert found.startswith(answer), found
        assert b"x-request-id: " in found
        if b" 400 " in answer and b"version" in sent and b"websocket-version: 13" not in sent:
            assert b"sec-websocket-version: 13" in found


def test_what_comes_with_the_head_is_not_lost(service: Service, key: str):
    told = json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}).encode()
    with Raw(service, head_of() + frame(0x81, told)) as raw:
        assert b"connection_ack" in raw.until(b"ack")


async def test_the_header_counts_too(service: Service, key: str):
    async with opened(service, additional_headers={"Authorization": f"Bearer {key}"}) as client:
        await client.say(type="connection_init")
        assert await client.hear() == {"type": "connection_ack"}
        await client.subscribe()
        assert (await client.hear())["type"] == "next"
    with pytest.raises(InvalidStatus) as refused:
        async with opened(service, additional_headers={"Authorization": "Bearer pw_nonsense"}):
            pass
    body = json.loads(refused.value.response.body or b"")
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_another_sub_protocol_is_not_spoken(service: Service):
    for protocols in (None, ["graphql-ws"]):
        async with opened(service, subprotocols=protocols) as client:
            assert (await client.closed())[0] == 4406


# ------------------------------------------------------------------------------------------------ what is not sent


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(0x81, b"{}", masked=False)], 1002),
        ([frame(0x83, b"{}")], 1002),
        ([frame(0xC1, b"{}")], 1002),
        ([frame(0x80, b"{}")], 1002),
        ([frame(0x01, b"{"), frame(0x81, b"}")], 1002),
        ([frame(0x89, bytes(126))], 1002),
        ([frame(0x09, b"")], 1002),
        ([frame(0x88, b"\x03")], 1002),
        ([frame(0x88, struct.pack("!H", 1005))], 1002),
        ([frame(0x88, struct.pack("!H", 1000) + b"\xff")], 1007),
        ([frame(0x81, b"\xff\xfe")], 1007),
        ([frame(0x81, bytes(64 * 1024 + 1))], 1009),
        ([frame(0x01, bytes(60 * 1024)), frame(0x80, bytes(60 * 1024))], 1009),
        ([b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"], 1009),
        ([frame(0x01, b"")] + [frame(0x00, b"")] * 100, 1008),
        ([frame(0x82, b"{}")], 4400),
        ([frame(0x88, struct.pack("!H", 1000))], 1000),
        ([frame(0x88)], 1005),
    ],
)
def test_each_bad_frame_is_answered_by_its_code(service: Service, frames: list[bytes], code: int):
    with Raw(service) as raw:
        raw.open().socket.sendall(b"".join(frames))
        if code == 1005:
            assert raw.until(b"nothing").endswith(b"\x88\x00")
        else:
            assert raw.close_code() == code


DEEP = "[" * 60_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "1",
        "null",
        "{}",
        '{"type": 1}',
        '{"type": "start"}',
        '{"type": "next", "id": "1"}',
        '{"type": "ping", "type": "pong"}',
        '{"type": "\\ud800"}',
        '{"type": "ping", "payload": NaN}',
        DEEP,
        '{"type": "ping", "payload": ' + DEEP,
        '{"type": "connection_init", "payload": []}',
        '{"type": "connection_init", "payload": {"authorization": 1}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": []}',
    ],
)
async def test_each_bad_message_is_closed_as_the_protocol_says(service: Service, text: str):
    async with opened(service) as client:
        await client.connection.send(text)
        code, reason = await client.closed()
        assert code == 4400
        assert reason


@pytest.mark.parametrize(
    "payload",
    [
        {"id": "1"},
        {"id": "1", "payload": None},
        {"id": "1", "payload": []},
        {"id": "1", "payload": {}},
        {"id": "1", "payload": {"query": 1}},
        {"id": "1", "payload": {"query": SHORT, "variables": []}},
        {"id": "1", "payload": {"query": SHORT, "operationName": 1}},
        {"id": "", "payload": {"query": SHORT}},
        {"id": 1, "payload": {"query": SHORT}},
        {"id": "1" * 257, "payload": {"query": SHORT}},
        {"payload": {"query": SHORT}},
    ],
)
async def test_each_bad_subscribe_is_closed_as_the_protocol_says(service: Service, key: str, payload: dict[str, Any]):
    async with opened(service, key) as client:
        await client.say(type="subscribe", **payload)
        assert (await client.closed())[0] == 4400


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nonsense }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($v: [Verdict!]) { scoreChanged(verdict: $v) { cursor } }", {"v": ["NO"]}, "BAD_USER_INPUT"),
        ('subscription { scoreChanged(after: "nonsense") { cursor } }', {}, "BAD_USER_INPUT"),
        ("{ " + "a " * 1_000 + "}", {}, "LIMIT_TOKENS"),
        ("#" * 20_001, {}, "LIMIT_CHARACTERS"),
        ("{ clients(first: 100) { edges { node { history { score timeline { totalCount } } } } } }", {}, "LIMIT_COST"),
        ('{ client(clientId: "a") { explanation(language: XX) { summary } } }', {}, "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_what_is_wrong_with_an_operation_ends_it_alone(
    service: Service, key: str, query: str, variables: dict[str, Any], code: str
):
    async with opened(service, key) as client:
        await client.subscribe("good")
        assert (await client.hear())["type"] == "next"
        await client.subscribe("bad", query, **variables)
        told = await client.hear()
        assert (told["id"], told["type"], told["payload"][0]["extensions"]["code"]) == ("bad", "error", code)
        # Its id is free again.
        await client.subscribe("bad", "{ eventTypes { type } }")
        assert [(await client.hear())["type"] for _ in range(2)] == ["next", "complete"]


# ------------------------------------------------------------------------------------------------------- the order


async def test_the_order_of_the_protocol_is_kept(service: Service, key: str):
    async with opened(service) as client:
        await client.subscribe()
        assert (await client.closed())[0] == 4401
    async with opened(service) as client:
        await client.say(type="connection_init")
        assert (await client.closed())[0] == 4401
    async with opened(service, key) as client:
        await client.say(type="connection_init")
        assert (await client.closed())[0] == 4429
    async with opened(service, key) as client:
        await client.subscribe()
        await client.subscribe()
        assert await client.closed() == (4409, "Subscriber for 1 already exists")
    async with opened(service, key) as client:
        await client.say(type="ping", payload={"a": 1})
        assert await client.hear() == {"type": "pong"}
        await client.say(type="pong")
        await client.subscribe()
        assert (await client.hear())["type"] == "next"
        await client.say(type="complete", id="1")
        await client.say(type="complete", id="unknown")
        await client.subscribe()
        assert (await client.hear())["type"] == "next"


async def test_who_does_not_say_who_it_is_has_ten_seconds(service: Service):
    async with opened(service) as client:
        await client.say(type="ping")
        assert (await client.closed())[0] == 4408


async def test_queries_and_mutations_are_answered_once(service: Service, key: str):
    async with opened(service, key) as client:
        await client.subscribe("q", "{ eventTypes { type } }")
        told = await client.hear()
        assert told["payload"]["data"]["eventTypes"]
        assert await client.hear() == {"id": "q", "type": "complete"}
        put = 'mutation { putClient(input: {clientId: "by-socket"}) { ... on ClientPut { client { clientId } } } }'
        await client.subscribe("m", put)
        assert (await client.hear())["payload"]["data"]["putClient"]["client"] == {"clientId": "by-socket"}
        assert await client.hear() == {"id": "m", "type": "complete"}


# -------------------------------------------------------------------------------------------------------- limits


async def test_a_connection_has_a_hundred_operations_and_a_key_some_more(service: Service, key: str):
    async with opened(service, key) as client, opened(service, key) as other:
        for number in range(100):
            await client.subscribe(f"{number}")
            assert (await client.hear())["type"] == "next"
        await client.subscribe("one more")
        assert too_many(await client.hear())
        for number in range(OF_KEY - 100):
            await other.subscribe(f"{number}")
            assert (await other.hear())["type"] == "next"
        await other.subscribe("one more")
        assert too_many(await other.hear())
        await client.say(type="complete", id="0")
        await until(lambda: subscribes(other))


def too_many(message: dict[str, Any]) -> bool:
    return bool(message["type"] == "error" and message["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS")


async def subscribes(client: Client) -> bool:
    await client.subscribe("again")
    return (await client.hear())["type"] == "next"


def test_who_has_not_said_who_it_is_makes_room(service: Service):
    with_nothing_said = [Raw(service).open() for _ in range(CONNECTIONS)]
    try:
        for _ in range(10):
            assert httpx.get(f"{service.url}/livez").is_success
    finally:
        for one in with_nothing_said:
            one.socket.close()


def memory_of(service: Service) -> int:
    assert service.process is not None
    return int(psutil.Process(service.process.pid).memory_info().rss)


def flood(service: Service, raw: Raw, data: bytes, seconds: float) -> int:
    """Send again and again without reading until the other side takes no more; the memory that it came to."""
    raw.socket.settimeout(seconds)
    most = memory_of(service)
    try:
        while True:
            raw.socket.sendall(data)
            most = max(most, memory_of(service))
    except OSError:
        return max(most, memory_of(service))


@pytest.mark.parametrize("kind", ["pings", "messages", "pongs"])
def test_a_flood_is_read_no_faster_than_its_answers(service: Service, key: str, kind: str):
    before = memory_of(service)
    with Raw(service, buffer=4096) as raw:
        raw.open().let_in(key)
        data = {
            "pings": frame(0x89, bytes(125)) * 500,
            "messages": frame(0x81, b'{"type":"ping"}') * 3_000,
            "pongs": frame(0x81, b'{"type":"pong"}') * 3_000,
        }[kind]
        most = flood(service, raw, data, 3)
    assert most - before < 24 * 1024 * 1024


async def test_who_does_not_read_is_told_to_come_again(service: Service, key: str):
    """Its answers fill what there is between us; then it has a while, and then it is closed with a reason."""
    before = memory_of(service)
    with Raw(service, buffer=4096) as raw:
        raw.open().let_in(key)
        for number in range(30):
            told = {"id": f"{number}", "type": "subscribe", "payload": {"query": BIG}}
            raw.frame(0x81, json.dumps(told).encode())
        await asyncio.sleep(READ_SECONDS / 3 + 0.5)
        assert memory_of(service) - before < 64 * 1024 * 1024
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        assert await asyncio.to_thread(raw.close_code) == 1013


async def test_who_never_reads_is_hung_up_on(service: Service, key: str):
    with Raw(service, buffer=4096) as raw:
        raw.open().let_in(key)
        for number in range(30):
            told = {"id": f"{number}", "type": "subscribe", "payload": {"query": BIG}}
            raw.frame(0x81, json.dumps(told).encode())
        assert service.process is not None
        server = psutil.Process(service.process.pid)
        port = raw.socket.getsockname()[1]

        async def is_gone() -> bool:
            return port not in {one.raddr.port for one in server.net_connections("tcp") if len(one.raddr)}

        assert not await is_gone()
        await until(is_gone, 30)


# ------------------------------------------------------------------------------------------------------- counted


async def test_what_is_open_and_how_it_ended_is_counted(service: Service, key: str):
    def counted(name: str) -> float:
        return Exposed.read(httpx.get(f"{service.url}/metrics", headers={"Accept": OPENMETRICS}).text)[name]

    gauge = 'partwise_graphql_subscriptions{transport="websocket"}'
    done = 'partwise_graphql_subscriptions_ended_total{transport="websocket",reason="done"}'
    await until(lambda: _is(counted(gauge) == 0))
    before = counted(done)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            client = await stack.enter_async_context(opened(service, key))
            await client.subscribe()
            assert (await client.hear())["type"] == "next"
        assert counted(gauge) == 3
    await until(lambda: _is(counted(gauge) == 0))
    assert counted(done) == before + 3


async def _is(so: bool) -> bool:
    return so


def test_a_connection_leaves_a_line_and_nothing_of_what_was_sent(service: Service, key: str):
    with Raw(service, head_of("x-request-id: socket-line", target="/graphql?secret=hidden")) as raw:
        assert b"x-request-id: socket-line" in raw.until(b"\r\n\r\n")
        raw.let_in(key)
    wait_until(lambda: "socket-line" in service.output())
    line = next(json.loads(one) for one in service.output().splitlines() if "socket-line" in one)
    assert (line["event"], line["method"], line["route"], line["status"]) == ("request", "GET", "/graphql", 101)
    assert "hidden" not in service.output()
    assert key not in service.output()


async def test_keys_that_do_not_count_are_counted(service: Service, key: str):
    """The last one that presents any: from here on nobody new is let in from this address for a while."""
    codes = []
    for number in range(FAILED_ATTEMPTS + 5):
        async with opened(service) as client:
            await client.say(type="connection_init", payload={"authorization": f"Bearer pw_{number}"})
            codes.append((await client.closed())[0])
    assert set(codes) == {4401, 1013}
    assert codes[-1] == 1013
    # Who was good lately is let in all the same.
    async with opened(service, key) as client:
        await client.subscribe()
        assert (await client.hear())["type"] == "next"


def test_events_are_taken_all_the_while(service: Service, key: str):
    answer = httpx.post(
        f"{service.url}/v1/events",
        content=as_json(cloud_event("sockets")),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"},
    )
    assert answer.status_code == 201
