"""Which operation can follow which, and where its parameters come from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.rest.openapi.operations import operations_of

__all__ = ["LINKS", "Link", "add_links"]


@dataclass(frozen=True, slots=True)
class Link:
    """From an answer to an operation: its parameters are runtime expressions."""

    sources: Iterable[tuple[str, int]]
    targets: Iterable[str]
    parameters: Mapping[str, str]
    description: str


_PUT: Final = (("putClient", 200), ("putClient", 201))
_DRAFTED: Final = (("draftPolicy", 201),)
LINKS: Final = (
    Link(
        _PUT,
        (
            "getClient",
            "getScore",
            "getExplanation",
            "getHistory",
            "getTimeline",
            "getRecourse",
            "simulateEvents",
            "eraseClient",
        ),
        {"client_id": "$response.body#/client_id"},
        "The client that was put.",
    ),
    Link(
        (("sendEvents", 200), ("sendEvents", 201)),
        ("getEvent",),
        {"event_id": "$response.body#/results/0/id", "source": "$response.body#/results/0/source"},
        "The first event that was sent.",
    ),
    Link(
        (("listEvents", 200),),
        ("getEvent",),
        {"event_id": "$response.body#/items/0/id", "source": "$response.body#/items/0/source"},
        "The first event of the page.",
    ),
    Link(
        (("listEvents", 200),),
        ("getScore", "getTimeline"),
        {"client_id": "$response.body#/items/0/subject"},
        "The client of the first event.",
    ),
    Link(
        (("listClients", 200),),
        ("getClient", "getExplanation", "getRecourse"),
        {"client_id": "$response.body#/items/0/client_id"},
        "The first client of the page.",
    ),
    Link(
        (("eraseClient", 202),),
        ("getErasure",),
        {"digest": "$response.body#/digest"},
        "Whether it is done.",
    ),
    Link(
        (("listErasures", 200),),
        ("getErasure",),
        {"digest": "$response.body#/items/0/digest"},
        "The first erasure of the page.",
    ),
    Link(
        _DRAFTED,
        ("getPolicy", "previewPolicy", "activatePolicy"),
        {"version": "$response.body#/version"},
        "The version that was made.",
    ),
    Link(
        (("listPolicies", 200),),
        ("getPolicy",),
        {"version": "$response.body#/items/0/version"},
        "The newest version.",
    ),
    Link(
        (("createApiKey", 201),),
        ("getApiKey", "rotateApiKey", "revokeApiKey"),
        {"key_id": "$response.body#/key_id"},
        "The key that was made.",
    ),
    Link(
        (("createWebhook", 201),),
        ("getWebhook", "changeWebhook", "pingWebhook", "rotateWebhook", "listDeliveries", "removeWebhook"),
        {"webhook_id": "$response.body#/webhook_id"},
        "The webhook that was made.",
    ),
    Link(
        (("listDeliveries", 200),),
        ("getDelivery", "replayDelivery"),
        {"webhook_id": "$request.path.webhook_id", "number": "$response.body#/items/0/number"},
        "The newest delivery.",
    ),
    Link(
        (("listDeliveries", 200),),
        ("listDeliveries",),
        {"webhook_id": "$request.path.webhook_id", "cursor": "$response.body#/next"},
        "The next page.",
    ),
    *(
        Link(((name, 200),), (name,), {"cursor": "$response.body#/next"}, "The next page.")
        for name in ("listClients", "listEvents", "listErasures", "listApiKeys", "listAuditLog", "listWebhooks")
    ),
    Link(
        (("getTimeline", 200),),
        ("getTimeline",),
        {"client_id": "$response.body#/client_id", "cursor": "$response.body#/next"},
        "The next page.",
    ),
)


def add_links(document: dict[str, Any]) -> None:
    """Write the links into the answers."""
    operations = {operation.id: operation for operation in operations_of(document)}
    for link in LINKS:
        for source, status in link.sources:
            links = operations[source].spec["responses"][str(status)].setdefault("links", {})
            for target in link.targets:
                assert target in operations, target
                name = "nextPage" if target == source else target
                links[name] = {
                    "operationId": target,
                    "parameters": dict(link.parameters),
                    "description": link.description,
                }
