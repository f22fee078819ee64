"""NDJSON in, NDJSON out: events of any number, each answered once it is durable, in constant memory."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.ports.ledger import NewEvent, StoreUnavailableError
from app.rest.answers import result
from app.use_cases.record_events import RecordEvents, Refused
from app.wire.cloudevents import EventDecoder
from app.wire.faults import Invalid
from app.wire.ndjson import Lines, LineTooLongError

__all__ = ["NdjsonExchange", "taken"]

_GROUP = 1000
"""Lines of one transaction at most."""
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


class NdjsonExchange(Response):
    """An ASGI response that reads the request's body while it answers.

    Reading never waits for the answers to be read: a client that reads only after it has sent all would hang.
    """

    def __init__(self, body: AsyncIterator[bytes], decoder: EventDecoder, record: RecordEvents, tenant_id: str) -> None:
        """Take a tenant's events from a body."""
        super().__init__(media_type="application/x-ndjson")
        self._body = body
        self._decoder = decoder
        self._record = record
        self._tenant_id = tenant_id
        self._counts: Counter[str] = Counter()
        self._line = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        del scope, receive
        spool = _Spool()
        reading = asyncio.create_task(self._take(spool))
        try:
            first = await spool.get()
            headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            chunk = first
            while chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await spool.get()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            spool.close()

    async def _take(self, spool: _Spool) -> None:
        """Read, record, answer; the last line is a summary, or a problem where it had to stop early."""
        last: dict[str, Any] = {}
        try:
            lines = Lines()
            group: list[tuple[int, bytes]] = []
            async for chunk in self._body:
                for line in lines.feed(chunk):
                    self._line += 1
                    if line.strip():
                        group.append((self._line, line))
                    if len(group) >= _GROUP:
                        await self._answer(group, spool)
                        group = []
                if group:
                    await self._answer(group, spool)
                    group = []
            for line in lines.end():
                self._line += 1
                await self._answer([(self._line, line)], spool)
            last = {"summary": {"lines": self._line, **dict(sorted(self._counts.items()))}}
        except ClientDisconnect:
            return
        except LineTooLongError as error:
            last = _stopped(413, "Content Too Large", f"line {self._line + 1}: {error}; the rest was not taken")
        except StoreUnavailableError:
            last = _stopped(503, "Service Unavailable", "the database went away; send what was not answered again")
        except Exception:
            last = _stopped(500, "Internal Server Error", "an error on our side")
            raise
        finally:
            if last:
                spool.put(msgspec.json.encode(last) + b"\n")
            spool.end()

    async def _answer(self, group: list[tuple[int, bytes]], spool: _Spool) -> None:
        sent = [taken(self._decoder.structured(line)) for _, line in group]
        answers = await self._record(self._tenant_id, sent)
        lines = []
        for (number, _), answer in zip(group, answers, strict=True):
            self._counts[answer.outcome.value] += 1
            found = result(answer)
            del found["index"]
            lines.append(msgspec.json.encode({"line": number, **found}))
        spool.put(b"\n".join(lines) + b"\n")


def _stopped(status: int, title: str, detail: str) -> dict[str, Any]:
    slug = title.lower().replace(" ", "-")
    return {"problem": {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail}}
