"""Access tokens of a certified OpenID Provider, over real HTTP from end to end: provider, two servers, a client."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jwt.algorithms import get_default_algorithms

from tests.node import ISSUER, installed, node_environment
from tests.oidc.local_issuer import AUDIENCE, SigningKey, key
from tests.service import free_port
from tests.system.test_replicas import bearer, manager, replicas

__all__ = ["manager", "replicas"]

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

READY_SECONDS = 60
FRESH_SECONDS = 2


class Provider:
    """The provider as a process of its own, with some signing keys."""

    def __init__(self, folder: Path, audience: str = AUDIENCE, tenant: str = "t") -> None:
        self._audience = audience
        self._tenant = tenant
        self._file = folder / "provider.json"
        self._log = folder / "provider.log"
        self._command = installed(ISSUER).command
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, *keys: SigningKey) -> None:
        """The first key signs, all are published."""
        clients = [
            {
                "client_id": name,
                "client_secret": f"{name}-secret-{name}-secret",
                "tenant": tenant,
                "grant_types": ["client_credentials"],
                "redirect_uris": [],
                "response_types": [],
                "id_token_signed_response_alg": keys[0].algorithm,
            }
            for name, tenant in (("crm", self._tenant), ("nobody", "none"))
        ]
        told = {"keys": [private(one) for one in keys], "clients": clients, "audience": self._audience}
        self._file.write_text(json.dumps(told))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("provider.mjs", str(self.port), str(self._file)),
                env=node_environment(),
                cwd=ISSUER,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._log.read_text()
            try:
                if httpx.get(f"{self.url}/.well-known/openid-configuration").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(self._log.read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def token(self, client: str = "crm", scope: str = "read ingest") -> dict[str, str]:
        """Headers with what a client gets for its secret."""
        form = {"grant_type": "client_credentials", "scope": scope}
        answer = httpx.post(f"{self.url}/token", data=form, auth=(client, f"{client}-secret-{client}-secret"))
        assert answer.is_success, answer.text
        return bearer(answer.json()["access_token"])


def private(one: SigningKey) -> dict[str, Any]:
    found: dict[str, Any] = get_default_algorithms()[one.algorithm].to_jwk(one.private, as_dict=True)
    return {**{name: value for name, value in found.items() if name != "key_ops"}, "alg": one.algorithm, "kid": one.kid}


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    found = Provider(tmp_path)
    found.start(key("one"))
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def server_settings(provider: Provider) -> dict[str, str]:
    issuer = {"issuer": provider.url, "audience": AUDIENCE, "keys_fresh": FRESH_SECONDS, "keys_pause": 0.2}
    return {"PARTWISE_OIDC": json.dumps([issuer])}


def statuses(replicas: tuple[str, str], headers: dict[str, str]) -> list[int]:
    return [httpx.get(f"{url}/v1/clients", headers=headers).status_code for url in replicas]


def wait_until(replicas: tuple[str, str], headers: dict[str, str], wanted: list[int]) -> None:
    deadline = time.monotonic() + 30
    while (found := statuses(replicas, headers)) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_client_gets_a_token_and_works_with_it(
    provider: Provider, replicas: tuple[str, str], manager: dict[str, str]
):
    one, other = replicas
    headers = provider.token()
    put = httpx.put(f"{one}/v1/clients/acme", json={"name": "Acme"}, headers=headers)
    assert put.status_code == 201, put.text
    query = {"query": "{ clients(first: 5) { nodes { clientId } } }"}
    answer = httpx.post(f"{other}/graphql", json=query, headers=headers)
    assert answer.status_code == 200, answer.text
    # Another scope, and a tenant that is not here.
    assert httpx.delete(f"{one}/v1/clients/acme", headers=headers).status_code == 403
    assert statuses(replicas, provider.token(scope="ingest")) == [403, 403]
    assert statuses(replicas, provider.token("nobody")) == [403, 403]
    (entry,) = httpx.get(f"{one}/v1/audit-log?action=client.put", headers=manager).json()["items"]
    assert entry["actor"] == f"user:{provider.url}|crm"


def test_signing_keys_are_rotated(provider: Provider, replicas: tuple[str, str], manager: dict[str, str]):
    del manager  # Which makes the tenant.
    former = provider.token()
    assert statuses(replicas, former) == [200, 200]
    # A new one signs, the former is still published.
    provider.stop()
    provider.start(key("two", "ES256"), key("one"))
    assert statuses(replicas, provider.token()) == [200, 200]
    assert statuses(replicas, former) == [200, 200]
    # Then it is withdrawn, and what it signed counts no more.
    provider.stop()
    provider.start(key("two", "ES256"))
    wait_until(replicas, former, [401, 401])
    assert statuses(replicas, provider.token()) == [200, 200]


def test_the_provider_goes_away_and_comes_back(provider: Provider, replicas: tuple[str, str], manager: dict[str, str]):
    headers = provider.token()
    one, _ = replicas
    assert statuses((one, one), headers) == [200, 200]
    provider.stop()
    # The first server has the keys at hand; the other never had them.
    answers = [httpx.get(f"{url}/v1/clients", headers=headers) for url in replicas]
    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].json()["type"] == "/problems/issuer-unavailable"
    assert int(answers[1].headers["retry-after"]) > 0
    time.sleep(FRESH_SECONDS)
    assert statuses(replicas, headers) == [200, 503]
    assert statuses(replicas, manager) == [200, 200]
    provider.start(key("one"))
    wait_until(replicas, headers, [200, 200])
