"""Sends webhooks over HTTP, by aiohttp.

An address is looked at in the moment in which a socket for it is made, whoever has resolved it and whenever: what is
looked at is what is connected to, and a name that leads elsewhere by then gains nothing. Redirects are answers like any
other, proxies and cookies of the surroundings are not used, and of an answer no more is read than is kept.
"""

import asyncio
import errno
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from app.outgoing.addresses import Network, is_own, is_public
from app.outgoing.signing import signatures
from app.ports.sending import Message, Sent, UnfitUrlError
from app.ports.webhooks import Attempt

__all__ = ["HttpSender"]

MOST_READ: Final = 16 * 1024
"""Bytes of an answer's body that are read at most; what is longer is hung up on."""
KEPT_CHARACTERS: Final = 256
_KEEP_ALIVE: Final = 30.0
_NAME_SECONDS: Final = 30
"""Seconds for which the addresses of a name are remembered."""
_NAME_THREADS: Final = 8
_LONGEST_URL: Final = 2_000
_MOST_SECONDS: Final = 3_600.0
_AUTHORITY: Final = re.compile(r"[/?#]")
_HOST: Final = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


class _RefusedAddressError(OSError):
    """Nothing is sent to such an address."""


class _Names(AbstractResolver):
    """Resolves names in threads of their own: names that take long hold up nobody but other names."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_NAME_THREADS, "names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class HttpSender:
    """Keeps the promise of `app.ports.sending.Sender`; with the first message it belongs to the loop that runs."""

    def __init__(self, agent: str, networks: Sequence[Network] = (), seconds: float = 15.0) -> None:
        """Send as some agent.

        Args:
            agent: what the user-agent says.
            networks: that are allowed beside public addresses, over http, too.
            seconds: that a try may take, from the look-up of the name to the end of the answer.
        """
        self._agent = agent
        self._networks = tuple(networks)
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._names = _Names()
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._urls: dict[str, URL] = {}

    def check(self, url: str) -> None:
        """See the port."""
        self._parsed(url)

    async def send(self, url: str, message: Message, secrets: Sequence[bytes]) -> Sent:
        """See the port."""
        now = time.time()
        began = time.perf_counter()
        status: int | None = None
        error: str | None = None
        answer, again_after = "", None
        try:
            target = self._parsed(url)
            headers = {
                "webhook-id": message.message_id,
                "webhook-timestamp": str(int(now)),
                "webhook-signature": signatures(secrets, message.message_id, int(now), message.body),
                "Content-Type": "application/json",
                "User-Agent": self._agent,
                "Accept-Encoding": "identity",
            }
            session = self._sessions.get(target.scheme) or self._opened(target.scheme)
            post = partial(session.post, target, data=message.body, headers=headers, allow_redirects=False)
            try:
                response = await post()
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # Most likely one of those that were kept open, which the receiver has closed meanwhile.
                response = await post()
            async with response:
                kept = await _read(response)
                status = response.status
                if status in (429, 503):
                    again_after = _again_after(response.headers.get("Retry-After"), now)
                if "Content-Encoding" not in response.headers:
                    answer = kept[: 4 * KEPT_CHARACTERS].decode("utf-8", "replace")[:KEPT_CHARACTERS]
        except UnfitUrlError:
            error = "refused_address"
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError, TimeoutError) as raised:
            error = _kind_of(raised)
        took = round((time.perf_counter() - began) * 1000)
        return Sent(Attempt(datetime.fromtimestamp(now, UTC), status, error, took, answer), again_after)

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        await self._names.close()

    def _opened(self, scheme: str) -> aiohttp.ClientSession:
        # Public addresses by TLS alone; without it into one's own networks alone.
        allowed = self._may_connect if scheme == "https" else self._is_own
        made = self._sessions[scheme] = self._session(allowed)
        return made

    def _may_connect(self, address: str) -> bool:
        return is_public(address) or self._is_own(address)

    def _is_own(self, address: str) -> bool:
        return is_own(address, self._networks)

    def _session(self, may_connect: Callable[[str], bool]) -> aiohttp.ClientSession:
        def make_socket(found: Any) -> socket.socket:
            family, kind, proto, _, address = found
            if family not in (socket.AF_INET, socket.AF_INET6) or not may_connect(str(address[0])):
                raise _RefusedAddressError(errno.EACCES, "the address is not allowed")
            made = socket.socket(family, kind, proto)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            return made

        connector = aiohttp.TCPConnector(
            resolver=self._names,
            socket_factory=make_socket,
            ttl_dns_cache=_NAME_SECONDS,
            limit=0,
            keepalive_timeout=_KEEP_ALIVE,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    def _parsed(self, url: str) -> URL:
        found = self._urls.get(url)
        if found is None:
            if len(self._urls) > 10_000:
                self._urls.clear()
            found = self._urls[url] = _parse(url, plain=bool(self._networks))
        return found


def _parse(url: str, *, plain: bool) -> URL:
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise UnfitUrlError(f"must be a URL of at most {_LONGEST_URL} printable characters of ASCII")
    try:
        found = URL(url)
        port = found.port
    except ValueError:
        raise UnfitUrlError("must be a URL") from None
    if found.scheme != "https" and not (plain and found.scheme == "http"):
        raise UnfitUrlError("must begin with https://")
    if "@" in _AUTHORITY.split(url.partition("://")[2], 1)[0]:
        raise UnfitUrlError("must not name a user")
    if "#" in url:
        raise UnfitUrlError("must have no fragment")
    if not found.raw_host or not port or not _HOST.fullmatch(found.host_subcomponent or ""):
        raise UnfitUrlError("must name a host")
    return found


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body; of one that is longer than that, the connection is not used again."""
    found = b""
    while len(found) <= MOST_READ:
        some = await response.content.read(MOST_READ + 1 - len(found))
        if not some:
            return found
        found += some
    response.close()
    return found


def _again_after(said: str | None, now: float) -> float | None:
    """Seconds, an hour at most; the header has a number of them or an instant."""
    if said is None:
        return None
    if said.isdecimal() and len(said) < 10:
        return min(float(said), _MOST_SECONDS)
    try:
        seconds = parsedate_to_datetime(said).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(seconds, _MOST_SECONDS) if seconds > 0 else None


def _kind_of(raised: Exception) -> str:
    if isinstance(raised, TimeoutError):
        return "timeout"
    cause = raised.os_error if isinstance(raised, aiohttp.ClientConnectorError) else raised
    for error in (cause, raised):
        for kind, name in _KINDS:
            if isinstance(error, kind):
                return name
    return "closed"


_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (_RefusedAddressError, "refused_address"),
    (aiohttp.ClientConnectorDNSError, "unresolved"),
    (socket.gaierror, "unresolved"),
    (ssl.SSLError, "tls"),
    (ssl.CertificateError, "tls"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ClientPayloadError, "closed"),
    (aiohttp.ClientResponseError, "malformed"),
    (ValueError, "malformed"),
)
