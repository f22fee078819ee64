"""What a token that counts says: for which tenant, by which client, and what one may do."""

from typing import Any

import pytest

from app.ports.tenants import Scope
from tests.oidc.local_issuer import LocalIssuer
from tests.oidc.test_jwt_tokens import refused, trusting

READ, MANAGE = Scope.READ, Scope.MANAGE


@pytest.mark.parametrize(
    ("claims", "counts"),
    [
        ({"azp": "app"}, True),
        ({"client_id": "app"}, True),
        ({"azp": "app", "client_id": "other"}, True),
        ({"azp": "other", "client_id": "app"}, False),
        ({"azp": ["app"]}, False),
        ({"azp": ""}, False),
        ({}, False),
    ],
)
async def test_only_clients_that_are_trusted(issuer: LocalIssuer, claims: dict[str, Any], counts: bool):
    async with trusting(issuer, clients={"app"}) as tokens:
        made = issuer.token(**claims)
        if counts:
            await tokens.identify(made)
        else:
            assert "client" in await refused(tokens, made)


@pytest.mark.parametrize(
    ("settings", "claims", "tenant"),
    [
        ({"tenant_claim": "org"}, {"org": "b"}, "b"),
        ({"tenant_claim": "https://partwise.example/tenant"}, {"https://partwise.example/tenant": "b"}, "b"),
        ({"tenant_claim": "/org/name"}, {"org": {"name": "b"}}, "b"),
        ({"tenant_claim": "/a~1b/c~0d"}, {"a/b": {"c~d": "b"}}, "b"),
        ({"tenant_claim": "/org/name"}, {"org": ["b"]}, None),
        ({"tenant_claim": "/org"}, {"org": {"name": "b"}}, None),
        ({"tenant": "fixed"}, {}, "fixed"),
        # What a token says does not count then.
        ({"tenant": "fixed"}, {"tenant": "b"}, "fixed"),
        ({"tenants": {"acme"}}, {}, "acme"),
        ({"tenants": {"other"}}, {}, None),
    ],
)
async def test_the_tenant(issuer: LocalIssuer, settings: dict[str, Any], claims: dict[str, Any], tenant: str | None):
    async with trusting(issuer, **settings) as tokens:
        if tenant is None:
            assert "tenant" in await refused(tokens, issuer.token(**claims))
        else:
            assert (await tokens.identify(issuer.token(**claims))).tenant == tenant


@pytest.mark.parametrize(
    ("settings", "claims", "scopes"),
    [
        ({}, {"scope": None}, set()),
        ({}, {"scope": "Read READ reads manage-all"}, set()),
        ({}, {"scope": "manage"}, {MANAGE}),
        ({}, {"scope": ["read", 7, None, ["manage"]]}, {READ}),
        ({}, {"scope": {"read": True}}, set()),
        ({"scopes_claim": "permissions"}, {"permissions": ["read"], "scope": "manage"}, {READ}),
        (
            {"scopes_claim": "/realm_access/roles", "scopes": {"partwise-admin": ["read", "manage"]}},
            {"realm_access": {"roles": ["partwise-admin", "ingest", "offline_access"]}},
            {READ, MANAGE},
        ),
    ],
)
async def test_what_one_may(issuer: LocalIssuer, settings: dict[str, Any], claims: dict[str, Any], scopes: set[Scope]):
    async with trusting(issuer, **settings) as tokens:
        assert (await tokens.identify(issuer.token(**claims))).scopes == scopes
