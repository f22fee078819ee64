"""Which scope each operation takes: the one table for REST and GraphQL.

Routes and resolvers take theirs from here, and so does the OpenAPI document. What is not in it is refused to everybody,
and fails a test.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.ports.tenants import Scope

__all__ = ["ALSO", "GRAPHQL", "OPEN", "REST", "scopes_of"]

_READ, _INGEST, _MANAGE, _METRICS = Scope.READ, Scope.INGEST, Scope.MANAGE, Scope.METRICS

REST: Final[Mapping[str, Scope]] = MappingProxyType(
    {
        "POST /v1/events": _INGEST,
        "GET /v1/events": _READ,
        "GET /v1/events/{event_id}": _READ,
        "PUT /v1/clients/{client_id}": _INGEST,
        "GET /v1/clients": _READ,
        "GET /v1/clients/{client_id}": _READ,
        "GET /v1/clients/{client_id}/score": _READ,
        "GET /v1/clients/{client_id}/explanation": _READ,
        "GET /v1/clients/{client_id}/history": _READ,
        "GET /v1/clients/{client_id}/timeline": _READ,
        "GET /v1/clients/{client_id}/recourse": _READ,
        "POST /v1/clients/{client_id}/simulate": _READ,
        "DELETE /v1/clients/{client_id}": _MANAGE,
        "GET /v1/changes": _READ,
        "GET /v1/portfolio/changes": _READ,
        "GET /v1/erasures": _MANAGE,
        "GET /v1/erasures/{digest}": _MANAGE,
        "GET /v1/metrics": _METRICS,
        "GET /v1/policies": _READ,
        "POST /v1/policies": _MANAGE,
        "GET /v1/policies/{version}": _READ,
        "GET /v1/policies/{version}/preview": _READ,
        "POST /v1/policies/{version}/activate": _MANAGE,
        "GET /v1/api-keys": _MANAGE,
        "POST /v1/api-keys": _MANAGE,
        "GET /v1/api-keys/{key_id}": _MANAGE,
        "POST /v1/api-keys/{key_id}/rotate": _MANAGE,
        "DELETE /v1/api-keys/{key_id}": _MANAGE,
        "GET /v1/audit-log": _MANAGE,
        "GET /v1/webhooks": _MANAGE,
        "POST /v1/webhooks": _MANAGE,
        "GET /v1/webhooks/{webhook_id}": _MANAGE,
        "PATCH /v1/webhooks/{webhook_id}": _MANAGE,
        "DELETE /v1/webhooks/{webhook_id}": _MANAGE,
        "POST /v1/webhooks/{webhook_id}/rotate": _MANAGE,
        "POST /v1/webhooks/{webhook_id}/enable": _MANAGE,
        "POST /v1/webhooks/{webhook_id}/disable": _MANAGE,
        "POST /v1/webhooks/{webhook_id}/ping": _MANAGE,
        "POST /v1/webhooks/{webhook_id}/skip": _MANAGE,
        "POST /v1/webhooks/{webhook_id}/replay": _MANAGE,
        "GET /v1/webhooks/{webhook_id}/deliveries": _MANAGE,
        "GET /v1/webhooks/{webhook_id}/deliveries/{number}": _MANAGE,
        "POST /v1/webhooks/{webhook_id}/deliveries/{number}/replay": _MANAGE,
    }
)
"""By method and path template."""

ALSO: Final[Mapping[str, Scope]] = MappingProxyType(
    {
        # Who has himself told of clients reads of them, and so who looks into what was told.
        "POST /v1/webhooks": _READ,
        "PATCH /v1/webhooks/{webhook_id}": _READ,
        "POST /v1/webhooks/{webhook_id}/replay": _READ,
        "GET /v1/webhooks/{webhook_id}/deliveries": _READ,
        "GET /v1/webhooks/{webhook_id}/deliveries/{number}": _READ,
        "POST /v1/webhooks/{webhook_id}/deliveries/{number}/replay": _READ,
    }
)
"""What some take besides."""

OPEN: Final = frozenset(
    {
        "GET /v1/event-types",
        "GET /problems",
        "GET /problems/{slug}",
        "GET /livez",
        "GET /readyz",
        "GET /metrics",
    }
)
"""What takes no key: it tells nothing of any tenant."""

GRAPHQL: Final[Mapping[str, Scope | None]] = MappingProxyType(
    {
        "Query.node": _READ,
        "Query.nodes": _READ,
        "Query.client": _READ,
        "Query.clients": _READ,
        "Query.events": _READ,
        # Any key will do: it tells nothing of the tenant.
        "Query.eventTypes": None,
        "Query.portfolio": _READ,
        "Query.portfolioMetrics": _METRICS,
        "Query.policies": _READ,
        "Query.policy": _READ,
        "Query.policyPreview": _READ,
        "Query.erasures": _MANAGE,
        "Query.webhooks": _MANAGE,
        "Query.simulate": _READ,
        # Beyond what putting a client tells, whoever may put it.
        "Client.score": _READ,
        "Client.explanation": _READ,
        "Client.history": _READ,
        "Client.timeline": _READ,
        "Client.recourse": _READ,
        "Client.events": _READ,
        # Beyond the webhook itself.
        "Webhook.deliveries": _READ,
        "Mutation.sendEvents": _INGEST,
        "Mutation.putClient": _INGEST,
        "Mutation.eraseClient": _MANAGE,
        "Mutation.draftPolicy": _MANAGE,
        "Mutation.activatePolicy": _MANAGE,
        "Subscription.scoreChanged": _READ,
    }
)
"""By type and field."""


def scopes_of(operation: str) -> tuple[Scope, ...]:
    """All scopes that an operation of REST takes."""
    return (REST[operation], ALSO[operation]) if operation in ALSO else (REST[operation],)
