"""Entity tags: `ETag`, `If-None-Match` and `If-Match` (RFC 9110, 8.8.3 and 13)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.ports.clients import ClientRecord
from app.rest.problem_types import PRECONDITION_REQUIRED
from app.rest.problems import HttpError
from app.rest.services import Permitted, UsedServices
from app.services import Services
from app.use_cases.cases import Basis, Case
from app.use_cases.errors import InvalidRequestError
from app.use_cases.unchanged import NOW_ALONE
from app.use_cases.viewpoint import Viewpoint
from app.wire.tags import Tagger, Tags, read_tags, tag_of

__all__ = [
    "TAGS_PATTERN",
    "AskedOnce",
    "EntityTags",
    "TagsOfClient",
    "TagsOfPolicy",
    "UnchangedError",
    "not_modified",
    "require_match",
]

TAGS_PATTERN: Final = r'^(?:\*|(?:W/)?"[!#-~]*"(?: *, *(?:W/)?"[!#-~]*")*)$'
_TAGGED: Final = ("/v1/", "/openapi.json")


class UnchangedError(Exception):
    """What is asked for is what the sender has; headers go with the answer."""

    def __init__(self, tag: str, headers: dict[str, str]) -> None:
        """Name what the sender has."""
        super().__init__(tag)
        self.headers = {"ETag": f'"{tag}"', **headers}


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
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"].startswith(_TAGGED):
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
        if message["type"] == "http.response.start" and message["status"] == 200:
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
            headers["ETag"] = f'"{tag_of(body)}"'
        wanted = _given(self._scope, b"if-none-match")
        if wanted is not None and (wanted.everything or headers["etag"].strip('"') in wanted.all):
            for name in ("content-type", "content-length"):
                del headers[name]
            start, body = {**start, "status": 304}, b""
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


class Conditions:
    """The conditions of a request that changes something."""

    def __init__(self, request: Request) -> None:
        """Read them.

        Raises:
            InvalidRequestError: a header holds no tags.
        """
        self.match = _strictly(request, "if-match")
        self.none_match = _strictly(request, "if-none-match")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.match is not None or self.none_match is not None


async def _conditions(request: Request) -> Conditions:
    return Conditions(request)


Conditioned = Annotated[Conditions, Depends(_conditions)]


class ClientTags:
    """The tags of one client as it is known, and the conditions of who changes it."""

    def __init__(self, tagger: Tagger, conditions: Conditions) -> None:
        """Tag with a tagger."""
        self._tagger = tagger
        self.conditions = conditions

    def of(self, record: ClientRecord) -> str:
        """The value of `ETag`."""
        return f'"{self._tagger.tag(*_parts(record))}"'

    def fit(self, record: ClientRecord | None) -> bool:
        """Whether the conditions hold for a client, or for there being none."""
        match, none = self.conditions.match, self.conditions.none_match
        if match is not None and (record is None or not self._among(match, record, match.strong)):
            return False
        return none is None or record is None or not self._among(none, record, none.all)

    def _among(self, tags: Tags, record: ClientRecord, named: Sequence[str]) -> bool:
        return tags.everything or self._tagger.knows(named, *_parts(record))


def _parts(record: ClientRecord) -> tuple[object, ...]:
    """All that the answer about it shows."""
    return record.name, record.country, record.currency, record.time_zone, record.created_at.isoformat()


class PolicyTags:
    """The tags of policies: they change with whichever version is activated, so that nobody overlooks that."""

    def __init__(self, tagger: Tagger, conditions: Conditions) -> None:
        """Tag with a tagger."""
        self._tagger = tagger
        self.conditions = conditions

    def of(self, version: str, activation: int) -> str:
        """The value of `ETag`."""
        return f'"{self._tagger.tag(version, activation)}"'

    def fit(self, version: str, activation: int) -> bool:
        """Whether `If-Match` holds for a version after so many activations."""
        match = self.conditions.match
        return match is None or match.everything or self._tagger.knows(match.strong, version, activation)


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
            self._response.headers["ETag"] = f'"{self._tagger.tag_at(case.viewpoint.as_of, *basis, language)}"'


async def _asked(request: Request, response: Response, principal: Permitted, services: UsedServices) -> Asked:
    target = request.url.path, request.scope["query_string"].decode("latin-1")
    return Asked(request, response, services, await services.tags.of(principal.tenant_id, "read", *target))


AskedOnce = Annotated[Asked, Depends(_asked)]


async def _client_tags(
    request: Request, principal: Permitted, services: UsedServices, conditions: Conditioned
) -> ClientTags:
    return ClientTags(await services.tags.of(principal.tenant_id, "client", request.url.path), conditions)


TagsOfClient = Annotated[ClientTags, Depends(_client_tags)]


async def _policy_tags(principal: Permitted, services: UsedServices, conditions: Conditioned) -> PolicyTags:
    return PolicyTags(await services.tags.of(principal.tenant_id, "policy"), conditions)


TagsOfPolicy = Annotated[PolicyTags, Depends(_policy_tags)]


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
        raise InvalidRequestError(f"{name}:", 'expected `*`, or tags such as "abc", separated by commas')
    return found
