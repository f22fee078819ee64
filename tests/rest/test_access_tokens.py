"""Access tokens over REST and GraphQL: who is let in, for which tenant, and what those are told who are not."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.composition import create_app
from app.oidc.issuers import Issuer
from app.ports.tenants import Scope
from app.rest.openapi.operations import Operation
from app.scopes import REST
from app.services import Services
from app.settings import Settings
from tests.oidc.local_issuer import AUDIENCE, LocalIssuer, SigningKey, key, local_issuer
from tests.rest.conftest import LOOPBACK, Caller
from tests.rest.test_bad_input import check
from tests.rest.walks import OPERATIONS, ask, named, world_of

QUERY = {"query": "{ clients(first: 1) { totalCount } }"}


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with local_issuer() as found:
        yield found


@pytest.fixture
async def application(issuer: LocalIssuer, database_url: str) -> AsyncIterator[FastAPI]:
    settings = Settings(oidc=(Issuer(issuer=issuer.url, audience=AUDIENCE, keys_pause=0.1),), webhook_networks=LOOPBACK)
    app = create_app(settings.with_database(database_url))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def services(application: FastAPI) -> Services:
    found: Services = application.state.services
    return found


@pytest.fixture
def tokens(issuer: LocalIssuer, tenant: str, api: httpx.AsyncClient) -> "Tokens":
    del api  # Which makes the tenant.
    return Tokens(issuer, tenant)


class Tokens:
    """Headers with tokens for one tenant."""

    def __init__(self, issuer: LocalIssuer, tenant: str) -> None:
        self._issuer = issuer
        self._tenant = tenant

    def __call__(self, by: SigningKey | None = None, **claims: Any) -> dict[str, str]:
        made = self._issuer.token(by, **{"tenant": self._tenant, **claims})
        return {"Authorization": f"Bearer {made}"}


def told(answer: httpx.Response, code: str, status: int) -> None:
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_a_token_lets_in_as_a_key_does(anybody: httpx.AsyncClient, api: httpx.AsyncClient, tokens: Tokens):
    await api.put("/v1/clients/a", json={"name": "A"})
    answer = await anybody.get("/v1/clients", headers=tokens())
    assert [one["client_id"] for one in answer.json()["items"]] == ["a"]
    answer = await anybody.post("/graphql", json=QUERY, headers=tokens())
    assert answer.json() == {"data": {"clients": {"totalCount": 1}}}
    # The key goes on working.
    assert (await api.get("/v1/clients")).status_code == 200


async def test_it_may_do_what_its_scopes_say(anybody: httpx.AsyncClient, tokens: Tokens):
    path, body = "/v1/clients/a", {"name": "A"}
    assert (await anybody.put(path, json=body, headers=tokens(scope="ingest"))).status_code == 201
    answer = await anybody.put(path, json=body, headers=tokens(scope="read manage"))
    check(answer, 403)
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="ingest"' in answer.headers["www-authenticate"]
    mutation = {"query": 'mutation { eraseClient(input: {clientId: "a"}) { __typename } }'}
    refused = (await anybody.post("/graphql", json=mutation, headers=tokens(scope="read ingest"))).json()
    assert refused == {"data": {"eraseClient": {"__typename": "Forbidden"}}}
    done = (await anybody.post("/graphql", json=mutation, headers=tokens(scope="manage"))).json()
    assert done["data"]["eraseClient"]["__typename"] != "Forbidden"


async def test_it_opens_its_own_tenant_alone(
    anybody: httpx.AsyncClient, api: httpx.AsyncClient, tokens: Tokens, services: Services, tenant: str
):
    await api.put("/v1/clients/a", json={"name": "A"})
    await services.keys.create(tenant + "-2", frozenset())
    theirs = tokens(tenant=tenant + "-2")
    check(await anybody.get("/v1/clients/a", headers=theirs), 404)
    assert (await anybody.get("/v1/clients", headers=theirs)).json()["items"] == []


async def test_a_tenant_that_is_not_here_is_forbidden(anybody: httpx.AsyncClient, tokens: Tokens, tenant: str):
    for name in (tenant + "-none", tenant.upper(), f"{tenant} ", "' OR true --", "\u00e9"):
        headers = tokens(tenant=name)
        answer = await anybody.get("/v1/clients", headers=headers)
        check(answer, 403)
        assert answer.headers["www-authenticate"] == 'Bearer realm="partwise"'
        other = await anybody.post("/graphql", json=QUERY, headers=headers)
        told(other, "FORBIDDEN", 403)
        assert other.headers["www-authenticate"] == answer.headers["www-authenticate"]


async def test_a_token_that_does_not_count(anybody: httpx.AsyncClient, tokens: Tokens):
    for headers in (
        tokens(exp=1),
        tokens(aud="https://other.example"),
        tokens(SigningKey(key("mine").private, "RS256", "k1")),
        tokens(tenant=None),
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer " + "x" * 20_000},
    ):
        answer = await anybody.get("/v1/clients", headers=headers)
        check(answer, 401)
        assert answer.headers["www-authenticate"].startswith('Bearer realm="partwise", error="invalid_token"')
        other = await anybody.post("/graphql", json=QUERY, headers=headers)
        told(other, "UNAUTHENTICATED", 401)
        assert other.headers["www-authenticate"] == answer.headers["www-authenticate"]
        # Neither says what was in it.
        assert headers["Authorization"][7:] not in answer.text or len(headers["Authorization"]) < 12


async def test_nothing_presented_is_challenged_without_an_error(anybody: httpx.AsyncClient, tokens: Tokens):
    secret = tokens()["Authorization"].removeprefix("Bearer ")
    for headers in ({}, {"Authorization": f"Basic {secret}"}, {"Cookie": f"access_token={secret}"}):
        for answer in (
            await anybody.get(f"/v1/clients?access_token={secret}" if not headers else "/v1/clients", headers=headers),
            await anybody.post("/graphql", json=QUERY, headers=headers),
        ):
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == 'Bearer realm="partwise"'


async def test_the_scheme_is_known_in_any_case(anybody: httpx.AsyncClient, tokens: Tokens):
    headers = {"Authorization": tokens()["Authorization"].replace("Bearer", "bEARER")}
    assert (await anybody.get("/v1/clients", headers=headers)).status_code == 200
    assert (await anybody.post("/graphql", json=QUERY, headers=headers)).status_code == 200


async def test_two_credentials_are_none(anybody: httpx.AsyncClient, api: httpx.AsyncClient, tokens: Tokens):
    """Whoever stands before us may have read the other one."""
    ours = ("Authorization", api.headers["authorization"])
    (theirs,) = tokens().items()
    for headers in ([ours, ours], [ours, theirs], [theirs, ours], [ours, ("authorization", "x")]):
        check(await anybody.get("/v1/clients", headers=headers), 401)
        told(await anybody.post("/graphql", json=QUERY, headers=headers), "UNAUTHENTICATED", 401)
        once = [*headers, ("Idempotency-Key", "one")]
        check(await anybody.post("/v1/policies", json={"settings": {}}, headers=once), 401)


async def test_the_provider_away_is_no_fault_of_the_token(
    anybody: httpx.AsyncClient, api: httpx.AsyncClient, tokens: Tokens, issuer: LocalIssuer
):
    issuer.stop()
    answer = await anybody.get("/v1/clients", headers=tokens())
    assert check(answer, 503)["type"] == "/problems/issuer-unavailable"
    assert answer.headers["retry-after"] == "5"
    other = await anybody.post("/graphql", json=QUERY, headers=tokens())
    told(other, "UNAVAILABLE", 503)
    assert other.headers["retry-after"] == "5"
    answer = await anybody.post(
        "/v1/policies", json={"settings": {}}, headers=tokens(scope="manage") | {"Idempotency-Key": "k"}
    )
    check(answer, 503)
    # Keys need no provider.
    assert (await api.get("/v1/clients")).status_code == 200
    # Nor does a token of somebody else's.
    check(await anybody.get("/v1/clients", headers=tokens(iss="https://other.example")), 401)


async def test_the_provider_away_later_is_not_noticed(anybody: httpx.AsyncClient, tokens: Tokens, issuer: LocalIssuer):
    assert (await anybody.get("/v1/clients", headers=tokens())).status_code == 200
    issuer.stop()
    assert (await anybody.get("/v1/clients", headers=tokens(sub="bert"))).status_code == 200
    assert (await anybody.post("/graphql", json=QUERY, headers=tokens())).status_code == 200


async def test_what_it_changes_is_noted_with_its_subject(
    anybody: httpx.AsyncClient, tokens: Tokens, issuer: LocalIssuer
):
    headers = tokens(scope="ingest manage")
    await anybody.put("/v1/clients/a", json={"name": "A"}, headers=headers | {"X-Request-Id": "r-1"})
    answer = await anybody.get("/v1/audit-log", params={"actor": f"user:{issuer.url}|anna"}, headers=headers)
    (entry,) = answer.json()["items"]
    assert (entry["action"], entry["request_id"]) == ("client.put", "r-1")


async def test_its_idempotency_keys_are_its_own(anybody: httpx.AsyncClient, tokens: Tokens):
    async def draft(note: str, **claims: Any) -> httpx.Response:
        headers = tokens(scope="manage", **claims) | {"Idempotency-Key": "one"}
        return await anybody.post("/v1/policies", json={"settings": {}, "note": note}, headers=headers)

    first = await draft("x")
    # Another token of the same subject is the same one who asks.
    again = await draft("x", jti="other")
    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 201, "true")
    other = await draft("y", sub="bert")
    assert other.status_code == 201
    assert "idempotency-replayed" not in other.headers


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.method == "POST"], ids=named)
async def test_who_may_do_less_gets_no_answer_that_more_was_needed_for(
    anybody: httpx.AsyncClient, caller: Caller, tenant: str, tokens: Tokens, operation: Operation
):
    """Not even that of the same user and the same request: it may hold the secret of a key."""
    world, needed = await world_of(caller, tenant), REST[named(operation)]

    async def asked(*scopes: str) -> httpx.Response:
        anybody.headers.update(tokens(scope=" ".join(scopes)) | {"Idempotency-Key": "one"})
        return await ask(anybody, operation, world.names)

    # Of whoever may not, nothing is claimed either.
    check(await asked(*sorted(set(Scope) - {needed})), 403)
    first = await asked(*Scope)
    assert first.is_success, first.text
    for scopes in (sorted(set(Scope) - {needed}), [needed]):
        answer = await asked(*scopes)
        check(answer, 403)
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert "idempotency-replayed" not in answer.headers
    again = await asked(*Scope)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")


async def test_whom_a_provider_vouches_for_makes_no_stronger_key(anybody: httpx.AsyncClient, tokens: Tokens):
    body = {"name": "x", "scopes": ["manage", "read"]}
    check(await anybody.post("/v1/api-keys", json=body, headers=tokens(scope="manage")), 403)
    made = await anybody.post("/v1/api-keys", json=body, headers=tokens(scope="manage read"))
    assert made.status_code == 201


async def test_without_a_provider_a_token_is_no_key(
    database_url: str, issuer: LocalIssuer, tenant: str, api: httpx.AsyncClient
):
    app = create_app(Settings().with_database(database_url))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        headers = {"Authorization": f"Bearer {issuer.token(tenant=tenant)}"}
        check(await client.get("/v1/clients", headers=headers), 401)
        assert (await client.get("/v1/clients", headers=dict(api.headers))).status_code == 200
    assert issuer.asked == []
