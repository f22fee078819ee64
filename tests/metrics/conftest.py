"""The whole application, as tests/rest has it, and what it exposes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from app.composition import create_app
from app.settings import Settings
from tests.metrics.exposed import Exposed
from tests.rest.conftest import api, application, caller, services, tenant

__all__ = ["api", "application", "caller", "running", "services", "tenant"]


@asynccontextmanager
async def running_app(settings: Settings, authorization: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A fresh application, which nobody has asked anything yet."""
    app: FastAPI = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": authorization} if authorization else {}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http,
    ):
        yield http


@pytest.fixture
async def running(api: httpx.AsyncClient, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A fresh application, asked by a tenant's key that may do everything."""
    async with running_app(Settings().with_database(database_url), api.headers["Authorization"]) as http:
        yield http


@pytest.fixture
async def before(running: httpx.AsyncClient) -> Exposed:
    """What it exposes at its start."""
    return await Exposed.of(running)
