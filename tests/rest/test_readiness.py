"""When the service says that it can serve."""

import asyncpg
import httpx

from app.composition import create_app
from app.settings import Settings
from tests.postgres import Server


async def readiness(database_url: str) -> httpx.Response:
    app = create_app(Settings().with_database(database_url))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.get("/readyz")


async def test_with_a_database_that_was_migrated(database_url: str):
    assert (await readiness(database_url)).status_code == 200


async def test_not_before_the_tables_are_made(empty_database_url: str):
    assert (await readiness(empty_database_url)).status_code == 503


async def test_not_without_rights_to_the_tables(fresh_database_url: str, postgres: Server):
    connection = await asyncpg.connect(postgres.owner_of(fresh_database_url).replace("+asyncpg", ""))
    await connection.execute("revoke all on event from partwise_service")
    await connection.close()
    assert (await readiness(fresh_database_url)).status_code == 503


async def test_not_with_a_database_that_does_not_exist(database_url: str):
    found = await readiness(f"{database_url}_of_nobody")
    assert (found.status_code, found.headers["Retry-After"]) == (503, "1")


async def test_not_with_a_database_that_is_away():
    assert (await readiness("postgresql+asyncpg://nobody:x@127.0.0.1:1/none")).status_code == 503
