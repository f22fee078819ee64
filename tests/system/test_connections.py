"""Clients that drip, flood or break off, over real sockets to a real server; honest ones are served meanwhile."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import psutil
import pytest

from app.settings import Settings
from tests.cloud_events import as_json, cloud_event
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("connections")]

CONNECTIONS = 300
PATIENCE = 30.0
"""Seconds after which a test gives up; nothing here takes so long."""


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {
        "PARTWISE_HEAD_SECONDS": "3",
        "PARTWISE_BODY_SECONDS": "3",
        "PARTWISE_BODY_RATE": "50",
        "PARTWISE_READ_SECONDS": "2",
        "PARTWISE_KEEP_ALIVE_SECONDS": "2",
        "PARTWISE_CONNECTIONS": str(CONNECTIONS),
    }
    found = Service(
        Path(tmp_path_factory.mktemp("connections")),
        free_port(),
        database_url=database_url,
        kind="serve",
        settings=settings,
    )
    found.start()
    yield found
    found.end()
    # Whatever was sent to it.
    log = found.output()
    assert "Traceback" not in log, log[-5000:]


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    return service.key("connections")


class Raw:
    """A connection on which anything can be sent."""

    opened: ClassVar[list["Raw"]] = []

    def __init__(self, service: Service, sent: bytes = b"") -> None:
        self.opened.append(self)
        self.socket = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
        self.socket.sendall(sent)

    def send(self, data: bytes) -> bool:
        """Whether the other side still takes it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def drip(self, data: bytes = b"x", every: float = 0.1) -> bytes:
        """Send a little again and again until the server has closed; what it answered."""
        self.socket.settimeout(every)
        answer, ends = b"", time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            try:
                received = self.socket.recv(65536)
            except TimeoutError:
                self.send(data)
                continue
            except OSError:
                return answer
            if not received:
                return answer
            answer += received
        raise AssertionError(f"it is still open: {answer!r}")

    def rest(self) -> bytes:
        """What comes until the server closes."""
        answer = b""
        try:
            while received := self.socket.recv(65536):
                answer += received
        except ConnectionResetError:
            pass
        return answer

    def until(self, end: bytes) -> bytes:
        answer = b""
        while end not in answer:
            received = self.socket.recv(65536)
            assert received, answer
            answer += received
        return answer


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while Raw.opened:
        Raw.opened.pop().socket.close()


def head_of(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")


def problem_in(answer: bytes, status: int) -> dict[str, Any]:
    """The one answer there is, a problem after which the connection is closed."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status} "), answer
    assert {"content-type: application/problem+json", "connection: close", "referrer-policy: no-referrer"} <= set(lines)
    assert any(line.startswith("x-request-id: ") for line in lines)
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == status
    return found


def test_dripping_heads_are_refused_and_others_served(service: Service):
    head = head_of("GET", "/livez", "X-Long: " + "x" * 500)[:-2]
    dripping = [Raw(service, head[:number]) for number in (5, 9, *range(30, 60)) for _ in range(8)]
    assert httpx.get(f"{service.url}/livez").is_success
    for one in dripping:
        assert problem_in(one.drip(), 408)["type"] == "/problems/too-slow"
    assert httpx.get(f"{service.url}/livez").is_success


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/v1/events", "application/cloudevents+json"),
        ("/v1/events", "application/x-ndjson"),
        ("/graphql", "application/json"),
    ],
)
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_dripping_bodies_are_refused_and_others_served(service: Service, key: str, path: str, media: str, framing: str):
    head = head_of("POST", path, f"Authorization: Bearer {key}", f"Content-Type: {media}", framing)
    dripping = [Raw(service, head) for _ in range(100)]
    assert httpx.get(f"{service.url}/readyz").is_success
    drop = b"x" if "Length" in framing else b"1\r\nx\r\n"
    for one in dripping:
        assert problem_in(one.drip(drop), 408)["type"] == "/problems/too-slow"
    assert httpx.get(f"{service.url}/readyz").is_success


def test_the_answer_names_the_request(service: Service, key: str):
    head = head_of("POST", "/v1/events", f"Authorization: Bearer {key}", "Content-Length: 9", "X-Request-Id: seven")
    assert b"\r\nx-request-id: seven\r\n" in Raw(service, head).drip(b"")


def test_a_stream_that_moves_may_last(service: Service, key: str):
    """It takes several times as long as a body has to bring something in, and each pause is shorter than that."""
    head = head_of(
        "POST",
        "/v1/events",
        f"Authorization: Bearer {key}",
        "Content-Type: application/x-ndjson",
        "Transfer-Encoding: chunked",
    )
    stream = Raw(service, head)
    for number in range(20):
        line = as_json(cloud_event(f"lasting-{number}")) + b"\n"
        stream.socket.sendall(b"%x\r\n%b\r\n" % (len(line), line))
        stream.until(b'"accepted"}')
        time.sleep(0.3)
    stream.socket.sendall(b"0\r\n\r\n")
    assert b'{"summary":{"lines":20,"accepted":20}}' in stream.until(b"\r\n0\r\n\r\n")


def test_who_says_nothing_is_closed_without_a_word(service: Service):
    assert Raw(service).rest() == b""
    # Line ends between requests are allowed, and are no request.
    one = Raw(service, head_of("GET", "/livez"))
    one.until(b'{"status":"ok"}')
    assert one.drip(b"\r\n") == b""


def test_who_has_its_answer_cannot_drip_on(service: Service):
    one = Raw(service, head_of("POST", "/v1/events", "Content-Length: 1000000"))
    assert one.drip(b"x" * 100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head_of("GET", "/livez", *["X: y"] * 100), 431),
        (head_of("GET", "/livez", "X: " + "y" * 40_000), 431),
        (head_of("GET", "/livez", *["X: " + "y" * 400] * 90), 431),
        (head_of("GET", "/" + "x" * 20_000), 414),
        (head_of("GET", "/livez?" + "x" * 500_000), 414),
        (head_of("GET", "/liv\0ez"), 400),
        (head_of("GET", "/livez", "X: a\0b"), 400),
        (head_of("GET", "/livez", "X : y"), 400),
        (b"nonsense\r\n\r\n", 400),
        (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", 400),
        (head_of("CONNECT", "/livez"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /livez HTTP/9.9\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400),
        (head_of("GET", "/livez", "Host: y"), 400),
        (b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"GET /livez\r\n\r\n", 400),
        (head_of("POST", "/graphql", "Content-Type: application/json", "Content-Type: text/plain"), 400),
        (head_of("POST", "/v1/events", "Transfer-Encoding: gzip, chunked"), 400),
        (b"POST /v1/events HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (head_of("POST", "/v1/events", "Content-Length: 1", "Content-Length: 2"), 400),
        (head_of("POST", "/v1/events", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        (head_of("POST", "/v1/events", "Content-Length: -1"), 400),
        (head_of("POST", "/v1/events", "Transfer-Encoding: chunked") + b"nonsense\r\n", 400),
        (head_of("POST", "/graphql", "Transfer-Encoding: chunked") + b"fffffffffffffffff\r\n", 400),
    ],
)
def test_what_is_not_read(service: Service, request_: bytes, status: int):
    one = Raw(service)
    one.send(request_)
    answer = one.rest()
    if status == 400 and answer.startswith(b"HTTP/1.1 401 "):
        return  # Nobody asked for the body that is broken.
    problem_in(answer, status)


def test_http_1_0_is_read(service: Service):
    """Which needs no Host, as some probes have none."""
    assert Raw(service, b"GET /livez HTTP/1.0\r\n\r\n").rest().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("piece", [b"y" * 1000, b"y" * 100_000])
def test_a_header_without_end_is_cut_off(service: Service, piece: bytes):
    assert problem_in(Raw(service, b"GET /livez HTTP/1.1\r\nX: ").drip(piece, 0.001), 431)


def test_trailers_are_no_headers_and_have_an_end_too(service: Service, key: str):
    bearer, media = f"Authorization: Bearer {key}", "Content-Type: application/cloudevents+json"
    body = as_json(cloud_event("trailed"))
    head = head_of("POST", "/v1/events", media, bearer, "Transfer-Encoding: chunked", "Connection: close")
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    assert Raw(service, head + chunk + b"Authorization: Bearer none\r\n\r\n").rest().startswith(b"HTTP/1.1 201 ")
    problem_in(Raw(service, head + chunk + b"X: ").drip(b"y" * 10_000, 0.001), 431)
    problem_in(Raw(service, head + b"1;").drip(b"y" * 10_000, 0.001), 431)


@pytest.mark.parametrize("path", ["/%00", "/v1/clients/%00", "/v1/clients/a%00b/score", "/graphql/%00", "/%ff%fe"])
def test_what_no_path_has(service: Service, key: str, path: str):
    answer = Raw(service, head_of("GET", path, f"Authorization: Bearer {key}", "Connection: close")).rest()
    assert answer.split(b" ")[1] in (b"404", b"422"), answer


def test_the_server_as_a_whole_can_be_asked(service: Service):
    answer = Raw(service, head_of("OPTIONS", "*", "Connection: close")).rest()
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert Raw(service, head_of("GET", "*", "Connection: close")).rest().startswith(b"HTTP/1.1 404 ")


def test_requests_in_a_row_are_answered_in_their_order(service: Service, key: str):
    bearer = f"Authorization: Bearer {key}"
    event = as_json(cloud_event("in-a-row"))
    media = "Content-Type: application/cloudevents+json"
    sent = [
        head_of("GET", "/v1/clients/nobody/score", bearer, "X-Request-Id: 1"),
        head_of("POST", "/v1/events", bearer, media, f"Content-Length: {len(event)}", "X-Request-Id: 2") + event,
        head_of("HEAD", "/livez", "X-Request-Id: 3"),
        head_of("GET", "/livez", "X-Request-Id: 4", "Connection: close"),
    ]
    whole = b"".join(sent)
    for cut in (len(whole), 1, len(sent[0]) + 10, len(whole) - len(sent[3]) - 3):
        one = Raw(service, whole[:cut])
        time.sleep(0.05)
        one.socket.sendall(whole[cut:])
        answer = one.rest()
        starts = [answer.index(b"x-request-id: %d\r\n" % number) for number in (1, 2, 3, 4)]
        assert starts == sorted(starts)
        assert answer.count(b"HTTP/1.1 ") == 4
        assert answer.endswith(b'{"status":"ok"}')


def test_what_came_before_nonsense_is_still_answered(service: Service, key: str):
    asked = head_of("GET", "/v1/clients/nobody/score", f"Authorization: Bearer {key}")
    answer = Raw(service, asked + asked + b"nonsense\r\n\r\n").rest()
    assert answer.count(b"HTTP/1.1 404 ") == 2
    assert answer.count(b"HTTP/1.1 ") == 2


def test_who_asks_before_sending_is_told_to_go_on(service: Service, key: str):
    event = as_json(cloud_event("expected"))
    headers = ["Content-Type: application/cloudevents+json", f"Content-Length: {len(event)}", "Expect: 100-continue"]
    one = Raw(service, head_of("POST", "/v1/events", f"Authorization: Bearer {key}", *headers))
    assert one.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    one.socket.sendall(event)
    assert one.until(b"\r\n\r\n").startswith(b"HTTP/1.1 201 ")
    refused = Raw(service, head_of("POST", "/v1/events", *headers))
    assert refused.until(b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")


def test_an_upgrade_that_there_is_not_is_left_out(service: Service, key: str):
    """Some clients offer HTTP/2 or a socket in each first request."""
    event = as_json(cloud_event("upgraded"))
    bearer, media = f"Authorization: Bearer {key}", "Content-Type: application/cloudevents+json"
    for protocol in ("h2c", "websocket"):
        offer = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABk")
        assert b"HTTP/1.1 200 OK" in Raw(service, head_of("GET", "/livez", *offer)).until(b'"ok"}')
        head = head_of("POST", "/v1/events", bearer, media, f"Content-Length: {len(event)}", *offer)
        assert Raw(service, head + event).until(b"\r\n\r\n").split(b" ")[1] in (b"200", b"201")
        apart = Raw(service, head)
        time.sleep(0.1)
        apart.socket.sendall(event)
        assert apart.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_connection_at_rest_is_closed_after_its_time(service: Service):
    raw = Raw(service, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = b""
    while piece := raw.socket.recv(4096):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 200")
    # Proxies let theirs rest for a minute.
    assert Settings.model_fields["keep_alive_seconds"].default > 60


def test_connections_at_rest_make_room(service: Service):
    for _ in range(CONNECTIONS):
        Raw(service, head_of("GET", "/livez")).until(b'"ok"}')
    for _ in range(10):
        assert httpx.get(f"{service.url}/livez").is_success


def test_beyond_the_limit_connections_are_refused(service: Service, key: str):
    """Nobody is cut off in the middle of a request for it."""
    bearer, media = f"Authorization: Bearer {key}", "Content-Type: application/json"
    head = head_of("POST", "/graphql", bearer, media, "Transfer-Encoding: chunked")
    busy = [Raw(service, head) for _ in range(CONNECTIONS)]
    for one in busy:
        assert one.send(b"64\r\n" + b" " * 100 + b"\r\n")
    refused = problem_in(Raw(service).rest(), 503)
    assert refused["type"] == "/problems/too-many-connections"
    query = b'{"query": "{ __typename }"}'
    for one in busy:
        assert one.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(query), query))
        assert one.until(b'{"data":{"__typename":"Query"}}').startswith(b"HTTP/1.1 200 ")


def test_who_never_reads_is_cut_off(service: Service):
    asked = head_of("GET", "/openapi.json")
    one = Raw(service)
    one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.socket.sendall(asked * 200)
    ours = one.socket.getsockname()[1]
    assert service.process is not None
    server, ends = psutil.Process(service.process.pid), time.monotonic() + PATIENCE
    while any(getattr(found.raddr, "port", None) == ours for found in server.net_connections("tcp")):
        assert time.monotonic() < ends, "it is still open"
        time.sleep(0.1)


def test_a_header_that_anybody_can_write_opens_no_other_door(service: Service):
    """Whoever tries keys is shut out by the address it has, not by one it says that it has; it comes last for that."""
    statuses = {
        httpx.get(
            f"{service.url}/v1/clients",
            headers={"Authorization": f"Bearer pw_bad{number}", "X-Forwarded-For": f"203.0.113.{number}"},
        ).status_code
        for number in range(80)
    }
    assert statuses == {401, 429}
