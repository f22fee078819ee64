"""A thousand subscriptions on one server: python -m benchmarks.subscriptions [SUBSCRIPTIONS] [CHANGES].

What each takes of the server's memory, over WebSocket and over Server-Sent Events, each on a connection of its own; and
how long one change takes from when it is told to us until the first, half of and all followers have it. The followers
are in a process of their own, and on the same machine: what they take of it is in the times.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from websockets.frames import Frame, Opcode

from tests.cloud_events import cloud_event
from tests.service import UNBOUND, Service, running

SUBSCRIPTIONS = 1_000
CHANGES = 20
KIB = 1024
QUERY = "subscription { scoreChanged { cursor changes { id clientId after { score verdict } } } }"
_SETTLED_SECONDS = 2.0


@dataclass
class Followers:
    """Those that are open: when each last had a change, and who waits for all of them."""

    wanted: int = 0
    times: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def had_one(self) -> None:
        self.times.append(time.perf_counter())
        if len(self.times) >= self.wanted:
            self.done.set()

    def expect(self, count: int) -> None:
        self.wanted = count
        self.times.clear()
        self.done.clear()


async def socket(service: Service, key: str, followers: Followers) -> asyncio.Task[None]:
    """Subscribe over WebSocket; as little work as can be for each payload, so that the server's is what is measured."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    fields = (
        b"GET /graphql HTTP/1.1",
        b"host: x",
        b"connection: upgrade",
        b"upgrade: websocket",
        b"sec-websocket-version: 13",
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        b"sec-websocket-protocol: graphql-transport-ws",
    )
    writer.write(b"\r\n".join((*fields, b"", b"")))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    for message in (
        {"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}},
        {"id": "1", "type": "subscribe", "payload": {"query": QUERY}},
    ):
        writer.write(Frame(Opcode.TEXT, json.dumps(message).encode()).serialize(mask=True, extensions=[]))
    await reader.readuntil(b'"changes":[]}}}}')

    async def follow() -> None:
        while data := await reader.read(65536):
            if b'"changes":[{' in data:
                followers.had_one()
        writer.close()

    return asyncio.create_task(follow())


async def stream(service: Service, key: str, followers: Followers) -> asyncio.Task[None]:
    """The same over Server-Sent Events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    body = json.dumps({"query": QUERY}).encode()
    writer.write(
        b"POST /graphql HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
    )
    await reader.readuntil(b'"changes":[]}}}')

    async def follow() -> None:
        while data := await reader.read(65536):
            if b'"changes":[{' in data:
                followers.had_one()
        writer.close()

    return asyncio.create_task(follow())


Opening = Callable[[Service, str, Followers], Awaitable["asyncio.Task[None]"]]


async def measure(name: str, opening: Opening, count: int, changes: int) -> str:
    settings = {
        **UNBOUND,
        "PARTWISE_CONNECTIONS": str(count + 100),
        "PARTWISE_SUBSCRIPTIONS_OF_TENANT": str(count),
        "PARTWISE_SUBSCRIPTIONS_OF_KEY": str(count),
    }
    with running(**settings) as service:
        key = service.key("subscriptions")
        followers = Followers()
        # What is loaded and kept by the first ones is not counted with the others.
        first = [await opening(service, key, followers) for _ in range(10)]
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60) as api:
            await change(api, followers, 10, "warm")
            await asyncio.sleep(_SETTLED_SECONDS)
            before = service.memory()
            began = time.perf_counter()
            tasks = [await opening(service, key, followers) for _ in range(count - len(first))]
            opened = time.perf_counter() - began
            await asyncio.sleep(_SETTLED_SECONDS)
            quiet = service.memory()
            found = [await change(api, followers, count, f"{number}") for number in range(changes)]
            await asyncio.sleep(_SETTLED_SECONDS)
            after = service.memory()
        for task in (*first, *tasks):
            task.cancel()
        await asyncio.gather(*first, *tasks, return_exceptions=True)
    each, then = ((one - before) / len(tasks) / KIB for one in (quiet, after))
    told = [f"{statistics.median(times) * 1000:.0f}" for times in zip(*found, strict=True)]
    worst = max(times[-1] for times in found) * 1000
    return (
        f"| {name} | {count:,} | {before / KIB**2:.0f} | {after / KIB**2:.0f} | {each:.1f} | {then:.1f} "
        f"| {len(tasks) / opened:,.0f} | {' | '.join(told)} | {worst:.0f} |"
    )


async def change(
    api: httpx.AsyncClient, followers: Followers, count: int, name: str
) -> tuple[float, float, float, float]:
    """Let one assessment change: seconds from then until it is listed, and until the first, half and all have it."""
    followers.expect(count)
    began = time.perf_counter()
    (await api.post("/v1/events", json=cloud_event(name, "contract.sent", f"client-{name}"))).raise_for_status()
    # Whoever lists clients has them assessed at once.
    (await api.get("/v1/clients?limit=1")).raise_for_status()
    listed = time.perf_counter() - began
    async with asyncio.timeout(60):
        await followers.done.wait()
    times = sorted(one - began for one in followers.times)
    return listed, times[0], times[len(times) // 2], times[-1]


async def main(count: int, changes: int) -> None:
    print(
        "| over | subscriptions | MiB without | MiB with | KiB each, quiet | KiB each, after changes | opened a second "
        "| ms until listed | first has it | half have it | all have it | worst |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    print(await measure("WebSocket", socket, count, changes), flush=True)
    print(await measure("Server-Sent Events", stream, count, changes), flush=True)


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    asyncio.run(main(*(numbers + [SUBSCRIPTIONS, CHANGES][len(numbers) :])))
