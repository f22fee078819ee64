"""A real server as a process of its own: the real command, a free port, an embedded Postgres in a new folder."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from app.ports.rates import UNITS

READY_SECONDS = 120
UNBOUND = {"PARTWISE_RATE_LIMITS": " ".join(f"{name}=999999999999/60" for name in UNITS)}
"""For benchmarks of what the server can do: what is asked for counts as ever, and is never too much."""


@dataclass
class Service:
    """A running server, by `run` or `serve`; `start` starts it anew after `kill`, on the same port and data."""

    home: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    log: str = "server.log"
    database_url: str = ""
    kind: str = "run"
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.home / self.log).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", self.kind], env=self._environment(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self.output()[-2000:]}")
            try:
                if httpx.get(f"{self.url}/readyz").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError("the server is not ready")

    def kill(self) -> None:
        """As a power cut would: no goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Tell it to end, and wait until it has."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end()
        subprocess.run(
            [sys.executable, "-m", "app", "stop", "--force"], env=self._environment(), check=False, capture_output=True
        )

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one command of the command line beside the server."""
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            env={**self._environment(), **environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def command(self, *arguments: str) -> str:
        """Run one command that is to succeed, and return what it prints on stdout."""
        done = self.run(*arguments)
        if done.returncode:
            raise RuntimeError(f"{arguments[0]}: {done.stderr}")
        return done.stdout.strip()

    def output(self) -> str:
        """What the server has printed so far."""
        return (self.home / self.log).read_text()

    def key(self, tenant: str, scopes: str = "ingest,read") -> str:
        return self.command("keys", "create", "--tenant", tenant, "--scopes", scopes)

    def memory(self) -> int:
        """Bytes of the server process that are in memory now (resident)."""
        assert self.process is not None
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PARTWISE_API_KEY")}
        return {
            **kept,
            "PARTWISE_HOME": str(self.home),
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url,
            **self.settings,
        }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(**settings: str) -> Iterator[Service]:
    """A fresh server for as long as the block lasts, with environment variables of its own."""
    with tempfile.TemporaryDirectory(prefix="partwise-bench-") as folder:
        service = Service(Path(folder), free_port(), settings=settings)
        service.start()
        try:
            yield service
        finally:
            service.stop()
