"""The keys of a provider: when they are read over HTTP, and what counts while that cannot be done."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app.oidc.issuers import Issuer
from app.oidc.key_sets import KeySet
from app.ports.tokens import InvalidTokenError, IssuerUnavailableError
from tests.oidc.local_issuer import AUDIENCE, LocalIssuer, key

DISCOVERY = "/.well-known/openid-configuration"
FRESH, KEPT, PAUSE = 300.0, 3600.0, 5.0


class Watch:
    """Seconds that are set by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
async def watch() -> Watch:
    return Watch()


@asynccontextmanager
async def keys_of(issuer: LocalIssuer, watch: Watch | None = None) -> AsyncIterator[KeySet]:
    trusted = Issuer(issuer=issuer.url, audience=AUDIENCE, keys_fresh=FRESH, keys_kept=KEPT, keys_pause=PAUSE)
    async with httpx.AsyncClient() as http:
        keys = KeySet(trusted, http, watch)
        yield keys
        await keys.close()


async def settled(keys: KeySet, issuer: LocalIssuer, fetches: int) -> None:
    """Wait for what is read beside the requests."""
    while issuer.fetches() < fetches:  # noqa: ASYNC110 - the provider is in another thread
        await asyncio.sleep(0.01)
    with pytest.raises(InvalidTokenError):
        await keys.key("nobody", "RS256")


async def test_they_are_read_once_however_many_ask(issuer: LocalIssuer):
    issuer.slow = 0.1
    async with keys_of(issuer) as keys:
        assert issuer.asked == []
        await asyncio.gather(*(keys.key("k1", "RS256") for _ in range(50)))
        for _ in range(50):
            await keys.key("k1", "RS256")
    assert issuer.asked == [DISCOVERY, "/keys"]


async def test_old_ones_are_read_again_while_those_at_hand_are_used(issuer: LocalIssuer, watch: Watch):
    async with keys_of(issuer, watch) as keys:
        await keys.key("k1", "RS256")
        watch.time += FRESH - 1
        await keys.key("k1", "RS256")
        assert issuer.fetches() == 1
        issuer.keys = [key("k2").public()]
        issuer.slow = 0.2
        watch.time += 2
        for _ in range(10):
            # Nobody waits.
            await keys.key("k1", "RS256")
        await settled(keys, issuer, 2)
        await keys.key("k2", "RS256")
        assert issuer.fetches() == 2
        # What the provider has withdrawn counts no more.
        with pytest.raises(InvalidTokenError):
            await keys.key("k1", "RS256")


async def test_a_new_key_counts_at_once_beside_the_former(issuer: LocalIssuer, watch: Watch):
    async with keys_of(issuer, watch) as keys:
        await keys.key("k1", "RS256")
        issuer.keys.append(key("k2").public())
        watch.time += PAUSE
        await asyncio.gather(*(keys.key("k2", "RS256") for _ in range(20)))
        await keys.key("k1", "RS256")
    assert issuer.fetches() == 2


async def test_any_number_of_bad_tokens_ask_for_them_once_in_a_while(issuer: LocalIssuer, watch: Watch):
    async with keys_of(issuer, watch) as keys:
        await keys.key("k1", "RS256")

        async def bad(name: str) -> None:
            with pytest.raises(InvalidTokenError):
                await keys.key(name, "RS256")

        for _ in range(3):
            for n in range(30):
                await bad(f"bad-{n}")
            await asyncio.gather(*(bad(f"bad-{n}") for n in range(30)))
        assert issuer.fetches() == 1
        watch.time += PAUSE
        for n in range(30):
            await bad(f"bad-{n}")
        await asyncio.gather(*(bad(f"bad-{n}") for n in range(30)))
        assert issuer.fetches() == 2


async def test_while_the_provider_is_away_those_at_hand_count(issuer: LocalIssuer, watch: Watch):
    async with keys_of(issuer, watch) as keys:
        await keys.key("k1", "RS256")
        issuer.stop()
        for age in (FRESH + 1, KEPT - 1):
            watch.time = 1000.0 + age
            await keys.key("k1", "RS256")
            await asyncio.sleep(0.05)
            await keys.key("k1", "RS256")
            # It may be new: nobody can say at present that it is bad.
            with pytest.raises(IssuerUnavailableError):
                await keys.key("k2", "RS256")
        watch.time = 1000.0 + KEPT + 1
        with pytest.raises(IssuerUnavailableError):
            await keys.key("k1", "RS256")
        issuer.start()
        watch.time += PAUSE
        await keys.key("k1", "RS256")


async def test_away_from_the_start_it_is_asked_once_in_a_while(issuer: LocalIssuer, watch: Watch):
    issuer.answers[DISCOVERY] = lambda: (503, b"{}")
    async with keys_of(issuer, watch) as keys:

        async def away() -> None:
            with pytest.raises(IssuerUnavailableError):
                await keys.key("k1", "RS256")

        await asyncio.gather(*(away() for _ in range(50)))
        for _ in range(50):
            await away()
        assert issuer.asked == [DISCOVERY]
        issuer.answers.clear()
        watch.time += PAUSE
        await keys.key("k1", "RS256")
    assert issuer.asked == [DISCOVERY, DISCOVERY, "/keys"]


async def test_who_gives_up_leaves_the_others_their_keys(issuer: LocalIssuer):
    issuer.slow = 0.2
    async with keys_of(issuer) as keys:
        hasty = asyncio.create_task(keys.key("k1", "RS256"))
        patient = asyncio.create_task(keys.key("k1", "RS256"))
        await asyncio.sleep(0.05)
        hasty.cancel()
        assert (await patient).key_id == "k1"
    assert issuer.fetches() == 1


def _says(content: object) -> Callable[[], tuple[int, bytes]]:
    return lambda: (200, content if isinstance(content, bytes) else json.dumps(content).encode())


def _document(issuer: LocalIssuer, /, **other: Any) -> Callable[[], tuple[int, bytes]]:
    return _says({**issuer.document, **other})


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, lambda issuer: _document(issuer, issuer="https://other.example")),
        (DISCOVERY, lambda issuer: _document(issuer, issuer=issuer.url + "/")),
        (DISCOVERY, lambda issuer: _document(issuer, jwks_uri=None)),
        (DISCOVERY, lambda issuer: _document(issuer, jwks_uri="http://id.example/keys")),
        (DISCOVERY, lambda issuer: _document(issuer, jwks_uri="file:///etc/passwd")),
        (DISCOVERY, lambda issuer: _document(issuer, jwks_uri=f"{issuer.url}/else")),
        (DISCOVERY, lambda issuer: lambda: (302, f"{issuer.url}/keys".encode())),
        (DISCOVERY, lambda issuer: _says(b"<html>")),
        (DISCOVERY, lambda issuer: _says(b"")),
        (DISCOVERY, lambda issuer: _says(b"\xff")),
        (DISCOVERY, lambda issuer: _says([issuer.document])),
        (DISCOVERY, lambda issuer: _says(b"[" * 100_000)),
        (DISCOVERY, lambda issuer: _says({**issuer.document, "x": "x" * 300_000})),
        ("/keys", lambda issuer: lambda: (302, f"{issuer.url}/else".encode())),
        ("/keys", lambda issuer: lambda: (500, b"{}")),
        ("/keys", lambda issuer: _says({"keys": {}})),
        ("/keys", lambda issuer: _says({})),
        ("/keys", lambda issuer: _says({"keys": [key().public()] * 101})),
        ("/keys", lambda issuer: _says({"keys": [{"x": "x" * 300_000}]})),
    ],
)
async def test_what_is_no_key_set_is_as_if_the_provider_were_away(
    issuer: LocalIssuer, path: str, answer: Callable[[LocalIssuer], Callable[[], tuple[int, bytes]]]
):
    issuer.answers[path] = answer(issuer)
    async with keys_of(issuer) as keys:
        with pytest.raises(IssuerUnavailableError):
            await keys.key("k1", "RS256")


async def test_what_is_no_key_spoils_the_others_not(issuer: LocalIssuer):
    issuer.keys = [*({} for _ in range(3)), {"kty": "RSA", "kid": "k0"}, key().public()]
    issuer.answers["/keys"] = _says({"keys": [None, 7, [], "x", {"kty": []}, {"kty": "RSA"}, *issuer.keys]})
    async with keys_of(issuer) as keys:
        assert (await keys.key("k1", "RS256")).key_id == "k1"
        with pytest.raises(InvalidTokenError):
            await keys.key("k0", "RS256")
