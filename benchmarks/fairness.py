"""One key asks for twice its limit, the others go on: python -m benchmarks.fairness [SECONDS [LIMIT]].

Two tenants read scores and send events at an even pace, first in quiet, then for SECONDS while a third one sends twice
as many requests as LIMIT lets it (requests in a second), without ever waiting; then in quiet again. Each request has
its time, and what it takes counts from then on, however late it was sent. What it comes to is the ratio of the 99th
percentiles; beyond 1.5 the command fails.

The sender is a process of its own, and so is each neighbour's measurement from the server: on a machine with few cores
they compete all the same, so ask nothing else of it meanwhile.
"""

import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path

import psutil

from tests.cloud_events import STRUCTURED, cloud_event
from tests.service import Service, free_port

SECONDS = 60.0
LIMIT = 50
WINDOW = 10
MOST = 1.5
"""What the ratio may be at most."""
PACE = 20.0
"""Requests of a neighbour in a second."""
CONNECTIONS = 8
NEIGHBOURS = ("neighbour-1", "neighbour-2")


class Connection:
    """One connection that is kept, the shortest way: what is measured is the server."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = f"Host: x\r\nAuthorization: Bearer {key}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, body: bytes | None = None) -> int:
        """Ask, and return the status once the answer is whole."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        if body is None:
            writer.write(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        else:
            head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Type: {STRUCTURED}\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        return int(answer[9:12])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


@dataclass
class Took:
    """Milliseconds of each request, by what was asked, and how they were answered."""

    times: dict[str, list[float]] = field(default_factory=lambda: {"read": [], "write": []})
    statuses: Counter[int] = field(default_factory=Counter)

    def __add__(self, other: "Took") -> "Took":
        times = {name: self.times[name] + other.times[name] for name in self.times}
        return Took(times, self.statuses + other.statuses)

    def percentile(self, share: float, *names: str) -> float:
        found = sorted(one for name in names or self.times for one in self.times[name])
        return found[min(len(found) - 1, int(len(found) * share))]


async def paced(  # noqa: PLR0917 - where, who, what and how fast
    port: int, key: str, name: str, pace: float, seconds: float, reads: Callable[[int], bool]
) -> Took:
    """Ask at an even pace, each on a connection that is free; what waits for one is late, and counts so."""
    loop, took = asyncio.get_running_loop(), Took()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    made = [Connection(port, key) for _ in range(CONNECTIONS)]
    for one in made:
        free.put_nowait(one)
    began = loop.time()

    async def one_request(number: int) -> None:
        due = began + number / pace
        await asyncio.sleep(max(0.0, due - loop.time()))
        connection = await free.get()
        try:
            if reads(number):
                status = await connection.ask("/v1/clients/client-1/score")
            else:
                client = f"client-{number % 50}"
                event = cloud_event(f"{name}-{os.getpid()}-{began}-{number}", "call.received", client)
                status = await connection.ask("/v1/events", json.dumps(event).encode())
        finally:
            free.put_nowait(connection)
        took.statuses[status] += 1
        took.times["read" if reads(number) else "write"].append((loop.time() - due) * 1000)

    # In parts, so that there are not too many tasks at once.
    total = int(pace * seconds)
    waiting: set[asyncio.Task[None]] = set()
    for number in range(total):
        await asyncio.sleep(max(0.0, began + number / pace - loop.time() - 0.05))
        task = asyncio.create_task(one_request(number))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    for one in made:
        one.close()
    return took


def send_too_much(port: int, key: str, pace: float, seconds: float, told: "Queue[Counter[int]]") -> None:
    """What the sender's process does."""
    told.put(asyncio.run(paced(port, key, "noisy", pace, seconds, lambda number: False)).statuses)


async def neighbours(port: int, keys: dict[str, str], seconds: float) -> Took:
    """What all neighbours together see."""
    each = (paced(port, keys[name], name, PACE, seconds, lambda number: number % 2 == 0) for name in NEIGHBOURS)
    first, second = await asyncio.gather(*each)
    return first + second


def line(name: str, took: Took) -> None:
    parts = [f"{took.percentile(0.5, *of):7.1f}{took.percentile(0.99, *of):8.1f}" for of in ((), ("read",), ("write",))]
    print(f"{name:24}" + "   ".join(parts), flush=True)


def fairness(seconds: float = SECONDS, limit: int = LIMIT) -> float:
    """Measure, print and return the ratio."""
    with tempfile.TemporaryDirectory(prefix="partwise-bench-") as folder:
        settings = {"PARTWISE_RATE_LIMITS": f"burst={limit * WINDOW}/{WINDOW}"}
        service = Service(Path(folder), free_port(), settings=settings)
        service.start()
        try:
            return _measured(service, seconds, limit)
        finally:
            service.stop()


def _measured(service: Service, seconds: float, limit: int) -> float:
    names = (*NEIGHBOURS, "noisy")
    keys = {name: service.key(name) for name in names}
    for name in names:
        # There is something to read, and all is warm.
        asyncio.run(paced(service.port, keys[name], name, PACE, 3, lambda number: False))
    quiet_seconds = max(3.0, seconds / 3)
    print(f"{'ms':24}{'p50':>7}{'p99':>8}   {'read':>7}{'p99':>8}   {'write':>7}{'p99':>8}", flush=True)
    before = asyncio.run(neighbours(service.port, keys, quiet_seconds))
    line("quiet", before)

    told: Queue[Counter[int]] = multiprocessing.Queue()
    sender = multiprocessing.Process(
        target=send_too_much, args=(service.port, keys["noisy"], 2.0 * limit, seconds + 1, told)
    )
    assert service.process is not None
    server = psutil.Process(service.process.pid)
    busy = sum(server.cpu_times()[:2])
    sender.start()
    loaded = asyncio.run(neighbours(service.port, keys, seconds))
    busy = sum(server.cpu_times()[:2]) - busy
    statuses = told.get(timeout=120)
    sender.join()
    line("beside twice the limit", loaded)
    after = asyncio.run(neighbours(service.port, keys, quiet_seconds))
    line("quiet again", after)

    quiet = before + after
    let_in, refused = sum(statuses.values()) - statuses[429], statuses[429]
    # At most one window more than there is time for, and a hundredth.
    most = limit * WINDOW * (int((seconds + 1) / WINDOW) + 2) * 1.01
    print(f"the sender: {let_in + refused:,} requests in {seconds + 1:g} s, {let_in:,} let in, {refused:,} refused")
    print(f"the server: {busy / seconds:.0%} of a core meanwhile")
    ratio = loaded.percentile(0.99) / quiet.percentile(0.99)
    print(f"p99 of the neighbours: {quiet.percentile(0.99):.1f} ms in quiet, {loaded.percentile(0.99):.1f} ms then")
    print(f"ratio of the p99: {ratio:.2f} (at most {MOST})")
    failed = {status for status in (quiet + loaded).statuses if status not in (200, 201)}
    if not refused:
        print("nothing was refused: this machine is too busy to send so much")
        return MOST * 2
    if failed or set(statuses) - {201, 429} or let_in > most:
        raise RuntimeError(f"answered otherwise than expected: neighbours {failed or 'well'}, the sender {statuses}")
    return ratio


if __name__ == "__main__":
    given = sys.argv[1:]
    found = fairness(float(given[0]) if given else SECONDS, int(given[1]) if given[1:] else LIMIT)
    sys.exit(found > MOST)
