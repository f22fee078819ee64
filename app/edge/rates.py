"""What rates say in HTTP: the fields of every answer, and refusals before anything else is done.

A key that has nothing left is refused here, as near to the front as it can be, before its body is read. So are requests
with keys that nobody knows, from an address that sent too many that did not count: looking one up takes a statement.
A key that was found good lately passes, whoever else is behind the same address.
"""

import hashlib
import ipaddress
import math
import time
from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.ports.rates import Unit
from app.rest.noted import note_problem
from app.rest.problem_types import RATE_LIMITED, TOO_MANY_FAILED_ATTEMPTS, ProblemType
from app.rest.problems import problem_body
from app.services import ALLOWANCE, DOOR
from app.use_cases.errors import RateLimitedError
from app.use_cases.rates import Allowance
from app.use_cases.recent import Recent

__all__ = ["RateGate", "client_address"]

_MOST_KNOWN: Final = 20_000
_MOST_ADDRESSES: Final = 20_000
_WINDOW: Final = 60.0
_UNAUTHENTICATED: Final = 401


class RateGate:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp, failed_attempts: int, trusted_proxies: int) -> None:
        """Stand in front of an application.

        Args:
            app: the application.
            failed_attempts: with keys that do not count, from one address in a minute.
            trusted_proxies: see `client_address`.
        """
        self._app = app
        self._failed_attempts = failed_attempts
        self._trusted_proxies = trusted_proxies
        # By digests of the whole field: what is kept at hand is no secret.
        self._known: Recent[bytes, Allowance] = Recent(_MOST_KNOWN)
        self._failed: Recent[str, tuple[float, int]] = Recent(_MOST_ADDRESSES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let in and tell what is left."""
        if scope["type"] != "http" or not scope["path"].startswith(("/v1/", "/graphql")):
            if scope["type"] == "websocket":
                scope.setdefault("state", {})[DOOR] = _Door(self, scope)
            await self._app(scope, receive, send)
            return
        field = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        digest = hashlib.blake2b(field, digest_size=16).digest() if field else b""
        state = scope.setdefault("state", {})
        known = self._known.get(digest)
        if known is not None:
            try:
                known.check(Unit.REQUESTS)
            except RateLimitedError as error:
                await _refuse(scope, send, RATE_LIMITED, str(error), error.wait, _fields(known), error.policy)
                return
        elif field and (wait := self._shut_for(scope)):
            detail = f"too many requests with keys that do not count; come again in {wait} s"
            await _refuse(scope, send, TOO_MANY_FAILED_ATTEMPTS, detail, wait)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                allowance = state.get(ALLOWANCE)
                if allowance is not None:
                    message = {**message, "headers": [*message["headers"], *_fields(allowance)]}
                    if known is not allowance:
                        self._known.put(digest, allowance)
                elif field and message["status"] == _UNAUTHENTICATED:
                    self._note_failure(scope)
            await send(message)

        await self._app(scope, receive, told)

    def check(self, scope: Scope, secret: str) -> None:
        """See whether a key or token may be looked at that is presented later than in the head of a request.

        Raises:
            RateLimitedError: too many that did not count came from where it is presented.
        """
        if self._known.get(_digest_of(secret)) is None and (wait := self._shut_for(scope)):
            detail = f"too many requests with keys that do not count; come again in {wait} s"
            raise RateLimitedError(detail, "failed-attempts", wait)

    def passed(self, secret: str, allowance: Allowance) -> None:
        """It counted."""
        self._known.put(_digest_of(secret), allowance)

    def failed(self, scope: Scope) -> None:
        """It did not."""
        self._note_failure(scope)

    def _shut_for(self, scope: Scope) -> int:
        """For how many seconds nobody new is let in from where somebody asks; mostly 0."""
        found = self._failed.get(client_address(scope, self._trusted_proxies))
        if found is None or found[1] < self._failed_attempts:
            return 0
        return max(0, math.ceil(found[0] - time.monotonic()))

    def _note_failure(self, scope: Scope) -> None:
        address, now = client_address(scope, self._trusted_proxies), time.monotonic()
        ends, count = self._failed.get(address) or (0.0, 0)
        self._failed.put(address, (ends, count + 1) if now < ends else (now + _WINDOW, 1))


class _Door:
    """Keeps the promise of `app.services.Door`, of one connection."""

    def __init__(self, gate: RateGate, scope: Scope) -> None:
        self._gate = gate
        self._scope = scope

    def check(self, secret: str) -> None:
        self._gate.check(self._scope, secret)

    def failed(self) -> None:
        self._gate.failed(self._scope)

    def passed(self, secret: str, allowance: Allowance) -> None:
        self._gate.passed(secret, allowance)


def _digest_of(secret: str) -> bytes:
    """That of the field that it would be presented by in the head of a request."""
    return hashlib.blake2b(f"Bearer {secret}".encode("latin-1", "replace"), digest_size=16).digest()


def client_address(scope: Scope, trusted_proxies: int) -> str:
    """Where a request comes from: of IPv6 the network of /64, which one client has to itself.

    Args:
        scope: of the request.
        trusted_proxies: how many proxies stand in front of us; each appends whom it was asked by to X-Forwarded-For, so
            that what the outermost saw stands at that place from the end. What stands before it anybody can write.
    """
    peer = scope.get("client")
    address: str = peer[0] if peer else ""
    if trusted_proxies:
        fields = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = [hop.strip() for hop in b",".join(fields).decode("latin-1").split(",")] if fields else []
        if hops:
            address = hops[-min(trusted_proxies, len(hops))]
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)


def _fields(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    if not allowance.buckets:
        return []
    return [(b"ratelimit-policy", allowance.policy_field), (b"ratelimit", allowance.rate_field())]


async def _refuse(  # noqa: PLR0917 - what a refusal says
    scope: Scope,
    send: Send,
    kind: ProblemType,
    detail: str,
    wait: int,
    fields: list[tuple[bytes, bytes]] | None = None,
    policy: str | None = None,
) -> None:
    note_problem(scope, kind)
    media, body = b"application/problem+json", _problem(kind, detail, policy)
    if not scope["path"].startswith("/v1/"):
        code = kind.slug.replace("-", "_").upper()
        media, body = (
            b"application/json",
            {"errors": [{"message": detail, "extensions": {"code": code, "retryAfter": wait}}]},
        )
    content = orjson.dumps(body)
    headers = [
        (b"content-type", media),
        (b"content-length", str(len(content)).encode()),
        (b"retry-after", str(wait).encode()),
        *(fields or []),
    ]
    await send({"type": "http.response.start", "status": kind.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


def _problem(kind: ProblemType, detail: str, policy: str | None) -> Mapping[str, Any]:
    body = problem_body(kind, detail)
    return body if policy is None else body | {"violated-policies": [policy]}
