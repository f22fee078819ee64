"""Entity tags: `ETag`, `If-None-Match` and `If-Match` (RFC 9110, 8.8.3 and 13)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.rest.paths import id_in_path
from app.rest.problem_types import MALFORMED_REQUEST, PRECONDITION_REQUIRED
from app.rest.problems import HttpError, answer_to
from app.rest.services import Permitted, UsedServices
from app.services import Services
from app.use_cases.cases import Basis, Case
from app.use_cases.keys import Principal
from app.use_cases.unchanged import NOW_ALONE
from app.use_cases.viewpoint import Viewpoint
from app.wire.resource_tags import (
    ClientTags,
    Conditions,
    KeyTags,
    PolicyTags,
    WebhookTags,
    client_tags,
    key_tags,
    policy_tags,
    webhook_tags,
)
from app.wire.tags import MOST_CHARACTERS, Tagger, Tags, read_tags, tag_of

__all__ = [
    "TAGGED",
    "TAGS_PATTERN",
    "AskedOnce",
    "EntityTags",
    "TagsOfClient",
    "TagsOfKey",
    "TagsOfPolicy",
    "TagsOfWebhook",
    "UnchangedError",
    "not_modified",
    "quoted",
    "read_tagger",
    "require_match",
    "wanted_tags",
]

TAGS_PATTERN: Final = r'^(?:\*|(?:W/)?"[!#-~]*"(?: *, *(?:W/)?"[!#-~]*")*)$'
STREAM: Final = b"text/event-stream"

TAGGED: Final = ("/v1/", "/problems")
"""Paths whose answers have tags begin so."""


class UnchangedError(Exception):
    """What is asked for is what the sender has; headers go with the answer."""

    def __init__(self, tag: str, headers: dict[str, str]) -> None:
        """Name what the sender has."""
        super().__init__(tag)
        self.headers = {"ETag": quoted(tag), **headers}


async def not_modified(request: Request, error: Exception) -> Response:
    """The answer that nothing has changed."""
    del request
    assert isinstance(error, UnchangedError)
    return Response(status_code=304, headers=error.headers)


class EntityTags:
    """ASGI middleware that gives every answer to a read a tag, and leaves its content out for who has it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"].startswith(TAGGED):
            given = _header(scope["headers"], b"if-none-match")
            if given is not None and len(given) > MOST_CHARACTERS:
                detail = f"expected at most {MOST_CHARACTERS} characters"
                refused = HttpError(MALFORMED_REQUEST, detail, [{"pointer": "if-none-match:", "detail": detail}])
                await answer_to(refused)(scope, receive, send)
                return
            await self._app(scope, receive, _Tagged(scope, send))
        else:
            await self._app(scope, receive, send)


class _Tagged:
    """Sends an answer, once it is whole, with its tag."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        self._chunks: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200 and not _is_endless(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._whole(self._start, b"".join(self._chunks))

    async def _whole(self, start: Message, body: bytes) -> None:
        headers = MutableHeaders(raw=list(start["headers"]))
        if "etag" not in headers:
            headers["ETag"] = quoted(tag_of(body))
        wanted = _given(self._scope, b"if-none-match")
        if wanted is not None and (wanted.everything or headers["etag"].strip('"') in wanted.all):
            for name in ("content-type", "content-length"):
                del headers[name]
            start, body = {**start, "status": 304}, b""
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


async def _conditions(request: Request) -> Conditions:
    if request.method == "GET":
        return Conditions()
    return Conditions(_strictly(request, "if-match"), _strictly(request, "if-none-match"))


Conditioned = Annotated[Conditions, Depends(_conditions)]
"""The conditions of a request that changes something."""


def require_match(conditions: Conditions, what: str) -> None:
    """Refuse a change without `If-Match`.

    Raises:
        HttpError: 428, when there is none.
    """
    if conditions.match is None:
        detail = f"send If-Match with the ETag of {what} as you know it, or `*` to change it whatever was changed since"
        raise HttpError(PRECONDITION_REQUIRED, detail, [{"pointer": "if-match:", "detail": detail}])


class Asked:
    """A read about one client: whether the sender has the answer already, and how the answer is named."""

    def __init__(self, request: Request, response: Response, services: Services, tagger: Tagger) -> None:
        """Read what the sender has."""
        self._response = response
        self._services = services
        self._tagger = tagger
        self._wanted = _given(request.scope, b"if-none-match")
        self._is_of_now = not {"as_of", "known_at", "cursor"} & set(request.query_params)

    async def refuse_unchanged(
        self,
        tenant_id: str,
        client_id: str,
        viewpoint: Viewpoint,
        looks: Sequence[timedelta] = NOW_ALONE,
        language: str = "",
    ) -> None:
        """End here where the sender has an answer that still holds.

        Raises:
            UnchangedError: he has.
        """
        if self._wanted is None or not self._wanted.all or not self._is_of_now:
            return
        unchanged = self._services.unchanged
        found = await unchanged.basis(tenant_id, client_id)
        if found is None:
            return
        basis, policy = found
        for tag, then in self._tagger.instants(self._wanted.all, *basis, language).items():
            if await unchanged.holds(tenant_id, client_id, policy, then, viewpoint.as_of, looks):
                headers = {"Vary": "Accept-Language", "Content-Language": language} if language else {}
                raise UnchangedError(tag, headers)

    def label(self, case: Case, language: str = "") -> None:
        """Name the answer that is made from a case: it is the same for as long as that is."""
        basis: Basis | None = case.basis
        if basis is not None and self._is_of_now:
            self._response.headers["ETag"] = quoted(self._tagger.tag_at(case.viewpoint.as_of, *basis, language))


async def read_tagger(request: Request, principal: Principal, services: Services, *names: str) -> Tagger:
    """What makes the tags of the answers to one request for something, which more names may tell apart."""
    target = request.url.path, request.scope["query_string"].decode("latin-1")
    return await services.tags.of(principal.tenant_id, "read", *target, *names)


def wanted_tags(request: Request) -> tuple[str, ...]:
    """The tags of answers that the sender has, from `If-None-Match`; what cannot be read is none."""
    found = _given(request.scope, b"if-none-match")
    return () if found is None else found.all


async def _asked(request: Request, response: Response, principal: Permitted, services: UsedServices) -> Asked:
    return Asked(request, response, services, await read_tagger(request, principal, services))


AskedOnce = Annotated[Asked, Depends(_asked)]


async def _client_tags(
    request: Request, principal: Permitted, services: UsedServices, conditions: Conditioned
) -> ClientTags:
    return await client_tags(services.tags, principal.tenant_id, id_in_path(request, "client_id"), conditions)


TagsOfClient = Annotated[ClientTags, Depends(_client_tags)]


async def _policy_tags(principal: Permitted, services: UsedServices, conditions: Conditioned) -> PolicyTags:
    return await policy_tags(services.tags, principal.tenant_id, conditions)


TagsOfPolicy = Annotated[PolicyTags, Depends(_policy_tags)]


async def _key_tags(principal: Permitted, services: UsedServices, conditions: Conditioned) -> KeyTags:
    return await key_tags(services.tags, principal.tenant_id, conditions)


TagsOfKey = Annotated[KeyTags, Depends(_key_tags)]


async def _webhook_tags(principal: Permitted, services: UsedServices, conditions: Conditioned) -> WebhookTags:
    return await webhook_tags(services.tags, principal.tenant_id, conditions)


TagsOfWebhook = Annotated[WebhookTags, Depends(_webhook_tags)]


def _is_endless(start: Message) -> bool:
    """Whether an answer has no end at which it could be known as a whole."""
    return any(name.lower() == b"content-type" and value.startswith(STREAM) for name, value in start["headers"])


def quoted(tag: str) -> str:
    """A tag as headers have it."""
    return f'"{tag}"'


def _header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str | None:
    found = [value for key, value in headers if key == name]
    return b",".join(found).decode("latin-1") if found else None


def _given(scope: Scope, name: bytes) -> Tags | None:
    """The tags of a header; one that cannot be read is as none, since who reads may have anything."""
    text = _header(scope["headers"], name)
    return None if text is None else read_tags(text)


def _strictly(request: Request, name: str) -> Tags | None:
    text = _header(request.scope["headers"], name.encode())
    if text is None:
        return None
    found = read_tags(text)
    if found is None or not (found.everything or found.all):
        detail = 'expected `*`, or tags such as "abc", separated by commas'
        raise HttpError(MALFORMED_REQUEST, detail, [{"pointer": f"{name}:", "detail": detail}])
    return found
