"""The API in this process, over a real Postgres; each test has a tenant of its own."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from ipaddress import IPv4Network

import httpx
import pytest
from fastapi import FastAPI

from app.composition import create_app
from app.ports.tenants import Scope
from app.services import Services
from app.settings import Settings
from tests.rest.documented import PROBLEM, undocumented

Caller = Callable[..., Awaitable[httpx.AsyncClient]]
EVERYTHING = frozenset(Scope)
LOOPBACK = (IPv4Network("127.0.0.0/8"),)
"""Receivers of webhooks are on this machine."""


@pytest.fixture(scope="session")
async def application(database_url: str) -> AsyncIterator[FastAPI]:
    settings = Settings(webhook_networks=LOOPBACK, webhook_timeout=1.0)
    app = create_app(settings.with_database(database_url))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="session")
def services(application: FastAPI) -> Services:
    found: Services = application.state.services
    return found


@pytest.fixture
async def caller(application: FastAPI, services: Services) -> AsyncIterator[Caller]:
    """Make a client of the API for a tenant, with a new key of some scopes."""
    async with AsyncExitStack() as stack:

        async def make(tenant: str, *scopes: Scope) -> httpx.AsyncClient:
            key = await services.keys.create(tenant, frozenset(scopes) or EVERYTHING)
            return await stack.enter_async_context(
                httpx.AsyncClient(
                    # An exception in the application is to become an answer, as a real server would have it.
                    transport=httpx.ASGITransport(application, raise_app_exceptions=False),
                    base_url="http://test",
                    headers={"Authorization": f"Bearer {key}"},
                    event_hooks={"response": [_documented]},
                )
            )

        yield make


async def _documented(answer: httpx.Response) -> None:
    """Whatever a test of this folder asks: what comes back is as the document says."""
    has_problem = answer.headers.get("content-type") == PROBLEM and answer.request.method != "HEAD"
    assert undocumented(answer, await answer.aread() if has_problem else b"") == []


@pytest.fixture
async def anybody(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API without credentials."""
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    hooks = {"response": [_documented]}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", event_hooks=hooks) as found:
        yield found


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4()}"


@pytest.fixture
async def api(caller: Caller, tenant: str) -> httpx.AsyncClient:
    return await caller(tenant)
