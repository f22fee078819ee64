"""HEAD wherever GET is, and OPTIONS everywhere."""

import httpx
import pytest

from tests.cloud_events import STRUCTURED, as_json, cloud_event

ASKED = '{ client(clientId: "acme") { name } }'
READS = [
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/problems",
    "/v1/events",
    "/v1/event-types",
    "/v1/clients",
    "/v1/clients/acme",
    "/v1/clients/acme/score",
    "/v1/clients/acme/explanation",
    "/v1/clients/nobody",
    "/nothing",
    f"/graphql?query={ASKED}",
]


@pytest.mark.parametrize("path", READS)
async def test_head_is_get_without_a_body(api: httpx.AsyncClient, path: str):
    await api.post("/v1/events", content=as_json(cloud_event()), headers={"Content-Type": STRUCTURED})
    # Some answers tell of the instant, and are not always of one length when they are compressed.
    api.headers["Accept-Encoding"] = "identity"
    got, head = await api.get(path), await api.head(path)
    assert head.content == b""
    assert head.status_code == got.status_code
    volatile = (
        {"x-request-id", "content-length"} if path in ("/metrics", "/v1/clients/acme/score") else {"x-request-id"}
    )
    if path in ("/v1/clients/acme/score", "/v1/clients/acme/explanation"):
        # Of another instant, they have another tag.
        volatile |= {"etag"}
    volatile |= {name for name in got.headers if name.startswith("ratelimit")}
    same = [{name: value for name, value in one.headers.items() if name not in volatile} for one in (got, head)]
    assert same[0] == same[1]


async def test_head_where_get_is_not(api: httpx.AsyncClient):
    answer = await api.head("/v1/clients/acme/simulate")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "OPTIONS, POST", b"")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/v1/events", "GET, HEAD, OPTIONS, POST"),
        ("/v1/clients/acme", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/v1/clients/acme/simulate", "OPTIONS, POST"),
        ("/graphql", "GET, HEAD, OPTIONS, POST"),
        ("/graphql/assets/graphiql.js", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_names_what_is_possible(api: httpx.AsyncClient, path: str, allowed: str):
    answer = await api.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == allowed
    refused = await api.request("TRACE", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


async def test_options_where_nothing_is(api: httpx.AsyncClient):
    answer = await api.options("/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
