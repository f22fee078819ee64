"""A stage for webhooks: many cheap receivers in a process of their own, workers, and changes of assessments.

As a program it is the receivers: `python -m tests.webhook_stage PORT FILE BEHAVIOUR…`, one for each `/hook/<number>`:

- `well` answers at once;
- `slow` answers after two seconds, until it is told to be quick: `POST /quick`;
- `failing` answers 503 to the first requests;
- `hung` never answers.

`GET /count` tells how many different changes each has; at its end it writes all that came to the file.
"""

import asyncio
import base64
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from app.core.verdict import Verdict
from app.outgoing.signing import key_of, signatures
from app.store.assessments import PostgresAssessments
from app.store.change_notices import PostgresChangeNotices
from app.store.engine import make_engine
from app.store.ledger import PostgresLedger
from app.store.reads import Reads
from app.store.writes import Writes
from app.wire.assessments import PackedAssessments
from tests.ledgers import DECODER
from tests.service import free_port
from tests.store.test_assessments import made
from tests.store.test_ledger import event

__all__ = ["SECRET", "Came", "Receivers", "Stage", "Workers", "judged"]

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
SLOW_SECONDS = 2.0
FAILS = 3
CHECKED = 50
"""Of so many requests the signature of one is verified: verifying all would take longer than receiving them."""

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nlate"


# --------------------------------------------------------------------------------------------------- the receivers


@dataclass
class Hook:
    """What came to one: places of changes with when, the ids by which they came, and how often one came again."""

    behaviour: str
    places: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[float]" = field(default_factory=lambda: array("d"))
    ids: dict[int, bytes] = field(default_factory=dict)
    requests: int = 0
    faults: list[str] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """Reads requests as our client sends them, without more of HTTP than that."""

    def __init__(self, hooks: "Hooks") -> None:
        self._hooks = hooks
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = int(_header(head, b"Content-Length") or 0)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._hooks.came(self._transport, head, body)


class Hooks:
    def __init__(self, behaviours: Sequence[str]) -> None:
        self.hooks = [Hook(one) for one in behaviours]
        self.delay = SLOW_SECONDS
        self._key = key_of(SECRET)

    def came(self, transport: Any, head: bytes, body: bytes) -> None:
        path = head[: head.index(b"\r\n")].split(b" ")[1]
        if path == b"/count":
            return self._answer(transport, json.dumps([len(hook.ids) for hook in self.hooks]).encode())
        if path == b"/quick":
            self.delay = 0.0
            return self._answer(transport, b"{}")
        hook = self.hooks[int(path[6:])]
        hook.requests += 1
        if hook.behaviour == "hung":
            return None
        if hook.behaviour == "failing" and hook.requests <= FAILS:
            transport.write(FAILED)
            return None
        self._note(hook, head, body)
        if hook.behaviour == "slow" and self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._take, transport)
        else:
            transport.write(TAKEN)
        return None

    def _take(self, transport: Any) -> None:
        if not transport.is_closing():
            transport.write(TAKEN)

    def _note(self, hook: Hook, head: bytes, body: bytes) -> None:
        begins = body.index(b'"id":"') + 6
        place = int(body[begins : body.index(b'"', begins)])
        message_id = _header(head, b"webhook-id") or b""
        if hook.ids.setdefault(place, message_id) != message_id:
            hook.faults.append(f"{place} came by two ids")
        hook.places.append(place)
        hook.times.append(time.time())
        if hook.requests % CHECKED == 1:
            timestamp = int(_header(head, b"webhook-timestamp") or 0)
            wanted = signatures([self._key], message_id.decode(), timestamp, body).encode()
            if wanted != _header(head, b"webhook-signature"):
                hook.faults.append(f"{place} is signed by somebody else")

    @staticmethod
    def _answer(transport: Any, body: bytes) -> None:
        transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def _header(head: bytes, name: bytes) -> bytes | None:
    begins = head.find(b"\r\n" + name + b": ")
    if begins < 0:
        return None
    begins += len(name) + 4
    end = head.find(b"\r\n", begins)
    return head[begins:] if end < 0 else head[begins:end]


async def _receive(port: int, file: Path, behaviours: Sequence[str]) -> None:
    hooks = Hooks(behaviours)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Connection(hooks), "127.0.0.1", port, backlog=1000)
    await ended.wait()
    server.close()
    found = [(one.places, one.times, one.ids, one.requests, one.faults) for one in hooks.hooks]
    await asyncio.to_thread(file.write_bytes, pickle.dumps(found))


@dataclass(frozen=True)
class Came:
    """What came to one receiver: the first time of each change, in the order in which they came, and what was wrong."""

    behaviour: str
    first: dict[int, float]
    requests: int
    faults: list[str]


class Receivers:
    """The program, for as long as the block lasts; `dead` ones are at a port where nobody listens."""

    def __init__(self, folder: Path, behaviours: Sequence[str]) -> None:
        self.behaviours = list(behaviours)
        self._port, self._dead = free_port(), free_port()
        self._file = folder / f"came-{self._port}.pickle"

    def __enter__(self) -> "Receivers":
        command = [sys.executable, "-m", "tests.webhook_stage", str(self._port), str(self._file), *self.behaviours]
        self._process = subprocess.Popen(command)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.counts()
                return self
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def url(self, number: int) -> str:
        port = self._dead if self.behaviours[number] == "dead" else self._port
        return f"http://127.0.0.1:{port}/hook/{number}"

    @property
    def live(self) -> list[int]:
        """Those that take messages, sooner or later."""
        return [n for n, behaviour in enumerate(self.behaviours) if behaviour not in ("dead", "hung")]

    def counts(self) -> list[int]:
        found: list[int] = httpx.get(f"http://127.0.0.1:{self._port}/count", timeout=30).json()
        return found

    def be_quick(self) -> None:
        httpx.post(f"http://127.0.0.1:{self._port}/quick", timeout=30).raise_for_status()

    def end(self) -> list[Came]:
        """End it; what came."""
        self._process.terminate()
        assert self._process.wait(60) == 0
        found = []
        rows = pickle.loads(self._file.read_bytes())
        for behaviour, (places, times, _, requests, faults) in zip(self.behaviours, rows, strict=True):
            first: dict[int, float] = {}
            for place, at in zip(places, times, strict=True):
                first.setdefault(place, at)
            found.append(Came(behaviour, first, requests, faults))
        return found


# --------------------------------------------------------------------------------------------- webhooks and changes


class Stage:
    """A tenant with clients and webhooks, in a database that the migrations have made.

    Attributes:
        tenant: its id.
    """

    def __init__(self, service_url: str, administrator_url: str) -> None:
        self.tenant = "stage"
        self.url = service_url
        self._administrator_url = administrator_url.replace("+asyncpg", "")

    async def set(self, urls: Sequence[str], clients: int) -> None:
        """Make webhooks, which ask for everything, and clients without an assessment."""
        engine, reads, writes = make_engine(self.url, 2), Reads(self.url, 2), Writes(self.url, 2, 30)
        ledger = PostgresLedger(engine, writes, DECODER.load)
        for begins in range(0, clients, 500):
            some = range(begins, min(begins + 500, clients))
            await ledger.append(self.tenant, [event(number, f"client-{number}") for number in some])
        await writes.close()
        await reads.close()
        await engine.dispose()
        connection = await asyncpg.connect(self._administrator_url)
        try:
            # What changes is what the stage says; nobody assesses beside.
            await connection.execute("UPDATE client SET due_at = 'infinity'")
            await connection.execute("UPDATE portfolio SET due_at = 'infinity'")
            for number, url in enumerate(urls):
                name = f"wh_{number:03}"
                await connection.execute(
                    "INSERT INTO webhook VALUES ($1, $2, $3, '', '{assessment.changed}', '{}', '{}', '{}', '{}', "
                    "'enabled', now(), 1)",
                    self.tenant,
                    name,
                    url,
                )
                await connection.execute(
                    "INSERT INTO webhook_secret VALUES ($1, $2, 1, $3, now())", self.tenant, name, SECRET
                )
                await connection.execute(
                    "INSERT INTO webhook_progress (tenant_id, webhook_id, place) VALUES ($1, $2, 0)", self.tenant, name
                )
        finally:
            await connection.close()

    async def change(self, changes: int, clients: int, a_second: float, done: int = 0) -> None:
        """Change the verdicts of clients in turn at a steady rate, through the store's own way, after those done."""
        engine, reads, notices = make_engine(self.url, 2), Reads(self.url, 2), PostgresChangeNotices(self.url)
        assessments = PostgresAssessments(engine, reads, PackedAssessments(), notices.tell)
        verdicts = list(Verdict)
        far = datetime.now(UTC) + timedelta(days=300)
        began, before = time.monotonic(), done
        while done < changes:
            wanted = min(changes, before + int((time.monotonic() - began) * a_second) + 1)
            some = []
            for number in range(done, min(wanted, done + 100, done + clients)):
                turn, client = divmod(number, clients)
                one = made(
                    f"client-{client}",
                    score=float(10 + 20 * (turn % 4)),
                    verdict=verdicts[turn % 4],
                    as_of=datetime.now(UTC),
                )
                some.append(replace(one, holds_until=far))
            await assessments.keep(self.tenant, some)
            done += len(some)
            await asyncio.sleep(0.05)
        await notices.close()
        await reads.close()
        await engine.dispose()

    async def changes(self) -> dict[int, tuple[str, float]]:
        """All changes of the feed: the client and the instant of each place."""
        return {
            row["place"]: (row["client_id"], row["at"].timestamp())
            for row in await self.rows("SELECT place, client_id, at FROM assessment_change ORDER BY place")
        }

    async def owners(self) -> list[str]:
        """The workers that own webhooks at present."""
        rows = await self.rows("SELECT DISTINCT owner FROM webhook_progress WHERE owner IS NOT NULL ORDER BY 1")
        return [row["owner"] for row in rows]

    async def rows(self, statement: str) -> list[Any]:
        """What a statement finds, of all tenants."""
        connection = await asyncpg.connect(self._administrator_url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()


class Workers:
    """Worker processes that are killed and started again."""

    def __init__(self, folder: Path, service_url: str, number: int, **settings: str) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "DATABASE_URL": service_url,
            "PARTWISE_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "PARTWISE_LOG_FORMAT": "json",
            **settings,
        }
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * number
        self._starts = [0] * number

    def start(self, number: int) -> None:
        self._starts[number] += 1
        with (self._folder / f"worker-{number}.log").open("ab") as log:
            self._processes[number] = subprocess.Popen(
                [sys.executable, "-m", "app", "worker"], env=self._environment, stdout=log, stderr=log
            )

    def are_working(self) -> bool:
        """Whether all have got so far that they end cleanly when they are told to."""
        logs = [(self._folder / f"worker-{number}.log").read_text() for number in range(len(self._starts))]
        return all(log.count('"working"') == starts for log, starts in zip(logs, self._starts, strict=True))

    def kill(self, number: int) -> None:
        process = self._processes[number]
        assert process is not None
        assert process.poll() is None, self.logs()
        process.kill()
        process.wait()

    @contextmanager
    def running(self) -> Iterator["Workers"]:
        for number in range(len(self._processes)):
            self.start(number)
        try:
            yield self
            for process in self._processes:
                assert process is not None
                process.terminate()
                assert process.wait(30) == 0, self.logs()
        finally:
            for process in self._processes:
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()

    def logs(self) -> str:
        return "".join(file.read_text()[-3000:] for file in sorted(self._folder.glob("worker-*.log")))


def judged(came: Came, changes: dict[int, tuple[str, float]]) -> list[str]:
    """What is wrong with what came to a live receiver; nothing, as it should be."""
    faults = list(came.faults)
    missing = changes.keys() - came.first.keys()
    if missing:
        faults.append(f"{len(missing)} changes never came, such as {sorted(missing)[:5]}")
    if more := came.first.keys() - changes.keys():
        faults.append(f"{len(more)} came that never were")
    newest: dict[str, int] = {}
    for place in came.first:
        client = changes[place][0] if place in changes else ""
        if newest.get(client, 0) > place:
            faults.append(f"{place} came after {newest[client]}")
        newest[client] = place
    return faults[:10]


if __name__ == "__main__":
    import uvloop

    uvloop.run(_receive(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
