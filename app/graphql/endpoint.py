"""GraphQL over HTTP: reads the request, runs the operation, writes the response.

After the specification's drafts as the `graphql-http` audits read them: with `application/graphql-response+json` the
status tells whether there is an answer, with `application/json` it is 200 once the request could be understood.
"""

import asyncio
import logging
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from decimal import Decimal
from time import perf_counter
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
import orjson
from graphql import ExecutionResult, GraphQLError, execute
from graphql.execution.values import VariableValues, get_variable_values
from starlette.types import Receive, Scope, Send

from app.graphql.context import Context
from app.graphql.documents import Documents, InvalidDocument, Operation
from app.graphql.errors import coded, public
from app.graphql.graphiql import GraphiQL
from app.graphql.operations import UNKNOWN, Ending, Operations
from app.graphql.scalars import decode_json
from app.language import preferred, speaker
from app.ports.ledger import StoreUnavailableError
from app.ports.rates import Unit
from app.ports.tokens import IssuerUnavailableError
from app.ports.tracing import OFF, Tracing
from app.services import Services, let_in
from app.use_cases.errors import ForbiddenError, RateLimitedError, UnauthenticatedError
from app.use_cases.unheard import UNHEARD
from app.wire.challenges import challenge
from app.wire.codings import CODINGS, BrokenCodingError, InflatedBodyError, UnknownCodingError
from app.wire.credentials import bearer_secret
from app.wire.repeats import REPEATED, TOO_DEEP, holds_more, repeated
from app.wire.surrogates import HALF_OF_PAIR, half_of_pair

__all__ = ["GraphQLEndpoint"]

MOST_BYTES: Final = 8 * 1024 * 1024
_RESPONSE: Final = b"application/graphql-response+json"
_JSON: Final = b"application/json"
_MOST_ERRORS: Final = 20
_MOST_VALUES: Final = 50_000
_MOST_BESIDE: Final = 100
"""Values of a request beside its variables."""
_ACCEPTED: Final = {_RESPONSE: _RESPONSE, _JSON: _JSON, b"*/*": _JSON, b"application/*": _JSON}
_AGAIN: Final = ((b"retry-after", b"1"),)
_log = logging.getLogger("partwise.graphql")


class _Refused(Exception):
    """The request itself cannot be understood, or not be let in."""

    def __init__(self, status: int, message: str, code: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.errors = [{"message": message, "extensions": {"code": code}}]
        self.headers = headers


def _limited(error: RateLimitedError) -> _Refused:
    return _Refused(429, str(error), "RATE_LIMITED", ((b"retry-after", str(error.wait).encode()),))


@dataclass(frozen=True, slots=True)
class _Request:
    """The parameters of a GraphQL request."""

    query: str | None
    operation_name: str | None
    variables: dict[str, Any]
    digest: str | None


@dataclass(slots=True)
class _Course:
    """What is known by now of the operation of a request."""

    kind: str = UNKNOWN
    ending: Ending = Ending.REFUSED


class GraphQLEndpoint:
    """The ASGI application at /graphql."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        services: Services,
        documents: Documents,
        graphiql: GraphiQL | None = None,
        timeout: float = 10.0,
        operations: Operations = UNHEARD,
        tracing: Tracing = OFF,
    ) -> None:
        """Answer operations.

        Args:
            services: the use cases.
            documents: how documents are read.
            graphiql: the page for people; None for none.
            timeout: seconds for a whole operation.
            operations: is told how each ended.
            tracing: is told of operations, by their kind.
        """
        self._operations = operations
        self._tracing = tracing
        self._services = services
        self._documents = documents
        self._core = documents.schema._schema  # noqa: SLF001 - Strawberry offers no other way to graphql-core's schema
        self._graphiql = graphiql
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._graphiql is not None and self._graphiql.serves(scope, headers):
            await self._graphiql(scope, receive, send)
            return
        began, course = perf_counter(), _Course()
        media = _media(b",".join(value for name, value in scope["headers"] if name == b"accept") or b"*/*")
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            if scope["path"] != "/graphql":
                raise _Refused(404, "there is nothing here", "NOT_FOUND")
            if media is None:
                raise _Refused(406, "expected to accept application/json", "NOT_ACCEPTABLE")
            async with asyncio.timeout(self._timeout):
                status, body = await self._answer(scope, receive, headers, course, strict=media == _RESPONSE)
            if status == 503:
                extra = _AGAIN
        except _Refused as refused:
            status, extra = refused.status, refused.headers
            course.ending = Ending.ERROR if status >= 500 else Ending.REFUSED
            body = orjson.dumps({"errors": refused.errors})
        except TimeoutError:
            late = coded(f"the operation took longer than {self._timeout:g} seconds", "TIMEOUT")
            status, extra = 503, _AGAIN
            body = orjson.dumps({"errors": [public(late)], "data": None})
            course.ending = Ending.ERROR
        except Exception:
            _log.exception("an operation failed")
            course.ending = Ending.ERROR
            status, body = 500, orjson.dumps({"errors": [public(coded("an error on our side", "INTERNAL"))]})
        self._operations.answered(course.kind, course.ending, perf_counter() - began)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", (media or _JSON) + b"; charset=utf-8"),
                    (b"content-length", str(len(body)).encode()),
                    (b"cache-control", b"no-store"),
                    *extra,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], course: _Course, *, strict: bool
    ) -> tuple[int, bytes]:
        method: str = scope["method"]
        if method not in ("GET", "POST"):
            raise _Refused(405, f"{method} is not possible here", "METHOD_NOT_ALLOWED", ((b"allow", b"GET, POST"),))
        context = await self._context(scope, headers)
        if method == "POST":
            _check_media(headers)
        request = _read(await _body(receive)) if method == "POST" else _of_query(scope["query_string"])
        try:
            text = self._documents.text_of(request.query, request.digest)
            operation = self._documents.operation(text, request.operation_name, request.variables)
            course.kind = operation.node.operation.value
            if method == "GET" and not operation.is_query:
                raise _Refused(405, "expected POST for a mutation", "METHOD_NOT_ALLOWED", ((b"allow", b"POST"),))
            variables = self._variables(operation, request.variables)
        except InvalidDocument as invalid:
            return _failed(invalid.errors, strict=strict)
        try:
            await context.allowance.take(Unit.COST, operation.cost)
        except RateLimitedError as error:
            raise _limited(error) from None
        with self._tracing.span(course.kind, {"graphql.operation.type": course.kind}):
            work = self._run(operation, variables, request, context, course)
            return await (_while_connected(work, receive) if operation.is_costly else work)

    async def _context(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Context:
        try:
            secret = bearer_secret(scope["headers"])
            request_id = scope.get("state", {}).get("request_id")
            principal = await self._services.authenticate(secret, request_id)
            allowance = await let_in(scope, self._services.rates, principal)
        except UnauthenticatedError as error:
            told = ((b"www-authenticate", challenge(error).encode()),)
            raise _Refused(401, str(error), "UNAUTHENTICATED", told) from None
        except ForbiddenError as error:
            told = ((b"www-authenticate", challenge(error).encode()),)
            raise _Refused(403, str(error), "FORBIDDEN", told) from None
        except RateLimitedError as error:
            raise _limited(error) from None
        except IssuerUnavailableError as error:
            raise _Refused(503, str(error), "UNAVAILABLE", ((b"retry-after", b"5"),)) from None
        except StoreUnavailableError:
            message = "the database is not available at present; try again"
            raise _Refused(503, message, "UNAVAILABLE", ((b"retry-after", b"1"),)) from None
        accepted = headers.get(b"accept-language")
        language = "en" if accepted is None else preferred(accepted.decode("latin-1")[:1000])
        return Context(self._services, principal, speaker(language), allowance)

    def _variables(self, operation: Operation, given: dict[str, Any]) -> VariableValues:
        definitions = operation.node.variable_definitions or ()
        found = get_variable_values(
            self._core, definitions, given, max_errors=20, hide_suggestions=not self._documents.suggestions
        )
        if isinstance(found, VariableValues):
            return found
        for error in found:
            error.extensions = {**(error.extensions or {}), "code": "BAD_USER_INPUT"}
        raise InvalidDocument(list(found))

    async def _run(
        self, operation: Operation, variables: VariableValues, request: _Request, context: Context, course: _Course
    ) -> tuple[int, bytes]:
        if operation.plan is not None:
            try:
                written = _written({"data": await operation.plan.run(context, variables)})
                course.ending = Ending.OK
                return 200, written
            except Exception as error:
                # It looks from the same instant, and what was loaded is not loaded again.
                _log.debug("no plan", exc_info=error)
        answer = await self._by_reference(operation, request, context)
        course.ending = _ending(answer)
        # What could not be had for lack of the database is worth asking for again.
        is_away = any(error["extensions"]["code"] == "UNAVAILABLE" for error in answer.get("errors", ()))
        return 503 if is_away else 200, _written(answer)

    async def _by_reference(self, operation: Operation, request: _Request, context: Context) -> dict[str, Any]:
        name = operation.node.name.value if operation.node.name else None
        ran = execute(
            self._core,
            operation.document,
            context_value=context,
            variable_values=request.variables,
            operation_name=name,
            hide_suggestions=True,
        )
        result = ran if isinstance(ran, ExecutionResult) else await ran
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer = {"errors": self._told(result.errors), **answer}
        return answer

    def _told(self, errors: list[GraphQLError]) -> list[dict[str, Any]]:
        found = [(public(error), error) for error in errors[:_MOST_ERRORS]]
        ours = next((error for told, error in found if told["extensions"]["code"] == "INTERNAL"), None)
        if ours is not None:
            _log.error("a resolver failed", exc_info=ours.original_error)
        return [told for told, _ in found]


def _ending(answer: Mapping[str, Any]) -> Ending:
    if not answer.get("errors"):
        return Ending.OK
    return Ending.ERROR if answer.get("data") is None else Ending.PARTIAL


async def _while_connected(work: Coroutine[Any, Any, tuple[int, bytes]], receive: Receive) -> tuple[int, bytes]:
    """Do costly work for as long as somebody waits for it.

    Raises:
        _Refused: nobody does.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise _Refused(400, "the client has gone", "BAD_REQUEST")
    finally:
        leaving.cancel()
        working.cancel()


async def _left(receive: Receive) -> None:
    """Wait until the client has gone; a request without a body still begins with an empty one."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _written(answer: dict[str, Any]) -> bytes:
    return orjson.dumps(answer, default=_number)


def _number(value: object) -> orjson.Fragment:
    """A JSON number as it was read, with all its digits."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return orjson.Fragment(f"{value:f}")


def _failed(errors: list[GraphQLError], *, strict: bool) -> tuple[int, bytes]:
    told = [public(error) for error in errors]
    # A request that names no document is malformed however its answer is written.
    malformed = any(one["extensions"]["code"] == "BAD_REQUEST" for one in told)
    return 400 if strict or malformed else 200, orjson.dumps({"errors": told})


def _media(accept: bytes) -> bytes | None:
    """The media type to answer in: the one most wanted (RFC 9110, 12.5.1), the first of several; None where none is."""
    wanted: list[tuple[float, bytes]] = []
    for part in accept.split(b",")[:50]:
        media, *parameters = (piece.strip().lower() for piece in part.split(b";"))
        quality = next((piece[2:] for piece in parameters if piece.startswith(b"q=")), b"1")
        if media in _ACCEPTED and re.fullmatch(rb"0(\.\d{0,3})?|1(\.0{0,3})?", quality) and float(quality) > 0:
            wanted.append((-float(quality), _ACCEPTED[media]))
    return min(wanted, key=lambda one: one[0])[1] if wanted else None


def _check_media(headers: Mapping[bytes, bytes]) -> None:
    media, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    if media.strip() != _JSON:
        accepted = ((b"accept", _JSON),)
        raise _Refused(415, "expected Content-Type application/json", "UNSUPPORTED_MEDIA_TYPE", accepted)
    charset = parameters.partition(b"charset=")[2].strip(b' "')
    if charset not in (b"", b"utf-8", b"utf8"):
        raise _Refused(415, "expected UTF-8", "UNSUPPORTED_MEDIA_TYPE")


async def _body(receive: Receive) -> bytes:
    chunks, size = [], 0
    while True:
        try:
            message = await receive()
        except UnknownCodingError as error:
            accepted = ((b"accept-encoding", ", ".join(CODINGS).encode()),)
            raise _Refused(415, str(error), "UNSUPPORTED_MEDIA_TYPE", accepted) from None
        except InflatedBodyError as error:
            raise _Refused(413, str(error), "TOO_LARGE") from None
        except BrokenCodingError as error:
            raise _Refused(400, str(error), "BAD_REQUEST") from None
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the request ended early", "BAD_REQUEST")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise _Refused(413, f"expected at most {MOST_BYTES} bytes", "TOO_LARGE")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _read(body: bytes) -> _Request:
    if len(body) > _MOST_VALUES and holds_more(body, _MOST_VALUES + _MOST_BESIDE):
        raise _too_much()
    try:
        found = decode_json(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        _refuse_half_of_pair(body)
        raise _Refused(400, f"the body is no JSON: {error}", "BAD_REQUEST") from None
    _refuse_repeated(body)
    if isinstance(found, list):
        raise _Refused(400, "expected one operation: batches are not taken", "BAD_REQUEST")
    if not isinstance(found, dict):
        raise _Refused(400, "expected an object with `query`", "BAD_REQUEST")
    if len(body) > _MOST_VALUES and not _is_bounded(found.get("variables")):
        raise _too_much()
    return _request(found)


def _too_much() -> _Refused:
    return _Refused(400, f"expected at most {_MOST_VALUES:,} values in variables", "LIMIT_VARIABLES")


def _refuse_repeated(text: bytes, name: str = "") -> None:
    try:
        pointer = repeated(text)
    except RecursionError:
        raise _Refused(400, f"the body is no JSON: {TOO_DEEP}", "BAD_REQUEST") from None
    except ValueError:
        raise _Refused(400, "the body is no JSON in UTF-8", "BAD_REQUEST") from None
    if pointer is not None:
        raise _Refused(400, f"{name}{pointer or 'a name'}: {REPEATED}", "BAD_REQUEST")


def _refuse_half_of_pair(text: bytes, name: str = "") -> None:
    at = half_of_pair(text)
    if at is not None:
        raise _Refused(400, f"{name}{at}: {HALF_OF_PAIR}", "BAD_REQUEST")


def _is_bounded(value: object) -> bool:
    """Whether variables hold no more values than can be looked at in passing."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += len(inner)
        if count > _MOST_VALUES:
            return False
        waiting.extend(inner)
    return True


def _of_query(query: bytes) -> _Request:
    try:
        given = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise _Refused(400, "expected at most 20 parameters, in percent-encoded UTF-8", "BAD_REQUEST") from None
    twice = next((name for name, values in given.items() if len(values) > 1), None)
    if twice is not None:
        raise _Refused(400, f"?{twice[:100]}: {REPEATED}", "BAD_REQUEST")
    found: dict[str, Any] = {name: values[0] for name, values in given.items()}
    for name in ("variables", "extensions"):
        if found.get(name):
            _refuse_repeated(found[name].encode(), f"?{name}")
            try:
                found[name] = decode_json(found[name])
            except (msgspec.DecodeError, RecursionError, ValueError):
                _refuse_half_of_pair(found[name].encode(), f"?{name}")
                raise _Refused(400, f"expected `{name}` as a JSON object", "BAD_REQUEST") from None
        else:
            found.pop(name, None)
    return _request(found)


def _request(given: dict[str, Any]) -> _Request:
    for name, kind, told in (
        ("query", str, "a string"),
        ("operationName", str, "a string"),
        ("variables", dict, "an object"),
        ("extensions", dict, "an object"),
        ("documentId", str, "a string"),
    ):
        if not isinstance(given.get(name), kind | None):
            raise _Refused(400, f"expected `{name}` to be {told}", "BAD_REQUEST")
    extensions = given.get("extensions") or {}
    digest = given.get("documentId")
    persisted = extensions.get("persistedQuery")
    if isinstance(persisted, dict):
        digest = persisted.get("sha256Hash", digest)
    if digest is not None and not isinstance(digest, str):
        raise _Refused(400, "expected `sha256Hash` to be a string", "BAD_REQUEST")
    query: str | None = given.get("query")
    if query is None and digest is None:
        raise _Refused(400, "expected `query`, the text of a document", "BAD_REQUEST")
    return _Request(
        query=query,
        operation_name=given.get("operationName") or None,
        variables=given.get("variables") or {},
        digest=None if digest is None else digest.removeprefix("sha256:"),
    )
