"""The health check of a container: where it asks, and what it makes of the answer."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.cli.probe import address, main
from tests.service import free_port


class Health(BaseHTTPRequestHandler):
    """Is alive, and not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the library
        del format, args


@pytest.fixture
def port() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_port)
        server.shutdown()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("127.0.0.1", 8000)),
        ({"PORT": "8100"}, ("127.0.0.1", 8100)),
        ({"PARTWISE_HOST": "0.0.0.0", "PORT": "1", "PARTWISE_METRICS_PORT": "9464"}, ("127.0.0.1", 9464)),
        ({"PARTWISE_HOST": "::", "PARTWISE_METRICS_PORT": ""}, ("::1", 8000)),
        ({"PARTWISE_HOST": "10.0.0.1", "PARTWISE_METRICS_PORT": "9464"}, ("10.0.0.1", 9464)),
        (
            {"PARTWISE_HOST": "10.0.0.1", "PARTWISE_METRICS_HOST": "0.0.0.0", "PARTWISE_METRICS_PORT": "9464"},
            ("127.0.0.1", 9464),
        ),
        # Of the public port's host, where there is no port of the operators' own.
        ({"PARTWISE_METRICS_HOST": "10.0.0.1"}, ("127.0.0.1", 8000)),
    ],
)
def test_it_asks_where_the_process_listens(environment: dict[str, str], expected: tuple[str, int]):
    assert address(environment) == expected


def test_it_tells_who_lives(port: str):
    assert main({"PARTWISE_METRICS_PORT": port}) == 0


def test_it_tells_who_is_not_well(port: str, capsys: pytest.CaptureFixture[str]):
    assert main({"PARTWISE_METRICS_PORT": port}, "/readyz") == 1
    assert "/readyz answered HTTP/1.0 503" in capsys.readouterr().err


def test_it_tells_who_does_not_answer():
    environment = {"PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.probe"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "does not answer" in done.stderr


def test_it_loads_nothing_else():
    """It runs every few seconds: what the service loads would cost it as much as its work."""
    script = "import sys, app.cli.probe; print({name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "app" in done.stdout
    assert not [name for name in ("pydantic", "typer", "fastapi", "'http'", "uvicorn") if name in done.stdout]
