"""NDJSON in, NDJSON out: events of any number, each answered once it is durable, in constant memory."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.ports.ledger import NewEvent, StoreBusyError, StoreUnavailableError
from app.ports.rates import Unit
from app.rest.answers import result
from app.rest.noted import note_problem, note_stream
from app.rest.problem_types import (
    BUSY,
    CONTENT_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    RATE_LIMITED,
    ProblemType,
)
from app.rest.problems import problem_body
from app.services import Services
from app.use_cases.errors import RateLimitedError
from app.use_cases.rates import Allowance
from app.use_cases.record_events import Refused
from app.wire.codings import BrokenCodingError, InflatedBodyError
from app.wire.faults import Invalid
from app.wire.ndjson import Lines, LineTooLongError

__all__ = ["NdjsonExchange", "taken"]

_GROUP = 1000
"""Lines of one transaction at most."""
_STREAM_BYTES = 256 * 1024
"""What a stream holds in memory while it waits to be written."""
_REASONS: Mapping[type[Exception], ProblemType] = {
    InflatedBodyError: CONTENT_TOO_LARGE,
    BrokenCodingError: MALFORMED_REQUEST,
    StoreBusyError: BUSY,
    StoreUnavailableError: DATABASE_UNAVAILABLE,
}
_TO_COME_AGAIN = (429, 503)
_AGAIN = "send what was not answered again"
_IN_MEMORY = 1024 * 1024
"""Answers that nobody has read yet are kept in memory up to here, beyond it in a temporary file."""


def taken(found: NewEvent | Invalid) -> NewEvent | Refused:
    """What the decoder found, as the use case takes it."""
    if isinstance(found, NewEvent):
        return found
    return Refused(tuple((fault.pointer, fault.detail) for fault in found.faults), found.id, found.source)


class _Spool:
    """Answers between the one who writes them and a client who may read them only after it has sent everything."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._read = self._written = 0
        self._changed = asyncio.Event()
        self._done = False

    def put(self, data: bytes) -> None:
        self._file.seek(self._written)
        self._written += self._file.write(data)
        self._changed.set()

    def end(self) -> None:
        self._done = True
        self._changed.set()

    def close(self) -> None:
        self._file.close()

    async def get(self) -> bytes:
        while self._read == self._written and not self._done:
            self._changed.clear()
            await self._changed.wait()
        self._file.seek(self._read)
        data = self._file.read(64 * 1024)
        self._read += len(data)
        if self._read == self._written:
            self._file.seek(0)
            self._file.truncate()
            self._read = self._written = 0
        return data


class _Waiting:
    """Events that were read and wait to be written: beyond a limit reading waits too, and so does the sender."""

    def __init__(self) -> None:
        self._events: list[tuple[int, NewEvent | Refused]] = []
        self._more, self._room = asyncio.Event(), asyncio.Event()
        self._ended = False

    async def put(self, events: Iterable[tuple[int, NewEvent | Refused]]) -> None:
        self._events += events
        self._more.set()
        while len(self._events) >= _GROUP:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        self._ended = True
        self._more.set()

    async def get(self) -> list[tuple[int, NewEvent | Refused]]:
        """The next ones, as many as there are within a transaction's limit; none at the end."""
        while not self._events and not self._ended:
            self._more.clear()
            await self._more.wait()
        group = self._events[:_GROUP]
        del self._events[:_GROUP]
        self._room.set()
        return group


class NdjsonExchange(Response):
    """An ASGI response that reads the request's body while it answers.

    Reading goes on while events are written, but not for long: it never waits for the answers to be read, as a client
    that reads only after it has sent all would hang, but it does wait for the database.
    """

    def __init__(self, body: AsyncIterator[bytes], services: Services, tenant_id: str, allowance: Allowance) -> None:
        """Take a tenant's events from a body."""
        super().__init__(media_type="application/x-ndjson")
        self._body = body
        self._services = services
        self._tenant_id = tenant_id
        self._allowance = allowance
        self._counts: Counter[str] = Counter()
        self._line = self._first = 0
        self._refusal: Response | None = None
        self._stopped_by: ProblemType | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        note_stream(scope)
        with self._services.intake.held(self._tenant_id, _STREAM_BYTES):
            await self._exchange(scope, receive, send)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        spool = _Spool()
        taking = asyncio.create_task(self._take(spool))
        try:
            first = await spool.get()
            if self._refusal is not None:
                await self._refusal(scope, receive, send)
                return
            headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            chunk = first
            while chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await spool.get()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            spool.close()
            if self._stopped_by is not None:
                note_problem(scope, self._stopped_by)

    async def _take(self, spool: _Spool) -> None:
        """Record and answer what is read; the last line is a summary, or a problem where it had to stop early."""
        last: dict[str, Any] | None = None
        waiting = _Waiting()
        reading = asyncio.create_task(self._read(waiting))
        try:
            most = self._allowance.most_at_once(Unit.EVENTS)
            while group := await waiting.get():
                for start in range(0, len(group), most):
                    part = group[start : start + most]
                    await self._until_allowed(part)
                    await self._answer(part, spool)
            await reading
            last = {"summary": {"lines": self._line, **dict(sorted(self._counts.items()))}}
        except ClientDisconnect:
            return
        except Exception as error:
            last = self._reason(error)
            if last is None:
                last = self._stopped(INTERNAL_ERROR, "an error on our side")
                raise
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            self._say_last(last, spool)
            spool.end()

    def _reason(self, error: Exception) -> dict[str, Any] | None:
        """The problem for which a stream ends early; None where it is a defect of ours."""
        if isinstance(error, LineTooLongError):
            return self._stopped(CONTENT_TOO_LARGE, f"line {self._line + 1}: {error}; the rest was not taken")
        if isinstance(error, RateLimitedError):
            found = self._stopped(RATE_LIMITED, f"{error}; then send line {self._first} and all after it again")
            found["problem"] |= {"violated-policies": [error.policy], "retry_after": error.wait, "line": self._first}
            return found
        kind = next((kind for raised, kind in _REASONS.items() if isinstance(error, raised)), None)
        return None if kind is None else self._stopped(kind, f"{error}; {_AGAIN}")

    def _stopped(self, kind: ProblemType, detail: str) -> dict[str, Any]:
        self._stopped_by = kind
        return {"problem": problem_body(kind, detail)}

    def _say_last(self, last: dict[str, Any] | None, spool: _Spool) -> None:
        if last and "problem" in last and not self._counts and last["problem"]["status"] in _TO_COME_AGAIN:
            # Nothing was answered yet, so that the status can still say it.
            self._refusal = _refusal(last["problem"])
        elif last:
            spool.put(msgspec.json.encode(last) + b"\n")

    async def _read(self, waiting: _Waiting) -> None:
        try:
            lines = Lines()
            async for chunk in self._body:
                numbered, error = self._numbered(lines.feed(chunk))
                await waiting.put(self._decoded(numbered))
                if error is not None:
                    raise error
            numbered, _ = self._numbered(lines.end())
            await waiting.put(self._decoded(numbered))
        finally:
            waiting.end()

    def _numbered(self, lines: Iterator[bytes]) -> tuple[dict[int, bytes], LineTooLongError | None]:
        """Lines that are not blank, by their numbers; up to one that is too long, if there is one."""
        found: dict[int, bytes] = {}
        try:
            for line in lines:
                self._line += 1
                if line.strip():
                    found[self._line] = line
        except LineTooLongError as error:
            return found, error
        return found, None

    def _decoded(self, lines: Mapping[int, bytes]) -> list[tuple[int, NewEvent | Refused]]:
        events = self._services.decoder.lines(list(lines.values())) if lines else []
        return [(number, taken(event)) for number, event in zip(lines, events, strict=True)]

    async def _until_allowed(self, group: list[tuple[int, NewEvent | Refused]]) -> None:
        """Hold a stream back until its key may send so many more; what was read waits, and so does the sender.

        Raises:
            RateLimitedError: that would take too long.
        """
        self._first = group[0][0]
        while True:
            try:
                return await self._allowance.take(Unit.EVENTS, len(group))
            except RateLimitedError as error:
                if error.wait > self._services.rate_patience:
                    raise
                await asyncio.sleep(error.wait)

    async def _answer(self, group: list[tuple[int, NewEvent | Refused]], spool: _Spool) -> None:
        async with self._services.intake.turn(self._tenant_id):
            answers = await self._services.record(self._tenant_id, [event for _, event in group])
        lines = []
        for (number, _), answer in zip(group, answers, strict=True):
            found = result(answer)
            del found["index"]
            lines.append(msgspec.json.encode({"line": number, **found}))
        self._counts.update([answer.outcome.value for answer in answers])
        spool.put(b"\n".join(lines) + b"\n")


def _refusal(body: dict[str, Any]) -> Response:
    headers = {"Retry-After": str(body.pop("retry_after", 1))}
    body.pop("line", None)
    return Response(msgspec.json.encode(body), body["status"], headers, media_type="application/problem+json")
