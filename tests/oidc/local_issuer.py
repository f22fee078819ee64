"""An identity provider on this machine: real keys, discovery and key set over real HTTP, and any token one likes.

Tokens of a certified provider are in tests/system/test_oidc.py; this one also makes those that no provider would.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

AUDIENCE = "https://api.partwise.example"
_JWKS = "/keys"


@dataclass(frozen=True)
class SigningKey:
    """A key pair; `kid` names it, where it has a name."""

    private: Any
    algorithm: str
    kid: str | None

    def public(self, **more: Any) -> dict[str, Any]:
        """As the key set tells it."""
        found: dict[str, Any] = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        named = {} if self.kid is None else {"kid": self.kid}
        return {**found, "use": "sig", "alg": self.algorithm, **named, **more}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        named = {} if self.kid is None else {"kid": self.kid}
        told = {name: value for name, value in {**named, **header}.items() if value is not None}
        return jwt.encode(claims, self.private, self.algorithm, headers=told)


@cache
def key(kid: str | None = "k1", algorithm: str = "RS256", bits: int = 2048) -> SigningKey:
    """The same one for the same arguments."""
    if algorithm.startswith("ES"):
        curve = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[algorithm]
        return SigningKey(ec.generate_private_key(curve), algorithm, kid)
    if algorithm == "EdDSA":
        return SigningKey(ed25519.Ed25519PrivateKey.generate(), algorithm, kid)
    return SigningKey(rsa.generate_private_key(65537, bits), algorithm, kid)


@dataclass
class LocalIssuer:
    """One provider."""

    port: int = 0
    keys: list[dict[str, Any]] = field(default_factory=lambda: [key().public()])
    asked: list[str] = field(default_factory=list)
    """The paths of all requests so far."""
    answers: dict[str, Callable[[], tuple[int, bytes]]] = field(default_factory=dict)
    """What a path answers instead."""
    slow: float = 0.0
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def document(self) -> dict[str, Any]:
        return {"issuer": self.url, "jwks_uri": self.url + _JWKS}

    def claims(self, **other: Any) -> dict[str, Any]:
        """Those of a token that counts; None leaves one out."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "anna",
            "iat": now,
            "exp": now + 600,
            "tenant": "acme",
            "scope": "read ingest",
        }
        return {name: value for name, value in {**usual, **other}.items() if value is not None}

    def token(self, by: SigningKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        return (by or key()).sign(self.claims(**claims), **(header or {}))

    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.asked.count(_JWKS)

    def start(self) -> None:
        """Begin to answer, on the same port as before."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                time.sleep(issuer.slow)
                status, body = issuer.answer(self.path)
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", body.decode())
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]()
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self.document).encode()
        return (200, json.dumps({"keys": self.keys}).encode()) if path == _JWKS else (404, b"{}")


@contextmanager
def local_issuer() -> Iterator[LocalIssuer]:
    """A provider for as long as the block lasts."""
    issuer = LocalIssuer()
    issuer.start()
    try:
        yield issuer
    finally:
        issuer.stop()
