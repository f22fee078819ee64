"""GraphQL over HTTP beyond the audits (tests/system): bad requests, limits, trusted documents, time, failures."""

import asyncio
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from graphql import get_introspection_query

from app.composition import create_app
from app.graphql import requests
from app.graphql.answering import Answering
from app.graphql.documents import Documents, InvalidDocument, read_trusted
from app.graphql.endpoint import GraphQLEndpoint
from app.graphql.live.ends import Transport
from app.graphql.live.event_streams import EventStreams
from app.graphql.live.keeper import Keeper
from app.graphql.live.seats import Seats
from app.graphql.live.subscriptions import Subscriptions
from app.graphql.schema import make_schema
from app.ports.tenants import Scope
from app.ports.tracing import OFF
from app.services import Services
from app.settings import Settings
from app.use_cases.unheard import UNHEARD
from benchmarks.hostile import documents
from tests.graphql.conftest import Ask

ASKED = '{ client(clientId: "a") { id } }'
RESPONSE = "application/graphql-response+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b'"x"',
        b"{}",
        b'{"query": 1}',
        b'{"query": "{ __typename }", "operationName": "\\ud800"}',
        b'{"query": "\\ud800"}',
        b'{"query": "{ __typename }", "variables": [1]}',
        b'{"query": "{ __typename }", "operationName": "Other"}',
        b'{"query": "query A { __typename } query B { __typename }"}',
        b'{"query": "fragment A on Client { id }"}',
        b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
        b'{"query": "{ __typename }", "extensions": {"persistedQuery": {"sha256Hash": 1}}}',
        b'{"query": "\xff"}',
    ],
)
@pytest.mark.parametrize("accept", ["application/json", RESPONSE])
async def test_what_is_no_request_is_400(api: httpx.AsyncClient, body: bytes, accept: str):
    headers = {"Content-Type": "application/json", "Accept": accept}
    answer = await api.post("/graphql", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert set(answer.json()) == {"errors"}
    assert answer.json()["errors"][0]["extensions"]["code"] in ("BAD_REQUEST", "GRAPHQL_VALIDATION_FAILED")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "br"}, 415),
        ({"Content-Type": "application/json", "Accept": "text/plain"}, 406),
        ({"Content-Type": "application/json", "Authorization": "Bearer pw_nobody"}, 401),
        ({"Content-Type": "application/json", "Authorization": "Basic eDp5"}, 401),
    ],
)
async def test_what_is_not_let_in(api: httpx.AsyncClient, headers: dict[str, str], status: int):
    answer = await api.post("/graphql", content=json.dumps({"query": ASKED}), headers=headers)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["message"]


async def test_methods(api: httpx.AsyncClient):
    assert (await api.get("/graphql", params={"query": ASKED})).json() == {"data": {"client": None}}
    assert (await api.get("/graphql", params={"query": ASKED, "variables": "{"})).status_code == 400
    assert (await api.get("/graphql")).status_code == 400
    mutation = 'mutation { activatePolicy(version: "default-1") { __typename } }'
    refused = await api.get("/graphql", params={"query": mutation})
    assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST")
    for method in ("PUT", "DELETE", "PATCH"):
        answer = await api.request(method, "/graphql", json={"query": ASKED})
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert (await api.post("/graphql/else", json={"query": ASKED})).status_code == 404
    assert (
        await api.post("/graphql", content=b"x" * (8 * 1024 * 1024 + 1), headers={"Content-Type": "application/json"})
    ).status_code == 413


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (f"{RESPONSE};q=0, application/json", "application/json"),
        (f"application/json;q=0.1, {RESPONSE};q=0.9", RESPONSE),
        (f"{RESPONSE}, application/json", RESPONSE),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/*", "application/json"),
        ("*/*;q=0", None),
        ("text/html", None),
        (f"{RESPONSE};q=nonsense", None),
    ],
)
async def test_the_answer_is_in_the_media_type_that_is_wanted_most(
    api: httpx.AsyncClient, accept: str, media: str | None
):
    answer = await api.post("/graphql", json={"query": ASKED}, headers={"Accept": accept})
    assert answer.status_code == (406 if media is None else 200)
    assert answer.headers["content-type"] == f"{media or 'application/json'}; charset=utf-8"


async def test_graphiql_is_served_with_its_assets(api: httpx.AsyncClient):
    page = await api.get("/graphql", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("graphiql.js", "graphiql.css"):
        assert f"/graphql/assets/{name}" in page.text
        assert (await api.get(f"/graphql/assets/{name}")).status_code == 200
    for name in ("../__init__.py", "__init__.py", "%2e%2e/errors.py", "nope.js"):
        assert (await api.get(f"/graphql/assets/{name}")).status_code == 404


@pytest.mark.parametrize(("name", "text"), list(documents()), ids=[name for name, _ in documents()])
async def test_hostile_documents_are_refused_with_a_code(api: httpx.AsyncClient, name: str, text: str):
    answer = await api.post("/graphql", json={"query": text}, headers={"Accept": RESPONSE})
    if "fine" in name or "may be" in name:
        assert answer.status_code == 200, answer.text
        return
    assert answer.status_code == 400
    assert all(error["extensions"]["code"] for error in answer.json()["errors"])
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{ client(clientId: "a") { ' + "name " * 40 + "} }", "LIMIT_PAIRS"),
        ("{ " + " ".join(f"a{n}: eventTypes {{ type }}" for n in range(51)) + " }", "LIMIT_ALIASES"),
        ("{ eventTypes { type " + "@skip(if: false) " * 51 + "} }", "LIMIT_DIRECTIVES"),
        (
            "{ clients(first: 100) { edges { node { timeline(first: 100) { edges { node { type } } } } } } }",
            "LIMIT_COST",
        ),
        ("{ a(" * 20 + "b" + ")}" * 20, "GRAPHQL_PARSE_FAILED"),
        ("{ x " * 30 + "}" * 30, "LIMIT_DEPTH"),
        ("#" * 20_001, "LIMIT_CHARACTERS"),
        ("{ " + "x " * 1_000 + "}", "LIMIT_TOKENS"),
        ("query A { eventTypes { type } } " + " ".join(f"query Q{n} {{ x }}" for n in range(60)), "LIMIT_DEFINITIONS"),
    ],
)
async def test_each_limit_has_its_code(api: httpx.AsyncClient, text: str, code: str):
    answer = await api.post("/graphql", json={"query": text}, headers={"Accept": RESPONSE})
    assert answer.json()["errors"][0]["extensions"]["code"] == code


async def test_the_cost_of_a_page_may_come_by_a_variable(ask: Ask):
    query = (
        "query ($n: Int) { clients(first: $n) { edges { node { timeline(first: $n) { edges { node { type } } } } } } }"
    )
    assert "errors" not in await ask(query, n=5)
    assert (await ask(query, n=100))["errors"][0]["extensions"]["code"] == "LIMIT_COST"
    assert "errors" not in await ask(query, n=5)


async def test_the_schema_is_told_as_the_setting_says(database_url: str, ask: Ask):
    query = "{ __schema { types { name } } }"
    assert len((await ask(query))["data"]["__schema"]["types"]) > 50
    closed = Documents(make_schema(), introspection=False, suggestions=False)
    with pytest.raises(InvalidDocument, match="introspection"):
        closed.operation(query, None, {})
    with pytest.raises(InvalidDocument) as refused:
        closed.operation("{ client(clientId: 1) { nam } }", None, {})
    assert "Did you mean" not in str(refused.value)
    with pytest.raises(InvalidDocument, match="Did you mean"):
        Documents(make_schema()).operation('{ client(clientId: "a") { nam } }', None, {})


async def test_trusted_documents(tmp_path: Path, services: Services, database_url: str):
    digest = hashlib.sha256(ASKED.encode()).hexdigest()
    file = tmp_path / "documents.json"
    file.write_text(json.dumps({digest: ASKED}))
    settings = Settings(graphql_documents=file, graphql_only_trusted=True, graphiql=False).with_database(database_url)
    app = create_app(settings)
    key = await services.keys.create("trusting", frozenset({Scope.READ}))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers={"Authorization": f"Bearer {key}"}
        ) as client,
    ):

        async def code(body: dict[str, Any]) -> str | None:
            answer = (await client.post("/graphql", json=body)).json()
            return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None

        assert await code({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}) is None
        assert await code({"documentId": f"sha256:{digest}"}) is None
        assert await code({"query": ASKED}) is None
        assert await code({"query": "{ eventTypes { type } }"}) == "UNTRUSTED_DOCUMENT"
        assert await code({"documentId": "0" * 64}) == "PERSISTED_QUERY_NOT_FOUND"
        page = await client.get("/graphql", headers={"Accept": "text/html"})
        assert page.status_code != 200, "GraphiQL is off"


def test_a_file_of_trusted_documents_is_held_to_its_digests(tmp_path: Path):
    file = tmp_path / "documents.json"
    for content in ("[]", '{"abc": "{ x }"}', '{"abc": 1}'):
        file.write_text(content)
        with pytest.raises(ValueError, match=file.name):
            read_trusted(file)


class Slow:
    """A plan that takes its time."""

    async def run(self, context: object, variables: object) -> dict[str, Any]:
        await asyncio.sleep(30)
        return {}


class Broken:
    """A database of clients that fails in a way that nobody foresaw."""

    async def find(self, tenant_id: str, client_id: str) -> None:
        raise RuntimeError("the password is 1234")


def endpoint_of(services: Services, documents: Documents, timeout: float = 10) -> GraphQLEndpoint:
    answering, keeper = Answering(documents), Keeper(services.authenticate, services.vitals.ending)
    subscriptions = Subscriptions(answering, Seats("subscriptions", 1, 1, 1), UNHEARD, OFF, Transport.SSE)
    return GraphQLEndpoint(services, answering, EventStreams(subscriptions, keeper), timeout=timeout)


async def through(endpoint: GraphQLEndpoint, key: str, query: str) -> dict[str, Any]:
    transport = httpx.ASGITransport(endpoint)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/graphql", json={"query": query}, headers={"Authorization": f"Bearer {key}"})
    found: dict[str, Any] = orjson.loads(answer.content)
    return found


async def test_an_operation_has_its_time(services: Services, monkeypatch: pytest.MonkeyPatch):
    key = await services.keys.create("slow", frozenset({Scope.READ}))
    schema_documents = Documents(make_schema())
    slow = schema_documents.operation(ASKED, None, {})
    monkeypatch.setattr(Documents, "operation", lambda *_: dataclasses.replace(slow, plan=Slow()))  # type: ignore[arg-type]
    answer = await through(endpoint_of(services, schema_documents, timeout=0.05), key, ASKED)
    assert answer["errors"][0]["extensions"]["code"] == "TIMEOUT"


async def test_what_happens_inside_is_not_told(services: Services, caplog: pytest.LogCaptureFixture):

    key = await services.keys.create("broken", frozenset({Scope.READ}))
    broken = dataclasses.replace(services, clients=Broken())  # type: ignore[arg-type]
    answer = await through(endpoint_of(broken, Documents(make_schema())), key, ASKED)
    assert answer["data"] == {"client": None}
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "1234" not in json.dumps(answer)
    assert "1234" in caplog.text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("query ($v: String) { policy(version: $v) { version } }", "NOT_FOUND"),
        ("query ($v: String!) { policyPreview(version: $v) { version } }", "NOT_FOUND"),
        (
            'query ($v: String!) { simulate(clientId: $v, events: [{type: "contract.signed"}]) { scoreDifference } }',
            "BAD_USER_INPUT",
        ),
        ("query ($v: String!) { events(clientId: $v) { edges { cursor } } }", "BAD_USER_INPUT"),
        ("query ($v: String!) { clients(filter: {text: $v}) { totalCount } }", "BAD_USER_INPUT"),
    ],
)
@pytest.mark.parametrize("value", ["\x00", "x" * 5_000 + "\x00"])
async def test_text_that_no_name_can_be_is_named(ask: Ask, query: str, code: str, value: str):
    answer = await ask(query, v=value)
    assert answer["errors"][0]["extensions"]["code"] == code
    assert len(answer["errors"][0]["message"]) < 200


async def test_the_whole_schema_can_be_asked_for(ask: Ask):
    found = await ask(get_introspection_query(input_value_deprecation=True, specified_by_url=True))
    assert "errors" not in found
    kinds = await ask("{ __schema { types { isOneOf fields { type { isOneOf name } } } } }")
    assert "errors" not in kinds


async def test_a_page_by_a_default_costs_what_it_is(ask: Ask):
    query = "query ($n: Int = 100) { clients(first: $n) { edges { node { events(first: $n) { edges { cursor } } } } } }"
    answer = await ask(query)
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_COST"


async def test_costly_work_may_be_asked_for_by_get(api: httpx.AsyncClient):
    """Whose empty body comes while the work is done."""
    answer = await api.get("/graphql", params={"query": "{ clients(first: 1) { totalCount } portfolio { clients } }"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == {"clients": {"totalCount": 0}, "portfolio": {"clients": 0}}


async def test_costly_work_ends_when_nobody_waits_for_it(services: Services, monkeypatch: pytest.MonkeyPatch):
    """The client is gone before the plan, which would take its time, has come to an end."""
    ended = asyncio.Event()

    class Long:
        async def run(self, context: object, variables: object) -> dict[str, Any]:
            try:
                await asyncio.sleep(30)
            finally:
                ended.set()
            return {}

    key = await services.keys.create("leaving", frozenset({Scope.READ}))
    reader = Documents(make_schema())
    costly = dataclasses.replace(reader.operation(ASKED, None, {}), plan=Long(), is_costly=True)  # type: ignore[arg-type]
    monkeypatch.setattr(Documents, "operation", lambda *_: costly)
    asked = {"type": "http.request", "body": json.dumps({"query": ASKED}).encode()}
    messages: list[dict[str, Any]] = [asked, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: object) -> None:
        del message

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "headers": [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())],
    }
    await endpoint_of(services, reader, timeout=20)(scope, receive, send)
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            " ".join(f"query A{n} {{ ...F }}" for n in range(49))
            + " fragment F on Query { "
            + "policy { id } " * 12
            + "}",
            "LIMIT_",
        ),
        ("{ policy { id } } fragment F on Query { " + "policy { id } " * 200 + "}", "LIMIT_PAIRS"),
    ],
)
async def test_limits_are_of_the_whole_document(api: httpx.AsyncClient, text: str, code: str):
    answer = await api.post("/graphql", json={"query": text}, headers={"Accept": RESPONSE})
    assert answer.json()["errors"][0]["extensions"]["code"].startswith(code)


async def test_variables_are_bounded(api: httpx.AsyncClient):
    query = 'query ($v: [SupposedEvent!]!) { simulate(clientId: "a", events: $v) { scoreDifference } }'
    answer = await api.post("/graphql", json={"query": query, "variables": {"v": [{"type": "a"}] * 60_000}})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "LIMIT_VARIABLES")


@pytest.mark.parametrize("one", [rb'{"a":"\u0022"}', rb'{"a":"\"\\"}', b"{}", b"[0]", b"1"])
async def test_too_many_variables_are_refused_before_they_are_made(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, one: bytes
):
    monkeypatch.setattr(requests, "decode_json", None)
    body = b'{"query":"{ __typename }","variables":{"v":[' + b",".join([one] * 60_000) + b"]}}"
    answer = await api.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "LIMIT_VARIABLES")


async def test_marks_in_texts_are_no_variables(api: httpx.AsyncClient):
    variables: dict[str, Any] = {"v": ['",[{' * 100_000, "\\"] + [{"a": []}] * 16_000}
    answer = await api.post("/graphql", json={"query": "{ __typename }", "variables": variables})
    assert answer.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("number", ["9" * 5_000, "-" + "9" * 5_000, "9" * 5_000 + ".5", "1e" + "9" * 5_000])
async def test_a_number_of_thousands_of_digits_is_refused_in_our_words(api: httpx.AsyncClient, number: str):
    for query in (
        f"{{ clients(first: {number}) {{ totalCount }} }}",
        f'{{ client(clientId: "a", asOf: {number}) {{ id }} }}',
    ):
        answer = await api.post("/graphql", json={"query": query})
        assert answer.status_code == 200
        for error in answer.json()["errors"]:
            assert "sys." not in error["message"]
            assert len(error["message"]) < 400


async def test_all_lines_of_a_header_count(api: httpx.AsyncClient):
    for accepts in ((RESPONSE, "text/html"), ("text/html", RESPONSE)):
        headers = [("Accept", one) for one in accepts]
        answer = await api.post("/graphql", json={"query": ASKED}, headers=headers)
        assert answer.headers["content-type"] == f"{RESPONSE}; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"query": "{ __typename }", "query": "{ __typename }"}', "/query"),
        (b'{"query": "{ __typename }", "variables": {"a": [{"b": 1, "b": 1}]}}', "/variables/a/0/b"),
    ],
)
async def test_a_name_that_stands_twice_is_named(api: httpx.AsyncClient, body: bytes, pointer: str):
    answer = await api.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == f"{pointer}: given more than once"


async def test_half_of_a_surrogate_pair_is_named(api: httpx.AsyncClient):
    body = rb'{"query": "{ __typename }", "variables": {"input": {"clientId": "\ud800"}}}'
    posted = await api.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    got = await api.get("/graphql", params={"query": "{ __typename }", "variables": r'{"a": ["\ud800"]}'})
    for answer, named in ((posted, "/variables/input/clientId"), (got, "?variables/a/0")):
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["message"] == f"{named}: a string has half of a surrogate pair"


async def test_a_parameter_that_stands_twice_is_named(api: httpx.AsyncClient):
    for query, named in (
        ("query={__typename}&query={__typename}", "?query"),
        ('query={__typename}&variables={"a":1,"a":2}', "?variables/a"),
    ):
        answer = await api.get("/graphql?" + query)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["message"] == f"{named}: given more than once"
