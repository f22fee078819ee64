"""Webhooks and their deliveries, to be read; they are changed over REST."""

from datetime import datetime
from typing import Self

import strawberry

from app.core.reading import Aspect
from app.core.verdict import Verdict
from app.graphql.connections import PageInfo, cursor_parts, info_of, page_size
from app.graphql.context import Context, Info
from app.graphql.errors import coded
from app.graphql.fields import answered, described
from app.graphql.nodes import Node, global_id, require_client_id
from app.ports.webhooks import Attempt, Delivery, DeliveryFilter, DeliveryState, DisabledReason, WebhookState
from app.use_cases.seen_webhooks import SeenWebhook
from app.wire.moments import read_instant
from app.wire.resource_tags import only, webhook_tags

__all__ = ["WebhookConnection", "WebhookType", "webhook_of", "webhooks_page"]

strawberry.enum(WebhookState, description="Whether deliveries are made.")
strawberry.enum(DisabledReason, name="WebhookDisabledReason", description="Why a webhook was disabled.")
strawberry.enum(DeliveryState, description="What became of a delivery.")


@strawberry.type(name="DeliveryAttempt", description="One try of a delivery.")
class AttemptType:
    """One try."""

    at: datetime = described("When it began.")
    status: int | None = described("Of the answer; null where there was none.")
    error: str | None = described("What went wrong before there was an answer, as over REST; null where there was one.")
    milliseconds: int = described("That it took.")
    answer: str = described("The first 256 characters of the answer's body.")

    @classmethod
    def of(cls, found: Attempt) -> Self:
        """Make it from a try."""
        return cls(
            at=found.at,
            status=found.status,
            error=found.error,
            milliseconds=found.milliseconds,
            answer=found.answer,
        )


@strawberry.type(name="Delivery", description="One message to a webhook, and what became of it.")
class DeliveryType:
    """One message to a webhook."""

    number: int = described("Names it within its webhook, in the order in which they were made.")
    message_id: str = described("`webhook-id`: the same on each try and each replay.")
    type: str = described("Of the message, such as `assessment.changed`.")
    client_id: str | None = described("Whose change it tells; null for other messages.")
    state: DeliveryState = described("What became of it.")
    attempts: list[AttemptType] = described("The newest 16 tries, the last one last.")
    created_at: datetime = described("When it was made.")
    due_at: datetime | None = described("When it is tried next; null where it is over, or waits for one before it.")
    ended_at: datetime | None = described("When it was over; null while it is pending.")

    @classmethod
    def of(cls, found: Delivery) -> Self:
        """Make it from a delivery."""
        return cls(
            number=found.number,
            message_id=found.message_id,
            type=found.type.value,
            client_id=found.client_id,
            state=found.state,
            attempts=[AttemptType.of(one) for one in found.attempts],
            created_at=found.created_at,
            due_at=found.due_at,
            ended_at=found.ended_at,
        )


@strawberry.type(description="One delivery in a list.")
class DeliveryEdge:
    """One delivery in a list."""

    cursor: str = described("Its place in the list.")
    node: DeliveryType = described("The delivery.")


@strawberry.type(description="Deliveries of a webhook, the newest first.")
class DeliveryConnection:
    """Deliveries of a webhook."""

    edges: list[DeliveryEdge] = described("The deliveries of the page.")
    page_info: PageInfo = described("Where the page lies in the list.")


@strawberry.type(name="Webhook", description="Where the tenant wants to be told what becomes other, and how that goes.")
class WebhookType(Node):
    """A webhook."""

    webhook_id: str = described("Its id over REST.")
    url: str = described("Where messages are sent.")
    description: str = described("For people.")
    types: list[str] = described("Which messages, such as `assessment.changed`.")
    verdicts: list[Verdict] = described("Changes of clients that have one of these before or after; none for all.")
    client_types: list[str] = described("Changes of clients of one of these types before or after; none for all.")
    aspects: list[Aspect] = described("Changes of one of these at least; none for all.")
    sources: list[str] = described("Changes of clients of which one of these sources has told; none for all.")
    state: WebhookState = described("Whether deliveries are made.")
    disabled_at: datetime | None = described("Since when they are not; null where they are.")
    disabled_reason: DisabledReason | None = described("Why they are not; null where they are.")
    created_at: datetime = described("When it was made.")
    behind: int = described("Changes that are still to be looked at.")
    pending: int = described("Deliveries that were begun and are not over, counted up to 1,000.")
    failures: int = described("Tries that failed since the last that did not.")
    failing_since: datetime | None = described("When the first of them was.")
    paused_until: datetime | None = described("Until then nothing is tried, as several have failed.")
    delivered_at: datetime | None = described("When the last delivery was taken; null before the first.")
    secret_created_at: datetime = described("When the secret was made that it is signed with.")
    overlap_ends_at: datetime | None = described("Until when a former secret signs, too; null where none does.")
    seen: strawberry.Private[SeenWebhook]

    @answered("REST's `ETag`, without its quotes.")
    async def etag(self, info: Info) -> str:
        """Its tag."""
        return (await webhook_tags(info.context.services.tags, info.context.tenant_id, only())).of(self.seen)

    @answered(
        "What was sent and what was answered, the newest first; it takes the scope `read`, too; 100 on a page at most.",
        weight=5,
        size=0,
    )
    async def deliveries(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        state: DeliveryState | None = None,
        client_id: str | None = None,
    ) -> DeliveryConnection:
        """A page of deliveries."""
        context = info.context
        context.permit("Webhook.deliveries")
        if client_id is not None:
            require_client_id(client_id)
        size, _ = page_size(first, None)
        places = await context.places("deliveries", self.webhook_id, state or "", client_id or "")
        parts = cursor_parts(places, after, "after", 1)
        before = None if parts is None else int(parts[0])
        found = await context.deliveries.load((self.webhook_id, DeliveryFilter(state, client_id), before, size + 1))
        edges = [DeliveryEdge(cursor=places.encode(str(one.number)), node=DeliveryType.of(one)) for one in found[:size]]
        page = info_of([edge.cursor for edge in edges], before is not None, len(found) > size)
        return DeliveryConnection(edges=edges, page_info=page)

    @classmethod
    def of(cls, found: SeenWebhook) -> Self:
        """Make it from a webhook."""
        one, wanted, progress = found.webhook, found.webhook.wanted, found.progress
        return cls(
            id=global_id("Webhook", one.webhook_id),
            webhook_id=one.webhook_id,
            url=one.url,
            description=one.description,
            types=sorted(wanted.types),
            verdicts=sorted(wanted.verdicts),
            client_types=sorted(wanted.client_types),
            aspects=sorted(wanted.aspects),
            sources=sorted(wanted.sources),
            state=one.state,
            disabled_at=None if one.disabled is None else one.disabled.at,
            disabled_reason=None if one.disabled is None else one.disabled.reason,
            created_at=one.created_at,
            behind=progress.behind,
            pending=progress.pending,
            failures=progress.failures,
            failing_since=progress.failing_since,
            paused_until=progress.paused_until,
            delivered_at=progress.delivered_at,
            secret_created_at=progress.secret_created_at,
            overlap_ends_at=progress.overlap_ends_at,
            seen=found,
        )


@strawberry.type(description="One webhook in a list.")
class WebhookEdge:
    """One webhook in a list."""

    cursor: str = described("Its place in the list.")
    node: WebhookType = described("The webhook.")


@strawberry.type(description="Webhooks, the oldest first.")
class WebhookConnection:
    """Webhooks."""

    edges: list[WebhookEdge] = described("The webhooks of the page.")
    page_info: PageInfo = described("Where the page lies in the list.")


async def webhooks_page(context: Context, first: int | None, after: str | None) -> WebhookConnection:
    """A page of webhooks."""
    size, _ = page_size(first, None)
    places = await context.places("webhooks")
    parts = cursor_parts(places, after, "after", 2)
    place = None
    if parts is not None:
        try:
            place = read_instant(parts[0]), parts[1]
        except ValueError:
            raise coded("expected a cursor of this list", "BAD_USER_INPUT", argument="after") from None
    found, has_more = await context.services.webhooks.page(context.tenant_id, place, size)
    edges = [
        WebhookEdge(
            cursor=places.encode(one.webhook.created_at.isoformat(), one.webhook.webhook_id), node=WebhookType.of(one)
        )
        for one in found
    ]
    return WebhookConnection(
        edges=edges, page_info=info_of([edge.cursor for edge in edges], place is not None, has_more)
    )


async def webhook_of(context: Context, webhook_id: str) -> WebhookType | None:
    """One webhook; None where there is none."""
    context.permit("Query.webhooks")
    found = await context.services.webhooks.several(context.tenant_id, [webhook_id])
    return WebhookType.of(found[webhook_id]) if webhook_id in found else None
