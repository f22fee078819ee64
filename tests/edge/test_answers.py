"""Headers for safety and for caches."""

import httpx
import pytest

from app.composition import create_app
from app.settings import Settings

PATHS = ["/livez", "/nothing", "/v1/clients", "/v1/clients/nobody", "/graphql", "/metrics", "/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_is_no_page(api: httpx.AsyncClient, path: str):
    headers = (await api.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in headers


async def test_a_page_has_a_policy_of_its_own(api: httpx.AsyncClient):
    page = await api.get("/graphql", headers={"Accept": "text/html"})
    assert page.headers.get_list("x-content-type-options") == ["nosniff"]
    assert "script-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/v1/clients/nobody", "/v1/events", "/v1/nothing", "/graphql"])
async def test_what_is_for_one_alone_is_kept_by_nobody_else(api: httpx.AsyncClient, path: str):
    stored = (await api.get(path)).headers["cache-control"]
    assert "no-store" in stored or "private" in stored
    refused = await api.get(path, headers={"Authorization": ""})
    assert "no-store" in refused.headers["cache-control"]


async def test_browsers_are_told_to_come_by_tls_where_a_setting_says_so(database_url: str):
    app = create_app(Settings(hsts_seconds=63_072_000).with_database(database_url))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        found = (await http.get("/livez")).headers["strict-transport-security"]
    assert found == "max-age=63072000; includeSubDomains"


async def test_what_an_answer_depends_on_is_said_once(api: httpx.AsyncClient):
    await api.put("/v1/clients/acme", json={"name": "Acme"})
    answer = await api.get("/v1/clients/acme/explanation")
    (vary,) = answer.headers.get_list("vary")
    assert sorted(vary.split(", ")) == ["Accept-Encoding", "Accept-Language"]
