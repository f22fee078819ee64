"""`Idempotency-Key`: a POST may be sent again, and is done once (draft-ietf-httpapi-idempotency-key-header)."""

import re
import zlib
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import unquote

import msgspec
from fastapi import Depends, Request
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.ports.ledger import StoreUnavailableError
from app.ports.requests import RequestKey
from app.rest.bodies import announced_size, read_body
from app.rest.problem_types import IDEMPOTENCY_IN_FLIGHT, IDEMPOTENCY_KEY_REUSED, MALFORMED_REQUEST
from app.rest.problems import HttpError, answer_to
from app.rest.services import require_scope
from app.services import Services, let_in
from app.use_cases.errors import ForbiddenError, PartwiseError, UnauthenticatedError
from app.use_cases.keys import Principal
from app.use_cases.once import OtherRequestError, RequestInFlightError, Work
from app.wire.credentials import bearer_secret
from app.wire.seals import Seal

__all__ = ["KEY_PATTERN", "NOT_KEPT", "IdempotencyKeys", "RequestId"]

HEADER: Final = b"idempotency-key"
MOST_CHARACTERS: Final = 255
MOST_STORED: Final = 1024 * 1024
"""Bytes of a kept answer at most, compressed."""

_QUOTED: Final = f'"(?:[ !#-\\[\\]-~]|\\\\["\\\\]){{1,{MOST_CHARACTERS}}}"'
_BARE: Final = f"[!#$%&'*+.^_`|~:/=0-9A-Za-z-]{{1,{MOST_CHARACTERS}}}"
_FORM: Final = re.compile(f"{_QUOTED}|{_BARE}")
_EXPECTED: Final = f'expected one string of 1 to {MOST_CHARACTERS} printable ASCII characters, such as "8e03978e-40d5"'
KEY_PATTERN: Final = f"^(?:{_QUOTED}|{_BARE})$"
_KEPT_HEADERS: Final = frozenset(
    {
        b"content-type",
        b"content-language",
        b"content-location",
        b"location",
        b"etag",
        b"vary",
        b"cache-control",
        b"link",
    }
)
NOT_KEPT: Final = frozenset({401, 403, 406, 408, 412, 425, 428, 429})
"""What has to do with who asks, when, or with other headers: it may be another the next time."""
_STREAM: Final = "application/x-ndjson"
_SCOPE_KEY: Final = "partwise.request_id"
_CLIENT: Final = re.compile(r"/v1/clients/([^/?]+)/")


class _Kept(msgspec.Struct, array_like=True):
    """An answer as it is kept."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    scopes: frozenset[str] = frozenset()
    """What those who were answered could do."""


class IdempotencyKeys:
    """ASGI middleware that does a POST with an `Idempotency-Key` once; others go by untouched."""

    def __init__(self, app: ASGIApp, services: Services, routes: Sequence[BaseRoute]) -> None:
        """Wrap an application; `routes` are those of the API."""
        self._app = app
        self._services = services
        self._routes = [route for route in routes if isinstance(route, Route) and "POST" in (route.methods or ())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith("/v1/"):
            given = [value for name, value in scope["headers"] if name == HEADER]
            if given:
                try:
                    await self._once(given, scope, receive, send)
                except (PartwiseError, StoreUnavailableError) as error:
                    await answer_to(error)(scope, receive, send)
                except ClientDisconnect:
                    # Before its request was whole.
                    pass
                return
        await self._app(scope, receive, send)

    async def _once(self, given: list[bytes], scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        route = next((one for one in self._routes if one.matches(scope)[0] is Match.FULL), None)
        principal = None if route is None else await self._principal(request)
        if route is None or principal is None:
            # The application says why.
            await self._app(scope, receive, send)
            return
        require_scope(principal, "POST", route.path)
        name = _name(given)
        media = request.headers.get("content-type", "")
        if media.partition(";")[0].strip().lower() == _STREAM:
            raise _unusable("expected none with a stream, whose answer has no end: its events are known by their ids")
        seal = Seal(principal.tenant_id, principal.name, name)
        target = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        with self._services.intake.held(principal.tenant_id, announced_size(request)) as held:
            body = await read_body(request, held)
            fingerprint = seal.fingerprint(b"POST", target, scope["query_string"], media.encode("latin-1"), body)
            key = RequestKey(principal.tenant_id, principal.name, seal.digest)
            try:
                async with self._services.once.claimed(key, fingerprint) as found:
                    if isinstance(found, Work):
                        answer = _Answer()
                        doing = {**scope, _SCOPE_KEY: found.request_id}
                        await self._app(doing, _Again(body, receive), answer)
                        await _keep(found, seal, target.decode("latin-1"), answer, principal)
                    else:
                        answer = _replayed(seal.open(found), principal)
            except OtherRequestError:
                detail = "this Idempotency-Key was used for another request"
                raise HttpError(IDEMPOTENCY_KEY_REUSED, detail) from None
            except RequestInFlightError as error:
                headers = {"Retry-After": str(error.seconds)}
                raise HttpError(IDEMPOTENCY_IN_FLIGHT, str(error), headers=headers) from None
        await answer.send_to(send)

    async def _principal(self, request: Request) -> Principal | None:
        try:
            principal = await self._services.authenticate(bearer_secret(request.scope["headers"]))
        except (UnauthenticatedError, ForbiddenError):
            return None
        # Counted here, and not again further in: what is replayed goes no further.
        await let_in(request.scope, self._services.rates, principal)
        return principal


class _Again:
    """A body that was read, to be read again."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Answer:
    """Takes an answer whole: it is sent once it is kept."""

    def __init__(self, status: int = 500, body: bytes = b"") -> None:
        self.status = status
        self.headers: list[tuple[bytes, bytes]] = []
        self._chunks = [body]

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.lower(), value) for name, value in message.get("headers", ())]
        elif message["type"] == "http.response.body":
            self._chunks.append(message.get("body", b""))

    @property
    def body(self) -> bytes:
        return b"".join(self._chunks)

    async def send_to(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


async def _keep(work: Work, seal: Seal, path: str, answer: _Answer, principal: Principal) -> None:
    if answer.status >= 500 or answer.status in NOT_KEPT:
        return
    headers = [one for one in answer.headers if one[0] in _KEPT_HEADERS]
    kept = _Kept(answer.status, headers, answer.body, principal.scopes)
    content = seal.close(zlib.compress(msgspec.msgpack.encode(kept), 1))
    if len(content) <= MOST_STORED:
        about = _CLIENT.match(path)
        await work.keep(content, unquote(about[1]) if about else None)


def _replayed(content: bytes, principal: Principal) -> _Answer:
    kept = msgspec.msgpack.decode(zlib.decompress(content), type=_Kept)
    # Another token of the same user may do less, and is not to have a key that may do more.
    for scope in sorted(kept.scopes - principal.scopes):
        raise ForbiddenError(f"this was asked first with the scope {scope!r}", scope)
    answer = _Answer(kept.status, kept.body)
    length = str(len(kept.body)).encode()
    answer.headers = [*kept.headers, (b"content-length", length), (b"idempotency-replayed", b"true")]
    return answer


def _name(given: list[bytes]) -> str:
    """The name in the header: a string of RFC 8941, or the same without quotes, as many send it."""
    text = given[0].decode("latin-1").strip()
    if len(given) != 1 or not _FORM.fullmatch(text):
        raise _unusable(_EXPECTED)
    return re.sub(r'\\(["\\])', r"\1", text[1:-1]) if text[0] == '"' else text


def _unusable(detail: str) -> HttpError:
    return HttpError(MALFORMED_REQUEST, detail, [{"pointer": "idempotency-key:", "detail": detail}])


async def _request_id(request: Request) -> str | None:
    found: str | None = request.scope.get(_SCOPE_KEY)
    return found


RequestId = Annotated[str | None, Depends(_request_id)]
"""The id of a request with an `Idempotency-Key`, the same when it is done again after a crash; None for others."""
