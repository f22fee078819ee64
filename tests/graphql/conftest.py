"""GraphQL in this process, over a real Postgres; each test has a tenant of its own, or looks at the ten stories."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.cli.demo import load_demo
from app.settings import Settings
from tests.rest.conftest import Caller, api, application, caller, services, tenant

__all__ = ["Ask", "Caller", "api", "application", "asking", "caller", "services", "tenant"]

Ask = Callable[..., Awaitable[dict[str, Any]]]


def asking(client: httpx.AsyncClient) -> Ask:
    """Ask a query and return the whole answer."""

    async def ask(query: str, **variables: Any) -> dict[str, Any]:
        answer = await client.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return ask


@pytest.fixture
def ask(api: httpx.AsyncClient) -> Ask:
    return asking(api)


@pytest.fixture(scope="session")
async def demo(application: FastAPI, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The ten stories, as their tenant sees them."""
    key = await load_demo(Settings().with_database(database_url))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": f"Bearer {key}"},
    ) as found:
        yield found


@pytest.fixture(scope="session")
def ask_demo(demo: httpx.AsyncClient) -> Ask:
    return asking(demo)
