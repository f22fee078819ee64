"""Sends bad requests to a real server, byte for byte, and looks at what it answers and what it keeps."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from app.embedded.cluster import SUPERUSER, Credentials
from app.embedded.folder import Folder
from app.embedded.server import DATABASE
from app.ports.tenants import Scope
from tests.bad_inputs.cases import Case
from tests.service import Service

__all__ = ["Answer", "Sender", "fault_of", "rows_in", "sender"]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    media: str
    body: bytes

    @property
    def json(self) -> Any:
        """The body, where it is JSON."""
        return json.loads(self.body)

    @property
    def pointers(self) -> list[str]:
        """The fields that it names; of a batch or a stream, those of its events."""
        if self.media.startswith("application/x-ndjson"):
            found = [json.loads(line) for line in self.body.splitlines()]
        else:
            found = [self.json]
        errors = [error for one in found for error in one.get("errors", [])]
        errors += [error for one in found for inner in one.get("results", []) for error in inner.get("errors", [])]
        return [error["pointer"] for error in errors]


class Sender:
    """One connection, made anew when the server closes it."""

    def __init__(self, service: Service, key: str) -> None:
        self._port = service.port
        self._key = key
        self._wire = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)

    def __call__(self, case: Case) -> Answer:
        """Send one, and return what is answered, whether or not all of it was read."""
        for fresh in (False, True):
            try:
                return self._send(case)
            except (http.client.HTTPException, OSError):
                self._wire.close()
                if fresh:
                    raise
        raise AssertionError

    def _send(self, case: Case) -> Answer:
        wire = self._wire
        wire.putrequest(case.method, case.path, skip_accept_encoding=True)
        wire.putheader("Authorization", f"Bearer {self._key}")
        for name, value in case.headers:
            wire.putheader(name, value)
        if case.body is not None:
            wire.putheader("Content-Length", str(len(case.body)))
        try:
            wire.endheaders(case.body)
        except (BrokenPipeError, ConnectionResetError):
            # It has answered before all was sent, and said why.
            pass
        found = wire.getresponse()
        answer = Answer(found.status, found.getheader("content-type", ""), found.read())
        if found.will_close:
            wire.close()
        return answer

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


@contextmanager
def sender(service: Service, tenant: str) -> Iterator[Sender]:
    """Somebody with a key for everything."""
    found = Sender(service, service.key(tenant, ",".join(Scope)))
    try:
        yield found
    finally:
        found.close()


def fault_of(case: Case, answer: Answer) -> str | None:  # noqa: PLR0911 - each is a rule
    """What is wrong with an answer, or None."""
    if answer.status >= 500:
        return f"{answer.status}"
    if answer.media.startswith("application/x-ndjson") or (answer.status == 200 and b'"results"' in answer.body):
        # A batch and a stream are answered event by event.
        stopped = b'"status":413' in answer.body
        refused = stopped or (b'"accepted":1' not in answer.body and _named(case, answer))
        return None if refused else "not refused, or not named"
    if answer.status < 400 and not case.path.startswith("/graphql"):
        return None if case.harmless else f"{answer.status}: taken"
    if answer.body == b"Invalid HTTP request received.":
        # What is no HTTP does not reach the application.
        return None if case.harmless or case.method == "BREW" else "no HTTP"
    if case.path.startswith("/graphql"):
        found = answer.json.get("errors", [])
        codes = [error["extensions"]["code"] for error in found]
        if b'"__typename":"NotFound"' in answer.body:
            return None
        return None if found and "INTERNAL" not in codes else f"{answer.body[:200]!r}"
    if answer.media != "application/problem+json":
        return f"{answer.media or 'nothing'} in place of a problem"
    body = answer.json
    if body["status"] != answer.status or not body["type"] or not body["title"] or not body["detail"]:
        return "no whole problem"
    if len(answer.body) > 20_000:
        return "an answer of more than 20,000 bytes"
    if answer.status == 422 and not _named(case, answer):
        return f"names {answer.pointers[:3]}, not {case.pointers}"
    return None


def _named(case: Case, answer: Answer) -> bool:
    found = answer.pointers
    if not case.pointers:
        return True
    return any(
        one == "" or one.startswith(pointer) or pointer.startswith(one) for one in found for pointer in case.pointers
    )


def rows_in(service: Service, tenant: str) -> dict[str, int]:
    """How many rows each table has of a tenant, but for counts of what was asked: refused requests count as well."""
    return asyncio.run(_rows(service, tenant))


async def _rows(service: Service, tenant: str) -> dict[str, int]:
    password = Credentials.read(Folder(service.home)).superuser
    port = int((Folder(service.home).data / "postmaster.pid").read_text().splitlines()[3])
    wire = await asyncpg.connect(host="127.0.0.1", port=port, user=SUPERUSER, password=password, database=DATABASE)
    try:
        names = await wire.fetch(
            "SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_name)"
            " WHERE column_name = 'tenant_id' AND table_type = 'BASE TABLE' AND tables.table_schema = 'public'"
            " AND table_name <> 'rate_use'"
        )
        tenant_id = await wire.fetchval("SELECT tenant_id FROM tenant WHERE name = $1", tenant)
        assert tenant_id is not None
        count = 'SELECT count(*) FROM "{}" WHERE tenant_id = $1'
        return {name: await wire.fetchval(count.format(name), tenant_id) for (name,) in names}
    finally:
        await wire.close()
