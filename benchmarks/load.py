"""Requests in a second that a server answers to connections that each ask again at once.

With wrk where there is one (Debian and Ubuntu: apt-get install wrk), else with a loop of our own, which takes more of
the processor away from the servers: compare only what one of them measured.
"""

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httptools

CONNECTIONS = 8
_WRK = shutil.which("wrk")
_SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Request:
    """What is asked over and over: a GET, or a POST of JSON."""

    url: str
    key: str
    body: str | None = None


def tool() -> str:
    return "wrk" if _WRK else "a loop in Python (there is no wrk)"


def rate(request: Request, seconds: float) -> float:
    """Answers in a second; every one of them must be a success."""
    return _by_wrk(request, seconds) if _WRK else asyncio.run(_by_loop(request, seconds))


def _by_wrk(request: Request, seconds: float) -> float:
    environment = {**os.environ, "LOAD_KEY": request.key}
    if request.body is not None:
        environment["LOAD_BODY"] = request.body
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout=30s", "-s", str(_SCRIPT), request.url]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    told = done.stdout + done.stderr
    if done.returncode or "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"{request.url}: {told}")
    return float(re.findall(r"Requests/sec:\s+([0-9.]+)", told)[0])


async def _by_loop(request: Request, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    address = urlsplit(request.url)
    made = [_Asker(request) for _ in range(CONNECTIONS)]
    for one in made:
        await loop.create_connection(partial(_same, one), address.hostname or "", address.port or 80)
    began = loop.time()
    await asyncio.sleep(seconds)
    answered, took = sum(one.answered for one in made), loop.time() - began
    for one in made:
        one.end()
    if any(one.failed for one in made):
        raise RuntimeError(f"{request.url}: {next(one.failed for one in made if one.failed)}")
    return answered / took


def _same(one: "_Asker") -> "_Asker":
    return one


class _Asker(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: Request) -> None:
        address = urlsplit(request.url)
        body = (request.body or "").encode()
        target = address.path + (f"?{address.query}" if address.query else "")
        lines = [
            f"{'GET' if request.body is None else 'POST'} {target} HTTP/1.1",
            f"Host: {address.netloc}",
            f"Authorization: Bearer {request.key}",
        ]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        self._bytes = "\r\n".join([*lines, "", ""]).encode() + body
        self.answered = 0
        self.failed = ""
        self._ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        transport.write(self._bytes)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 300:
            self.failed = f"status {self._parser.get_status_code()}"
        self.answered += 1
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(self._bytes)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ending:
            self.failed = f"the connection ended: {error}"

    def end(self) -> None:
        self._ending = True
        self._transport.abort()
