"""Two servers and a worker over a Postgres of their own, watched by a Prometheus: all real, and all can be harmed."""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import psutil

from app.embedded import EmbeddedPostgres
from app.store.migrate import migrate
from benchmarks.administrator import administrator_url
from monitoring.rules import rule_groups, written
from monitoring.surroundings import SERVER, WORKER, Surroundings
from tests.monitoring.prometheus import Prometheus, prometheus
from tests.service import free_port

__all__ = ["Member", "Stage", "staged"]

PATIENCE = 60.0
_SETTINGS = {
    "PARTWISE_LOG_LEVEL": "warning",
    # What is waited for in minutes elsewhere is to be over in seconds.
    "PARTWISE_DATABASE_PATIENCE": "2",
    "PARTWISE_WORKER_LEASE": "5",
    "PARTWISE_DRAIN_DELAY": "12",
    # Little room, so that it can be filled.
    "PARTWISE_DATABASE_POOL_SIZE": "5",
    "PARTWISE_DATABASE_WRITE_POOL_SIZE": "4",
    "PARTWISE_INGEST_MEMORY": str(16 * 1024 * 1024),
    # Receivers of webhooks are on this machine, and three days are some seconds.
    "PARTWISE_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "PARTWISE_WEBHOOK_RETRIES": ",".join(["1"] * 15),
}


@dataclass
class Member:
    """One process, which can be started again on the same ports."""

    kind: str
    name: str
    home: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers its operators."""
        own = {"PORT": str(self.port), "PARTWISE_METRICS_PORT": str(self.metrics_port)}
        with (self.home / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", self.kind], env={**self.environment, **own}, stdout=log, stderr=log
            )
        self._wait_ready()

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def told_to_end(self) -> None:
        """Tell it to end, and return at once."""
        assert self.process is not None
        self.process.terminate()

    def ended(self, seconds: float = PATIENCE) -> None:
        """Wait until it has ended."""
        assert self.process is not None
        self.process.wait(seconds)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it stand still for as long as the block lasts."""
        assert self.process is not None
        found = psutil.Process(self.process.pid)
        found.suspend()
        try:
            yield
        finally:
            found.resume()

    def end(self) -> None:
        """End it, however it stands."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def output(self) -> str:
        return (self.home / f"{self.name}.log").read_text()

    def _wait_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output()[-3000:]
            try:
                if httpx.get(f"http://127.0.0.1:{self.metrics_port}/livez", timeout=5).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{self.name} does not answer: {self.output()[-3000:]}")


@dataclass
class Stage:
    """All of it.

    Attributes:
        home: a folder for all.
        postgres: theirs.
        servers: two of them.
        worker: the one.
        prometheus: watches them.
        key: of the tenant whose portfolio metrics are scraped too.
        other_key: of a tenant whose clients nobody reads.
    """

    home: Path
    postgres: EmbeddedPostgres
    servers: list[Member]
    worker: Member
    prometheus: Prometheus
    key: str
    other_key: str

    def as_administrator(self, *statements: str) -> None:
        """Run statements as somebody who may do anything."""

        async def run() -> None:
            connection = await asyncpg.connect(administrator_url(self.postgres, self.home))
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())

    @contextmanager
    def locked(self, statement: str) -> Iterator[None]:
        """Hold the locks that a statement takes for as long as the block lasts."""
        loop = asyncio.new_event_loop()
        try:
            connection = loop.run_until_complete(asyncpg.connect(administrator_url(self.postgres, self.home)))
            try:
                loop.run_until_complete(connection.execute(f"BEGIN; {statement}"))
                yield
            finally:
                loop.run_until_complete(connection.close())
        finally:
            loop.close()

    @contextmanager
    def frozen_postgres(self) -> Iterator[None]:
        """Postgres does not answer for as long as the block lasts, but holds its connections."""
        ended = threading.Event()

        def freeze() -> None:
            # Again and again: whoever is started meanwhile freezes too.
            while not ended.wait(0.02):
                self._all_of_postgres(psutil.Process.suspend)

        thread = threading.Thread(target=freeze)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._all_of_postgres(psutil.Process.resume)

    def _all_of_postgres(self, do: Callable[[psutil.Process], None]) -> None:
        pid = int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        for process in (postmaster, *postmaster.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                do(process)


def _new_key(tenant: str, environment: dict[str, str]) -> str:
    """A key of a tenant, which is made where there is none."""
    found = subprocess.run(
        [sys.executable, "-m", "app", "keys", "create", "--tenant", tenant, "--scopes", "ingest,read,manage,metrics"],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@contextmanager
def staged(at: Surroundings, **settings: str) -> Iterator[Stage]:
    """Put all on the stage, with the rules for these surroundings."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partwise-alerts-")))
        postgres = stack.enter_context(EmbeddedPostgres(home))
        asyncio.run(migrate(postgres.url()))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PARTWISE_", "OTEL_"))},
            **_SETTINGS,
            **settings,
            "DATABASE_URL": postgres.service_url().replace("+asyncpg", ""),
            "PARTWISE_HOME": str(home),
        }
        servers = [Member("serve", f"server-{letter}", home, environment) for letter in "ab"]
        worker = Member("worker", "worker", home, environment)
        for member in (worker, *servers):
            stack.callback(member.end)
            member.start()
        jobs = {SERVER: [one.metrics_port for one in servers], WORKER: [worker.metrics_port]}
        key, other_key = (_new_key(tenant, environment) for tenant in ("read", "unread"))
        scraped = prometheus(home, jobs, written(rule_groups(at)), (servers[1].port, key))
        stage = Stage(home, postgres, servers, worker, stack.enter_context(scraped), key, other_key)
        _wait_seen(stage.prometheus)
        yield stage


def _wait_seen(prometheus: Prometheus) -> None:
    """Wait until it has seen all: before, it takes them to be down."""
    deadline = time.monotonic() + PATIENCE
    while set(prometheus.targets().values()) != {"up"} or prometheus.firing():
        assert time.monotonic() < deadline, (prometheus.targets(), prometheus.firing())
        time.sleep(0.1)
