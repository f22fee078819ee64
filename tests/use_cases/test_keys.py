"""API keys against a real Postgres: expiry, revocation, tenants."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from app.ports.tenants import Scope
from app.store.engine import make_engine
from app.store.tenants import PostgresTenants
from app.use_cases.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from app.use_cases.keys import Keys

READ = frozenset({Scope.READ})


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
async def watch() -> Watch:
    return Watch()


@pytest.fixture
async def keys(database_url: str, watch: Watch) -> AsyncIterator[Keys]:
    engine = make_engine(database_url, 2)
    yield Keys(PostgresTenants(engine), watch)
    await engine.dispose()


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4()}"


async def test_a_key_names_its_tenant_and_its_scopes(keys: Keys, tenant: str):
    first, second = await keys.create(tenant, READ), await keys.create(tenant, frozenset({Scope.INGEST}))
    one, other = await keys.authenticate(first), await keys.authenticate(second)
    assert first != second
    assert one.tenant_id == other.tenant_id
    assert one.scopes == READ
    one.require(Scope.READ)
    with pytest.raises(ForbiddenError, match="ingest"):
        one.require(Scope.INGEST)
    elsewhere = await keys.authenticate(await keys.create(tenant + "-2", READ))
    assert elsewhere.tenant_id != one.tenant_id


@pytest.mark.parametrize("secret", ["", "pw_", "pw_wrong", "x" * 10_000, "pw_\ud800", "PW_abc"])
async def test_what_is_no_key_opens_nothing(keys: Keys, secret: str):
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(secret)


async def test_a_key_ends_when_it_expires(keys: Keys, tenant: str, watch: Watch):
    key = await keys.create(tenant, READ, expires_at=watch.time + timedelta(minutes=1))
    await keys.authenticate(key)
    watch.time += timedelta(minutes=1)
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(key)


async def test_a_revoked_key_ends_within_seconds(keys: Keys, tenant: str, watch: Watch):
    key = await keys.create(tenant, READ)
    principal = await keys.authenticate(key)
    assert principal.key_id
    await keys.revoke(tenant, principal.key_id)
    watch.time += timedelta(seconds=6)
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(key)
    with pytest.raises(NotFoundError):
        await keys.revoke(tenant, "none")
    with pytest.raises(NotFoundError):
        await keys.revoke(tenant + "-2", principal.key_id)


async def test_the_secret_is_not_kept(keys: Keys, tenant: str):
    key = await keys.create(tenant, READ)
    (stored,) = await keys.of(tenant)
    assert stored.hint == key[:7]
    assert key not in repr(stored)


async def test_the_last_use_is_noted(keys: Keys, tenant: str, watch: Watch):
    key = await keys.create(tenant, READ)
    await keys.authenticate(key)
    (stored,) = await keys.of(tenant)
    assert stored.last_used_at == watch.time
