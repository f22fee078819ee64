"""What has to hold before a token counts: real keys, read from a real provider over HTTP."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any

import jwt.api_jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from pydantic import ValidationError

from app.oidc.issuers import Issuer
from app.oidc.jwt_tokens import JwtTokens
from app.ports.tenants import Scope
from app.ports.tokens import Identity, InvalidTokenError
from tests.oidc.local_issuer import AUDIENCE, LocalIssuer, SigningKey, key

NOW = int(time.time())


@asynccontextmanager
async def trusting(*issuers: LocalIssuer, **settings: Any) -> AsyncIterator[JwtTokens]:
    tokens = JwtTokens([Issuer(issuer=one.url, audience=AUDIENCE, **settings) for one in issuers])
    try:
        yield tokens
    finally:
        await tokens.close()


async def refused(tokens: JwtTokens, token: str) -> str:
    with pytest.raises(InvalidTokenError) as caught:
        await tokens.identify(token)
    return str(caught.value)


def encoded(part: bytes | str | dict[str, Any]) -> str:
    content = json.dumps(part) if isinstance(part, dict) else part
    raw = content.encode() if isinstance(content, str) else content
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(by: SigningKey, header: bytes | str | dict[str, Any], claims: bytes | str | dict[str, Any]) -> str:
    """Any header and any claims, in any bytes, under a signature by RSA that is right."""
    content = f"{encoded(header)}.{encoded(claims)}"
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(content.encode(), by.private)
    return f"{content}.{encoded(signature)}"


def under_a_secret(issuer: LocalIssuer, secret: bytes, header: dict[str, Any]) -> str:
    content = f"{encoded(header)}.{encoded(issuer.claims())}"
    return f"{content}.{encoded(hmac.new(secret, content.encode(), hashlib.sha256).digest())}"


async def test_a_token_says_who_asks_for_whom_and_what_he_may(issuer: LocalIssuer):
    async with trusting(issuer) as tokens:
        found = await tokens.identify(issuer.token(scope="openid read ingest email"))
    assert found == Identity(issuer.url, "anna", "acme", frozenset({Scope.READ, Scope.INGEST}))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA", "RS512", "ES384", "ES512"])
async def test_each_algorithm_that_is_allowed(issuer: LocalIssuer, algorithm: str):
    one = key("k", algorithm)
    issuer.keys = [one.public()]
    async with trusting(issuer, algorithms={algorithm}) as tokens:
        assert (await tokens.identify(issuer.token(one))).subject == "anna"


async def test_only_those_algorithms(issuer: LocalIssuer):
    one, other = key("k", "RS256"), key("p", "PS256")
    # As many publish them: without saying what for.
    issuer.keys = [{name: value for name, value in each.public().items() if name != "alg"} for each in (one, other)]
    async with trusting(issuer, algorithms={"PS256"}) as tokens:
        assert "PS256" in await refused(tokens, issuer.token(one))
        await tokens.identify(issuer.token(other))


@pytest.mark.parametrize("names", [{"none"}, {"HS256"}, {"RS256", "HS512"}, set(), {"rs256"}])
def test_no_other_algorithm_can_be_allowed(names: set[str]):
    with pytest.raises(ValidationError):
        Issuer(issuer="https://id.example", audience="x", algorithms=frozenset(names))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": NOW - 3600}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": str(NOW + 600)}, "exp is no time"),
        ({"exp": True}, "exp is no time"),
        ({"exp": {}}, "exp is no time"),
        ({"exp": 10**400}, "exp is no time"),
        ({"exp": -1}, "exp is no time"),
        ({"nbf": NOW + 3600}, "not valid yet"),
        ({"nbf": "now"}, "nbf is no time"),
        ({"iat": NOW + 3600}, "not valid yet"),
        ({"iat": []}, "iat is no time"),
        ({"aud": None}, "aud"),
        ({"aud": "https://other.example"}, "audience"),
        ({"aud": ["https://other.example", f"{AUDIENCE}/"]}, "audience"),
        ({"aud": []}, "aud"),
        ({"aud": {AUDIENCE: 1}}, "audience"),
        ({"aud": [AUDIENCE, 7]}, "audience"),
        ({"iss": None}, "not trusted"),
        ({"iss": "https://other.example"}, "not trusted"),
        ({"iss": ["https://other.example"]}, "not trusted"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, ""),
        ({"sub": "a\x00"}, "subject"),
        ({"sub": "\ud800"}, "subject"),
        ({"sub": "a" * 256}, "subject"),
        ({"at_hash": "x"}, "no access token"),
        ({"c_hash": "x"}, "no access token"),
        ({"typ": "ID"}, "no access token"),
        ({"typ": "Refresh"}, "no access token"),
        ({"typ": ["Bearer"]}, "no access token"),
        ({"tenant": None}, "names no tenant"),
        ({"tenant": ""}, "names no tenant"),
        ({"tenant": ["acme"]}, "names no tenant"),
        ({"tenant": "a\nb"}, "names no tenant"),
    ],
)
async def test_claims_that_do_not_do(issuer: LocalIssuer, claims: dict[str, Any], why: str):
    async with trusting(issuer) as tokens:
        await tokens.identify(issuer.token())
        # The library that signs would not sign all of them.
        made = signed(key(), {"alg": "RS256", "kid": "k1"}, issuer.claims(**claims))
        assert why in await refused(tokens, made)


@pytest.mark.parametrize(
    ("claims", "counts"),
    [
        ({"exp": NOW + 3600 - 3650}, True),
        ({"exp": NOW - 90}, False),
        ({"exp": NOW + 600.5}, True),
        ({"nbf": NOW + 30}, True),
        ({"nbf": NOW + 600}, False),
        ({"iat": NOW + 30}, True),
        ({"iat": NOW + 600}, False),
        ({"aud": ["https://other.example", AUDIENCE]}, True),
        ({"typ": "Bearer", "nonce": "x"}, True),
    ],
)
async def test_clocks_may_differ_by_a_minute(
    issuer: LocalIssuer, claims: dict[str, Any], counts: bool, monkeypatch: pytest.MonkeyPatch
):
    _at(monkeypatch, NOW)
    async with trusting(issuer) as tokens:
        made = issuer.token(**{"iat": NOW, "exp": NOW + 3600, **claims})
        if counts:
            await tokens.identify(made)
        else:
            await refused(tokens, made)


def _at(monkeypatch: pytest.MonkeyPatch, instant: int) -> None:
    """So that a slow machine is no reason to fail."""

    class Still(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Still":
            return cls.fromtimestamp(instant, tz or UTC)

    monkeypatch.setattr(jwt.api_jwt, "datetime", Still)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"alg": "none"}, "not signed by"),
        ({"alg": "None"}, "not signed by"),
        ({"alg": ""}, "not signed by"),
        ({"alg": None}, "not signed by"),
        ({"alg": ["RS256"]}, "not signed by"),
        ({"alg": "HS256"}, "not signed by"),
        ({"alg": "RS384"}, "not signed by"),
        ({"alg": "ES256"}, "does not publish"),
        ({"crit": ["exp"]}, "extension"),
        ({"crit": []}, "extension"),
        ({"b64": False, "crit": ["b64"]}, "extension"),
        ({"zip": "DEF"}, "extension"),
        ({"cty": "JWT"}, "extension"),
        ({"typ": "logout+jwt"}, "another type"),
        ({"typ": "dpop+jwt"}, "another type"),
        ({"typ": "id_token"}, "another type"),
        ({"typ": 7}, "another type"),
        ({"kid": "other"}, "does not publish"),
        ({"kid": "../../etc/passwd"}, "does not publish"),
        ({"kid": "' OR 1=1 --"}, "does not publish"),
        ({"kid": "k1\x00"}, "does not publish"),
        ({"kid": ""}, "does not publish"),
        ({"kid": 7}, "unusable"),
        ({"kid": ["k1"]}, "unusable"),
        ({"kid": {"$ne": ""}}, "unusable"),
        ({"kid": "k" * 1000}, "unusable"),
    ],
)
async def test_headers_that_do_not_do(issuer: LocalIssuer, header: dict[str, Any], why: str):
    async with trusting(issuer) as tokens:
        made = signed(key(), {"alg": "RS256", "kid": "k1", **header}, issuer.claims())
        assert why in await refused(tokens, made)


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"typ": "application/at+jwt"}, {"typ": "JWT"}, {"typ": None}])
async def test_types_that_do(issuer: LocalIssuer, header: dict[str, Any]):
    told = {name: value for name, value in {"alg": "RS256", "kid": "k1", **header}.items() if value is not None}
    async with trusting(issuer) as tokens:
        await tokens.identify(signed(key(), told, issuer.claims()))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
async def test_no_signature_is_none(issuer: LocalIssuer, algorithm: str):
    start = f"{encoded({'alg': algorithm, 'kid': 'k1'})}.{encoded(issuer.claims())}"
    async with trusting(issuer) as tokens:
        for token in (f"{start}.", f"{start}.AA", start):
            await refused(tokens, token)


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
async def test_the_public_key_is_no_secret(issuer: LocalIssuer, algorithm: str):
    """Whoever knows it, and that is everybody, could sign with it."""
    public = key().private.public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(key().public()).encode(),
        b"",
    ):
        async with trusting(issuer) as tokens:
            await refused(tokens, under_a_secret(issuer, secret, {"alg": algorithm, "kid": "k1", "typ": "JWT"}))


async def test_a_secret_in_the_published_set_is_not_used(issuer: LocalIssuer):
    secret = b"0123456789abcdef0123456789abcdef"
    issuer.keys = [{"kty": "oct", "k": encoded(secret), "kid": "k1", "alg": alg} for alg in ("HS256", "RS256")]
    async with trusting(issuer) as tokens:
        await refused(tokens, under_a_secret(issuer, secret, {"alg": "HS256", "kid": "k1"}))
        await refused(tokens, under_a_secret(issuer, secret, {"alg": "RS256", "kid": "k1"}))


async def test_a_token_does_not_say_what_it_is_checked_with(issuer: LocalIssuer, other: LocalIssuer):
    own = SigningKey(key("mine").private, "RS256", "k1")
    other.keys = [own.public()]
    async with trusting(issuer) as tokens:
        for header in (
            {"jku": f"{other.url}/keys"},
            {"x5u": f"{other.url}/keys"},
            {"jwk": own.public()},
            {"x5c": [encoded(b"certificate")]},
        ):
            assert "signature" in await refused(tokens, issuer.token(own, header))
            # They are not understood, and do no harm.
            await tokens.identify(issuer.token(header=header))
    assert other.asked == []


async def test_a_signature_is_of_what_it_stands_under(issuer: LocalIssuer):
    head, body, signature = issuer.token().split(".")
    forged = encoded(issuer.claims(tenant="other"))
    async with trusting(issuer) as tokens:
        await tokens.identify(f"{head}.{body}.{signature}")
        assert "signature" in await refused(tokens, f"{head}.{forged}.{signature}")
        assert "signature" in await refused(tokens, issuer.token(SigningKey(key("mine").private, "RS256", "k1")))
        for broken in (signature[:-6], "AAAA", signature + "AAAA", signature[::-1]):
            await refused(tokens, f"{head}.{body}.{broken}")


def _texts(issuer: LocalIssuer) -> list[str]:
    head, claims = {"alg": "RS256", "kid": "k1"}, issuer.claims()
    text = json.dumps(claims)
    return [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "ä.ö.ü",
        "x" * 100_000,
        issuer.token() + ".a",
        issuer.token() + "=",
        issuer.token().replace(".", " . "),
        issuer.token() + "\n",
        "A" + issuer.token(),
        # Five parts: encrypted.
        ".".join(["e30"] * 5),
        signed(key(), "[]", claims),
        signed(key(), "null", claims),
        signed(key(), b"\xff\xfe", claims),
        signed(key(), "[" * 8000, claims),
        signed(key(), head, "[" * 8000),
        signed(key(), head, "[]"),
        signed(key(), head, "1"),
        signed(key(), head, b'{"iss": "\xff"}'),
        signed(key(), head, text[:-1]),
        signed(key(), head, text[:-1] + ', "tenant": "other"}'),
        signed(key(), '{"alg": "RS256", "alg": "RS256", "kid": "k1"}', claims),
        signed(key(), head, text[:-1] + ', "x": NaN}'),
        signed(key(), head, text[:-1] + ', "nbf": 1e400}'),
        signed(key(), head, text[:-1] + f', "nbf": {"9" * 5000}}}'),
        # More than anybody's token has.
        signed(key(), head, issuer.claims(pad="x" * 20_000)),
    ]


@pytest.mark.parametrize("n", range(28))
async def test_what_is_no_token_is_refused(issuer: LocalIssuer, n: int):
    texts = _texts(issuer)
    assert len(texts) == 28
    async with trusting(issuer) as tokens:
        await refused(tokens, texts[n])


async def test_a_key_that_is_too_short_is_not_used(issuer: LocalIssuer):
    weak = key("weak", bits=1024)
    issuer.keys = [weak.public()]
    async with trusting(issuer) as tokens:
        with pytest.warns(match="1024"):
            made = issuer.token(weak)
        await refused(tokens, made)


@pytest.mark.parametrize(
    "published",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"alg": "RS512"},
        {"alg": "RSA-OAEP"},
        {"kty": "EC"},
        {"n": "!"},
        {"n": None},
        {"e": "AA"},
    ],
)
async def test_a_key_for_something_else_is_not_used(issuer: LocalIssuer, published: dict[str, Any]):
    issuer.keys = [key().public(**published)]
    async with trusting(issuer) as tokens:
        await refused(tokens, issuer.token())


async def test_two_issuers_may_have_one_name_for_a_key(issuer: LocalIssuer, other: LocalIssuer):
    theirs = SigningKey(key("theirs").private, "RS256", "k1")
    other.keys = [theirs.public()]
    async with trusting(issuer, other) as tokens:
        assert (await tokens.identify(issuer.token())).issuer == issuer.url
        assert (await tokens.identify(other.token(theirs))).issuer == other.url
        assert "signature" in await refused(tokens, issuer.token(theirs))
        assert "signature" in await refused(tokens, other.token(key()))


async def test_a_key_without_a_name_is_used_where_it_is_the_only_one(issuer: LocalIssuer):
    nameless = key(None)
    issuer.keys = [nameless.public(), key("e", "ES256").public()]
    async with trusting(issuer) as tokens:
        await tokens.identify(issuer.token(nameless))
    issuer.keys.append(key("k2").public())
    async with trusting(issuer) as tokens:
        await refused(tokens, issuer.token(nameless))


@pytest.mark.parametrize(
    "url",
    ["http://id.example", "https://", "ftp://id.example", "id.example", "https://a@id.example", "https://id.example#x",
     "https://id.example?x=1", "https://id.example:x", "http://127.0.0.1.example", ""],
)  # fmt: skip
def test_an_issuer_is_known_by_a_safe_url(url: str):
    with pytest.raises(ValidationError):
        Issuer(issuer=url, audience="x")
