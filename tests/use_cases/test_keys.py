"""API keys against a real Postgres: expiry, revocation, tenants."""

import asyncio
import re
import string
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ports.audit import CLI, Action
from app.ports.ledger import StoreUnavailableError
from app.ports.tenants import ApiKey, FoundKey, Scope
from app.store.engine import make_engine
from app.store.tenants import PostgresTenants
from app.use_cases.errors import ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.use_cases.key_format import is_well_formed, new_secret
from app.use_cases.keys import Keys, Principal

READ = frozenset({Scope.READ})
START = datetime(2026, 1, 1, tzinfo=UTC)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


@pytest.fixture
async def watch() -> Watch:
    return Watch()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresTenants]:
    engine = make_engine(database_url, 4)
    yield PostgresTenants(engine)
    await engine.dispose()


@pytest.fixture
async def keys(asked: list[int], store: PostgresTenants, watch: Watch) -> AsyncIterator[Keys]:
    found = Keys(store, watch)
    yield found
    await found.close()


@pytest.fixture
async def elsewhere(store: PostgresTenants, watch: Watch) -> AsyncIterator[Keys]:
    """Another server over the same database."""
    found = Keys(store, watch)
    yield found
    await found.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many keys each query asks for."""
    found: list[int] = []
    ask = PostgresTenants.keys_by_digests

    async def counted(self: PostgresTenants, digests: Sequence[bytes]) -> list[FoundKey]:
        found.append(len(digests))
        return await ask(self, digests)

    monkeypatch.setattr(PostgresTenants, "keys_by_digests", counted)
    return found


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
    neighbour = await keys.authenticate(await keys.create(tenant + "-2", READ))
    assert neighbour.tenant_id != one.tenant_id


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


async def test_a_revoked_key_ends_within_seconds_elsewhere(keys: Keys, elsewhere: Keys, tenant: str, watch: Watch):
    secret = await keys.create(tenant, READ)
    principal = await keys.authenticate(secret)
    await elsewhere.authenticate(secret)
    assert principal.key_id
    await keys.revoke(principal.tenant_id, principal.key_id)
    # Where it was revoked, at once.
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(secret)
    watch.time += timedelta(seconds=5)
    with pytest.raises(UnauthenticatedError):
        await elsewhere.authenticate(secret)
    await keys.revoke(principal.tenant_id, principal.key_id)
    with pytest.raises(NotFoundError):
        await keys.revoke(principal.tenant_id, "none")
    neighbour = await keys.authenticate(await keys.create(tenant + "-2", READ))
    with pytest.raises(NotFoundError):
        await keys.revoke(neighbour.tenant_id, principal.key_id)


async def test_the_secret_is_not_kept(keys: Keys, tenant: str):
    key = await keys.create(tenant, READ)
    (stored,) = await keys.of(tenant)
    assert stored.hint == key[:7]
    assert key not in repr(stored)
    assert await keys.of("no such tenant") == []


# -------------------------------------------------------------------------------------------------------- what they are


@given(st.integers(0, 51), st.sampled_from(string.ascii_letters + string.digits + "-_ é"))
def test_a_mistyped_key_is_known_without_looking_it_up(place: int, character: str):
    secret = new_secret()
    assert re.fullmatch(r"pw_[0-9A-Za-z]{49}", secret)
    mistyped = secret[:place] + character + secret[place + 1 :]
    assert is_well_formed(mistyped) is (mistyped == secret)


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + "a", lambda s: s + "\n", lambda s: " " + s])
def test_more_or_less_than_a_key_is_none(change: Callable[[str], str]):
    assert not is_well_formed(change(new_secret()))


async def test_a_key_from_before_checksums_still_counts(keys: Keys, tenant: str, store: PostgresTenants, watch: Watch):
    secret = "pw_" + token_urlsafe(32)
    tenant_id = await store.ensure(tenant)
    key = ApiKey(str(uuid.uuid4()), tenant_id, "old", secret[:7], READ, watch.time)
    await store.add_key(key, sha256(secret.encode()).digest(), 10, CLI.did(Action.KEY_CREATED, "k", watch.time))
    assert (await keys.authenticate(secret)).tenant_id == tenant_id


# ------------------------------------------------------------------------------------------------------------- rotation


async def test_a_former_secret_works_until_the_overlap_ends(keys: Keys, elsewhere: Keys, tenant: str, watch: Watch):
    first = await keys.create(tenant, READ)
    principal = await keys.authenticate(first)
    tenant_id, key_id = principal.tenant_id, str(principal.key_id)
    second = await keys.rotate(tenant_id, key_id, timedelta(hours=1))
    assert second.key.key_id == key_id
    assert [await one.authenticate(secret) for one in (keys, elsewhere) for secret in (first, second.secret)] == [
        principal
    ] * 4
    watch.time += timedelta(hours=1)
    for one in (keys, elsewhere):
        assert await one.authenticate(second.secret) == principal
        with pytest.raises(UnauthenticatedError):
            await one.authenticate(first)


async def test_without_an_overlap_every_former_secret_ends_now(keys: Keys, tenant: str):
    first = await keys.create(tenant, READ)
    principal = await keys.authenticate(first)
    tenant_id, key_id = principal.tenant_id, str(principal.key_id)
    second = (await keys.rotate(tenant_id, key_id, timedelta(days=7))).secret
    # Rotated once more, as after an answer that was lost: what is in use goes on.
    third = (await keys.rotate(tenant_id, key_id, timedelta(days=7))).secret
    for secret in (first, second, third):
        await keys.authenticate(secret)
    last = (await keys.rotate(tenant_id, key_id, timedelta())).secret
    await keys.authenticate(last)
    for secret in (first, second, third):
        with pytest.raises(UnauthenticatedError):
            await keys.authenticate(secret)


async def test_revoking_ends_former_secrets_too(keys: Keys, tenant: str):
    first = await keys.create(tenant, READ)
    principal = await keys.authenticate(first)
    second = await keys.rotate(principal.tenant_id, str(principal.key_id), timedelta(days=1))
    await keys.revoke(principal.tenant_id, str(principal.key_id))
    for secret in (first, second.secret):
        with pytest.raises(UnauthenticatedError):
            await keys.authenticate(secret)
    with pytest.raises(ConflictError):
        await keys.rotate(principal.tenant_id, str(principal.key_id), timedelta(days=1))


async def test_former_secrets_are_bounded(keys: Keys, tenant: str):
    principal = await keys.authenticate(await keys.create(tenant, READ))
    for _ in range(10):
        await keys.rotate(principal.tenant_id, str(principal.key_id), timedelta(days=1))
    with pytest.raises(ConflictError, match="10 former"):
        await keys.rotate(principal.tenant_id, str(principal.key_id), timedelta(days=1))
    await keys.rotate(principal.tenant_id, str(principal.key_id), timedelta())


async def test_of_two_that_are_revoked_at_once_one_is_the_last(keys: Keys, tenant: str):
    manage = frozenset({Scope.MANAGE})
    found = [await keys.authenticate(await keys.create(tenant, manage)) for _ in range(2)]
    done = await asyncio.gather(*(keys.revoke(one.tenant_id, str(one.key_id)) for one in found), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["ConflictError", "NoneType"]


# ---------------------------------------------------------------------------------------- what it asks of the database


async def test_what_is_no_key_asks_nothing(keys: Keys, asked: list[int]):
    for secret in ("pw_wrong", "", new_secret()[:-1], "pw_" + "é" * 49):
        with pytest.raises(UnauthenticatedError):
            await keys.authenticate(secret)
    assert asked == []


async def test_any_number_of_unknown_keys_are_asked_for_together(keys: Keys, tenant: str, asked: list[int]):
    good = await keys.create(tenant, READ)
    strangers = [keys.authenticate(new_secret()) for _ in range(5_000)]
    found = await asyncio.gather(*strangers, keys.authenticate(good), return_exceptions=True)
    assert [type(one) for one in found] == [UnauthenticatedError] * 5_000 + [Principal]
    assert sum(asked) == 5_001
    assert len(asked) <= 12


async def test_unknown_keys_one_after_the_other_are_asked_for_ever_more_seldom(keys: Keys, asked: list[int]):
    """From the hundredth on they wait for each other: twenty queries a second at most, whoever sends how many."""

    async def send(number: int) -> None:
        for _ in range(number):
            with pytest.raises(UnauthenticatedError):
                await keys.authenticate(new_secret())

    await asyncio.gather(*(send(20) for _ in range(50)))
    assert sum(asked) == 1_000
    assert len(asked) <= 60


async def test_an_unknown_key_is_not_asked_for_again_at_once(keys: Keys, asked: list[int], watch: Watch):
    secret = new_secret()
    for _ in range(10):
        with pytest.raises(UnauthenticatedError):
            await keys.authenticate(secret)
    assert asked == [1]
    watch.time += timedelta(seconds=5)
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(secret)
    assert asked == [1, 1]


async def test_who_gives_up_leaves_the_others_their_answer(keys: Keys, tenant: str):
    secret = await keys.create(tenant, READ)
    one, other = asyncio.create_task(keys.authenticate(secret)), asyncio.create_task(keys.authenticate(secret))
    await asyncio.sleep(0)
    one.cancel()
    assert (await other).scopes == READ


async def test_the_last_use_is_noted_beside_the_request(keys: Keys, tenant: str, watch: Watch):
    key = await keys.create(tenant, READ)
    for seconds, noted in ((0, 0), (59, 0), (2, 61)):
        watch.time += timedelta(seconds=seconds)
        await keys.authenticate(key)
        await keys.close()
        (stored,) = await keys.of(tenant)
        assert stored.last_used_at == START + timedelta(seconds=noted)


async def test_a_use_that_cannot_be_noted_keeps_nobody(keys: Keys, tenant: str, monkeypatch: pytest.MonkeyPatch):
    key = await keys.create(tenant, READ)
    waiting = asyncio.Event()

    async def never(*given: object) -> None:
        await waiting.wait()
        raise StoreUnavailableError("away")

    monkeypatch.setattr(PostgresTenants, "used", never)
    assert (await keys.authenticate(key)).scopes == READ
    waiting.set()
    await keys.close()
