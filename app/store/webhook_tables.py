"""The tables of webhooks: what tenants want to be told, and how far the telling has come."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from app.store.metadata import INSTANT, METADATA

__all__ = ["webhook", "webhook_delivery", "webhook_progress", "webhook_secret"]

webhook = Table(
    "webhook",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    # What it wants to be told. An empty filter lets everything through.
    Column("types", ARRAY(Text), nullable=False),
    Column("verdicts", ARRAY(Text), nullable=False),
    Column("client_types", ARRAY(Text), nullable=False),
    Column("aspects", ARRAY(Text), nullable=False),
    Column("sources", ARRAY(Text), nullable=False),
    # `enabled` or `disabled`.
    Column("state", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    # Grows with every change of this row.
    Column("revision", BigInteger, nullable=False),
    Column("disabled_at", INSTANT),
    Column("disabled_reason", Text),
    PrimaryKeyConstraint("tenant_id", "webhook_id"),
)

# What signs: two at once while they change. The newest has the highest number.
webhook_secret = Table(
    "webhook_secret",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("value", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    # NULL for the one that stays.
    Column("ends_at", INSTANT),
    PrimaryKeyConstraint("tenant_id", "webhook_id", "number"),
)

# How far a webhook's deliveries have come, and whose they are: written all the time, so that it stands apart.
webhook_progress = Table(
    "webhook_progress",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("webhook_id", Text, nullable=False),
    # Every change up to here is delivered, or has a row in `webhook_delivery`, or was not asked for.
    Column("place", BigInteger, nullable=False),
    # Those behind it of which the same holds already.
    Column("beyond", ARRAY(BigInteger), nullable=False, server_default="{}"),
    # The number of the newest delivery.
    Column("last_number", BigInteger, nullable=False, server_default="0"),
    # When the next of the pending deliveries is due; infinity where there is none.
    Column("due_at", INSTANT, nullable=False, server_default="infinity"),
    # The worker that delivers, and until when it may be sure that no other one does.
    Column("owner", Text),
    Column("owned_until", INSTANT, nullable=False, server_default="-infinity"),
    # Grows when somebody else has changed the webhook or its pending deliveries: the owner then looks anew.
    Column("asked", BigInteger, nullable=False, server_default="0"),
    # Failed tries since the last that did not, and since when.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", INSTANT),
    # Until then nothing is tried. NULL where the breaker is closed.
    Column("paused_until", INSTANT),
    # Whether its receiver fails or is slow at present: nobody else is to wait for it.
    Column("troubled", Boolean, nullable=False, server_default="false"),
    Column("delivered_at", INSTANT),
    PrimaryKeyConstraint("tenant_id", "webhook_id"),
    Index("webhook_progress_of_owner", "owner", postgresql_where=text("owner IS NOT NULL")),
    postgresql_with={"fillfactor": "50"},
)

webhook_delivery = Table(
    "webhook_delivery",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    # Of a change: its place in the feed, where what is sent is read each time, and its client.
    Column("place", BigInteger),
    Column("client_id", Text),
    # Of anything else: the body.
    Column("payload", Text),
    # `pending`, `delivered`, `failed`, `skipped`.
    Column("state", Text, nullable=False),
    # Tries since it was made or is to be sent again: its place in the schedule.
    Column("tries", Integer, nullable=False, server_default="0"),
    # The newest tries, as JSON, read as a whole.
    Column("attempts", Text, nullable=False, server_default="[]"),
    # NULL where it is not pending, or waits for one before it.
    Column("due_at", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    Column("ended_at", INSTANT),
    PrimaryKeyConstraint("tenant_id", "webhook_id", "number"),
    Index(
        "webhook_delivery_open",
        "tenant_id",
        "webhook_id",
        "state",
        "number",
        postgresql_where=text("state <> 'delivered'"),
    ),
    Index(
        "webhook_delivery_of_client",
        "tenant_id",
        "client_id",
        "webhook_id",
        "number",
        postgresql_where=text("client_id IS NOT NULL"),
    ),
    # Across tenants: what a worker removes.
    Index("webhook_delivery_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)
