"""What clients send and what is stored about people is in no log, no metric and no answer to anybody else.

A real server at the level of `debug`, with whatever makes it and Postgres complain; then everything that either of them
wrote is searched.
"""

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.embedded.cluster import SUPERUSER, Credentials
from app.embedded.folder import Folder
from app.embedded.server import DATABASE
from app.ports.tenants import Scope
from tests.cloud_events import BATCH, NDJSON, STRUCTURED, as_json, cloud_event
from tests.embedded.owners import postmaster
from tests.oidc.local_issuer import AUDIENCE, LocalIssuer, local_issuer
from tests.service import Service, free_port

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]

# Each is sent in many places; the word in it is in no text of ours.
NAME = "Quibblefax & Söhne"
MAIL = "quibblefax.anna@example.org"
EVENT_ID = "quibblefax-event"
WRONG_KEY = "pw_quibblefax0000000000000000000000000000000000"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJxdWliYmxlZmF4In0.quibblefaxsignature"
ONCE = "quibblefax-once-5a4f"
SECRETS = ("quibblefax-signs-0123456789abcdef", "quibblefax-verifies-0123456789abcdef")
WORD = "quibblefax"
# What opens something: not even told to whom it came from.
OPENING = (WRONG_KEY, TOKEN, ONCE, *SECRETS)
_numbers = itertools.count()


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    with local_issuer() as found:
        yield found


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory, issuer: LocalIssuer) -> Iterator[Service]:
    """A server that logs all it can."""
    found = Service(tmp_path_factory.mktemp("talkative"), free_port())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTWISE_LOG_LEVEL", "debug")
        patch.setenv("PARTWISE_SECRETS", ",".join(SECRETS))
        patch.setenv("PARTWISE_OIDC", json.dumps([{"issuer": issuer.url, "audience": AUDIENCE}]))
        found.start()
        try:
            yield found
        finally:
            found.stop()


def as_superuser(service: Service, statement: str) -> None:
    async def run() -> None:
        port = int((Folder(service.home).data / "postmaster.pid").read_text().splitlines()[3])
        password = Credentials.read(Folder(service.home)).superuser
        wire = await asyncpg.connect(host="127.0.0.1", port=port, user=SUPERUSER, password=password, database=DATABASE)
        try:
            await wire.execute(statement)
        finally:
            await wire.close()

    asyncio.run(run())


def everything(http: httpx.Client) -> Iterator[httpx.Response]:
    """Requests with what is secret in every place that there is, right and wrong ones."""
    named = {"name": NAME, "country": "DE"}
    event = cloud_event(EVENT_ID, kind="client.updated", client=MAIL, data={"name": NAME})
    wrong = event | {"data": {"name": NAME, MAIL: NAME}}

    def once() -> dict[str, str]:
        return {"Idempotency-Key": f"{ONCE}-{next(_numbers)}"}

    yield http.put(f"/v1/clients/{MAIL}", json=named, headers=once())
    yield http.put(f"/v1/clients/{MAIL}", json=named | {"country": MAIL}, headers=once())
    yield http.put(f"/v1/clients/{MAIL}%00", json=named)
    yield http.put("/v1/clients/x", content=f'{{"name": "{NAME}'.encode(), headers={"Content-Type": "application/json"})
    for media, body in (
        (STRUCTURED, as_json(event)),
        (STRUCTURED, as_json(wrong)),
        (STRUCTURED, as_json(event)[:-5]),
        (BATCH, as_json([wrong, event])),
        (BATCH, as_json([cloud_event(f"{EVENT_ID}-{n}", client=MAIL) for n in range(500)])),
        (BATCH, as_json([cloud_event(f"{EVENT_ID}-{n}", client=MAIL) for n in range(500)])),
        (NDJSON, as_json(event) + b"\n" + as_json(wrong) + b"\n"),
        (f"{MAIL}/{NAME}".encode(), as_json(event)),
    ):
        yield http.post("/v1/events", content=body, headers=[("Content-Type", media), *once().items()])  # type: ignore[arg-type]
    for query in ("client_id", "source", "type", "cursor", "as_of", WORD):
        yield http.get("/v1/events", params={query: f"{MAIL} {TOKEN}" if query == "client_id" else MAIL})
    for path in ("", "/score", "/explanation", "/history", "/timeline", f"/{WORD}"):
        yield http.get(f"/v1/clients/{MAIL}{path}", headers={"User-Agent": MAIL, "Referer": f"https://x/{MAIL}"})
    for authorization in (f"Bearer {WRONG_KEY}", f"Bearer {TOKEN}", f"Basic {TOKEN}", TOKEN):
        yield http.get("/v1/clients", headers={"Authorization": authorization})
        yield http.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": authorization})
    literal = json.dumps(MAIL)
    for document, variables in (
        (f"{{ client(clientId: {literal}) {{ id name }} }}", {}),
        (f"{{ client(clientId: {literal}, asOf: {literal}) {{ id }} }}", {}),
        (f"{{ {WORD}(clientId: {literal}) {{ id }} }} # {TOKEN}", {}),
        (f'{{ client(clientId: "{MAIL}', {}),
        ("query ($id: String!) { client(clientId: $id) { id name } }", {"id": MAIL}),
        ("query ($id: Int!) { clients(first: $id) { totalCount } }", {"id": MAIL}),
        ("query ($t: String) { clients(filter: {text: $t}) { edges { node { name } } } }", {"t": NAME}),
        ("mutation ($e: [JSON!]!) { recordEvents(events: $e) { __typename } }", {"e": [event, wrong]}),
    ):
        yield http.post("/graphql", json={"query": document, "variables": variables})
    yield http.post("/v1/policies", json={"settings": {MAIL: NAME}, "note": NAME}, headers=once())
    yield http.post(f"/v1/clients/{MAIL}/simulate", json={"events": [wrong]})
    for note in (NAME, NAME, MAIL):
        yield http.post("/v1/policies", json={"settings": {}, "note": note}, headers={"Idempotency-Key": ONCE})
    yield http.post("/v1/policies", json={"settings": {}}, headers={"Idempotency-Key": f"{ONCE}\x7f{ONCE}"})
    yield http.delete(f"/v1/clients/{WORD}-other", headers=once())


def with_tokens(service: Service, tokens: list[str]) -> Iterator[httpx.Response]:
    """Requests of people whom a provider vouches for, and of others."""
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=60, transport=Again()) as http:
            yield http.get("/v1/clients")
            yield http.put(f"/v1/clients/{MAIL}", json={"name": NAME})
            yield http.get("/v1/audit-log")
            yield http.get("/v1/clients", params={"cursor": token})
            yield http.post("/graphql", json={"query": "{ clients(first: 1) { totalCount } }"})


class Again(httpx.HTTPTransport):
    """Asks once more where the server closed a connection that had rested."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except httpx.TransportError:
            return super().handle_request(request)


def wait_until_ready(service: Service) -> None:
    deadline = time.monotonic() + 60
    while not httpx.get(f"{service.url}/readyz").is_success:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.timeout(180)
def test_nothing_of_it_is_written_anywhere(talkative: Service, issuer: LocalIssuer):
    service = talkative
    person: dict[str, Any] = {"sub": MAIL, "tenant": f"{WORD}-tenant", "scope": " ".join(Scope)}
    good = issuer.token(**person)
    tokens = [good, issuer.token(**person, exp=1), issuer.token(**{**person, "tenant": f"{WORD}-other"}), good[:-9]]
    # The signature is what nobody could write himself.
    signatures = [token.rpartition(".")[2] for token in tokens]
    key = service.key(f"{WORD}-tenant", ",".join(Scope))
    answers: list[httpx.Response] = []
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60, transport=Again()) as http:
        answers += everything(http)
        answers += with_tokens(service, tokens)
        assert {answer.status_code for answer in answers} >= {200, 401, 403}
        assert all(answer.status_code < 500 for answer in answers)
        # Errors of ours: Postgres refuses rows and tells them, statements and their tables are gone.
        as_superuser(service, f"ALTER TABLE client ADD CONSTRAINT no_one CHECK (client_id !~ '{WORD}') NOT VALID")
        as_superuser(service, "ALTER TABLE policy RENAME TO policy_elsewhere")
        failed = [
            *with_tokens(service, tokens),
            http.put(f"/v1/clients/{MAIL}", json={"name": NAME + " anew"}),
            *everything(http),
        ]
        assert any(answer.status_code == 500 for answer in failed)
        as_superuser(service, "ALTER TABLE policy_elsewhere RENAME TO policy")
        as_superuser(service, "ALTER TABLE client DROP CONSTRAINT no_one")
        # Postgres goes, and comes back.
        process = postmaster(service.home)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        away = [*everything(http), *with_tokens(service, tokens)]
        assert all(answer.status_code != 500 for answer in away)
        wait_until_ready(service)
        answers += [*failed, *away, *everything(http)]
    metrics = httpx.get(f"{service.url}/metrics", headers={"Authorization": f"Bearer {key}"}).text
    logs = [path for path in [service.home / service.log, *Path(service.home).rglob("*.log*")] if path.is_file()]
    written = {str(path): path.read_text(errors="replace") for path in logs} | {"/metrics": metrics}
    assert any("app/" in text and "Error" in text for text in written.values()), (
        "errors of ours are told with their place"
    )
    assert len(written) >= 3
    for place, text in written.items():
        opening = (key, *tokens, *signatures)
        found = [line for line in text.splitlines() if WORD in line.lower() or any(one in line for one in opening)]
        assert found == [], place
    for answer in answers:
        secrets = (*OPENING, key, *tokens, *signatures)
        assert not any(secret in answer.text for secret in secrets), (answer.request.url, answer.text[:500])
        # A link to the next page repeats the query that it was asked with.
        told = [value for name, value in answer.headers.items() if name not in ("link", "idempotency-key")]
        assert not any(secret in str(told) for secret in secrets), answer.headers
