"""A long NDJSON stream, killed in the middle and sent again: memory, speed, and every event exactly once.

python -m benchmarks.stream [EVENTS]
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from app.embedded import EmbeddedPostgres
from tests.service import UNBOUND, Service, running

EVENTS = 1_000_000
CLIENTS = 1_000
CHUNK_LINES = 500
BEGIN = datetime(2024, 1, 1, 9, tzinfo=UTC)


def line(number: int) -> bytes:
    """The event of a number, always the same."""
    client = f"client-{number % CLIENTS}"
    kind, data = (
        ("message.received", {"channel": "email", "urgent": number % 17 == 0}),
        ("time.logged", {"hours": "1.5", "billable": True}),
        (
            "invoice.issued",
            {"invoice": f"I-{number}", "amount": "1200.00", "currency": "EUR", "due_date": "2024-06-01"},
        ),
        ("invoice.paid", {"invoice": f"I-{number - 1}"}),
    )[number % 4]
    at = BEGIN + timedelta(minutes=number)
    event = {"specversion": "1.0", "id": f"e-{number}", "source": "/bench", "type": kind, "subject": client}
    return json.dumps({**event, "time": at.isoformat(), "data": data}).encode()


def chunks(events: int) -> Iterator[bytes]:
    for start in range(0, events, CHUNK_LINES):
        yield b"\n".join(line(n) for n in range(start, min(start + CHUNK_LINES, events))) + b"\n"


@dataclass
class Sending:
    """One sending of the stream, read while it is written."""

    acknowledged: set[int] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    summary: dict[str, object] | None = None
    memory: list[int] = field(default_factory=list)
    seconds: float = 0.0

    async def run(self, service: Service, key: str, events: int, kill_after: int | None = None) -> None:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, limit=2**20)
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(head.encode())
        sending = asyncio.create_task(self._write(writer, service, events))
        try:
            async for answer in _lines(reader):
                self._note(answer)
                if kill_after is not None and len(self.acknowledged) >= kill_after:
                    service.kill()
                    kill_after = None
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
        self.seconds = time.monotonic() - began

    async def _write(self, writer: asyncio.StreamWriter, service: Service, events: int) -> None:
        for number, chunk in enumerate(chunks(events)):
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
            if number % 20 == 0:
                self.memory.append(service.memory())
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _note(self, answer: dict[str, object]) -> None:
        if "line" not in answer:
            self.summary = answer
            return
        self.outcomes[str(answer["status"])] += 1
        if answer["status"] in ("accepted", "duplicate"):
            self.acknowledged.add(int(str(answer["line"])) - 1)


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[dict[str, object]]:
    """The lines of a chunked answer."""
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    rest = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data = rest + await reader.readexactly(size)
        await reader.readexactly(2)
        *whole, rest = data.split(b"\n")
        for one in whole:
            yield json.loads(one)


async def stored(service: Service) -> tuple[int, int]:
    """How many events are in the database, and how many different ones."""
    postgres = EmbeddedPostgres(service.home)
    url = postgres.start().replace("+asyncpg", "")
    try:
        connection = await asyncpg.connect(url)
        row = await connection.fetchrow("select count(*), count(distinct id) from event where source = '/bench'")
        await connection.close()
    finally:
        postgres.stop()
    return row[0], row[1]


def _report(name: str, sending: Sending) -> None:
    count = sum(sending.outcomes.values())
    mib = [each / 2**20 for each in sending.memory]
    tenth = max(len(mib) // 10, 1)
    print(
        f"{name}: {count:,} answers in {sending.seconds:.1f} s ({count / sending.seconds:,.0f}/s), "
        f"{dict(sending.outcomes)}; server memory {mib[0]:.0f} MiB at first, {sum(mib[:tenth]) / tenth:.0f} "
        f"in the first tenth, {sum(mib[-tenth:]) / tenth:.0f} in the last, {max(mib):.0f} at most",
        flush=True,
    )


async def main(events: int) -> None:
    with running(**UNBOUND) as service:
        key = service.key("stream")
        first = Sending()
        await first.run(service, key, events, kill_after=random.Random(events).randrange(events // 4, events // 2))
        _report("killed  ", first)
        service.start()
        again = Sending()
        await again.run(service, key, events)
        _report("resumed ", again)
        print(f"          summary {again.summary}")
        lost = len(first.acknowledged) - again.outcomes["duplicate"]
        rows, different = await stored(service)
        print(f"acknowledged before the kill {len(first.acknowledged):,}", end="; ")
        print(f"answered `duplicate` after it {again.outcomes['duplicate']:,}")
        print(f"stored {rows:,}, different {different:,}, sent {events:,}")
        assert lost <= 0, "an acknowledged event was not there"
        assert rows == different == events, "an event is missing or there twice"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))
