"""Pages of other origins: those that a setting names, and no others."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.composition import create_app
from app.settings import Settings, SettingsError, read_settings

OURS = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.fixture(scope="module")
async def http(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(cors_origins=(OURS, "http://localhost:3000")).with_database(database_url)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@pytest.mark.parametrize("path", ["/v1/events", "/graphql", "/nothing"])
@pytest.mark.parametrize("origin", [OURS, "http://localhost:3000"])
async def test_a_page_of_ours_may_ask_for_everything(http: httpx.AsyncClient, path: str, origin: str):
    asked = await http.options(path, headers={"Origin": origin, **PREFLIGHT})
    assert (asked.status_code, asked.content) == (204, b"")
    assert asked.headers["access-control-allow-origin"] == origin
    assert "PUT" in asked.headers["access-control-allow-methods"]
    allowed = asked.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "content-encoding", "idempotency-key", "if-match"} <= set(allowed)
    assert int(asked.headers["access-control-max-age"]) > 0
    for method in ("GET", "POST"):
        answer = await http.request(method, path, headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"ETag", "Link", "RateLimit", "Retry-After", "X-Request-Id", "Location", "Deprecation"} <= set(exposed)
        assert "Origin" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize(
    "origin", ["https://app.example.evil.example", "http://app.example", "https://app.example:444", "null", "*", ""]
)
async def test_no_other_page_may(http: httpx.AsyncClient, origin: str):
    asked = await http.options("/v1/events", headers={"Origin": origin, **PREFLIGHT})
    answer = await http.get("/livez", headers={"Origin": origin})
    for one in (asked, answer):
        assert not [name for name in one.headers if name.startswith("access-control-")]
        assert "Origin" in one.headers["vary"].split(", ")
    assert answer.status_code == 200


async def test_nobody_is_let_in_by_cookies(http: httpx.AsyncClient):
    for answer in (
        await http.options("/v1/events", headers={"Origin": OURS, **PREFLIGHT}),
        await http.get("/livez", headers={"Origin": OURS}),
    ):
        assert "access-control-allow-credentials" not in answer.headers


async def test_without_the_setting_nothing_is_said_of_it(api: httpx.AsyncClient):
    asked = await api.options("/v1/events", headers={"Origin": OURS, **PREFLIGHT})
    assert (asked.status_code, asked.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert not [name for name in asked.headers if name.startswith("access-control-")]
    assert "Origin" not in (await api.get("/livez", headers={"Origin": OURS})).headers["vary"]


def test_the_setting_names_exact_origins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARTWISE_CORS_ORIGINS", "https://a.example, http://localhost:3000,")
    assert read_settings().cors_origins == ("https://a.example", "http://localhost:3000")
    for wrong in ("*", "https://*.example", "https://a.example/", "a.example", "https://A.example", "null"):
        monkeypatch.setenv("PARTWISE_CORS_ORIGINS", wrong)
        with pytest.raises(SettingsError, match="PARTWISE_CORS_ORIGINS: must be origins"):
            read_settings()
