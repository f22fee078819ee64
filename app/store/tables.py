"""The tables. Every key of a tenant's table begins with the tenant, so that the schema can be distributed by it."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.store.metadata import INSTANT as _INSTANT
from app.store.metadata import METADATA
from app.store.webhook_tables import webhook, webhook_delivery, webhook_progress, webhook_secret

__all__ = [
    "METADATA",
    "api_key",
    "assessment",
    "assessment_change",
    "audit_entry",
    "change_feed",
    "checkpoint",
    "client",
    "erasure",
    "event",
    "former_secret",
    "policy",
    "policy_activation",
    "portfolio",
    "portfolio_share",
    "put_away",
    "rate_limit",
    "rate_use",
    "request",
    "secret",
    "tally_slot",
    "tally_sum",
    "tenant",
    "verdict_change",
    "webhook",
    "webhook_delivery",
    "webhook_progress",
    "webhook_secret",
]

# In the order of code points, as Python has it.
_BY_ID = text('client_id COLLATE "C"')

tenant = Table(
    "tenant",
    METADATA,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", _INSTANT, nullable=False),
)

# Looked up by the digest before the tenant is known: on a distributed database a reference table.
api_key = Table(
    "api_key",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("expires_at", _INSTANT),
    Column("revoked_at", _INSTANT),
    Column("last_used_at", _INSTANT),
    PrimaryKeyConstraint("tenant_id", "key_id"),
    UniqueConstraint("digest"),
)

# Secrets that a key had before it was rotated, for as long as they still work; looked up like those of `api_key`.
former_secret = Table(
    "former_secret",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("ends_at", _INSTANT, nullable=False),
    PrimaryKeyConstraint("tenant_id", "key_id", "digest"),
    Index("former_secret_by_digest", "digest"),
)

# Who changed what: only ever added to. A client is named by the digest of its id, as in its tombstone.
audit_entry = Table(
    "audit_entry",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("entry_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # JSON, read as a whole.
    Column("details", Text, nullable=False),
    Column("request_id", Text),
    PrimaryKeyConstraint("tenant_id", "at", "entry_id"),
    Index("audit_entry_of_subject", "tenant_id", "subject", "at", "entry_id"),
    Index("audit_entry_of_actor", "tenant_id", "actor", "at", "entry_id"),
)

client = Table(
    "client",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("name", Text),
    Column("country", Text),
    Column("currency", Text),
    Column("time_zone", Text),
    Column("created_at", _INSTANT, nullable=False),
    # Grows with every event of the client, in the event's transaction: who has seen it has seen all up to it.
    Column("revision", BigInteger, nullable=False),
    # From when on the stored assessment does not hold any more.
    Column("due_at", _INSTANT, nullable=False, server_default="-infinity"),
    # The newest checkpoint: an event that is not older leaves all of them as they are.
    Column("checkpointed_until", _INSTANT),
    # The newest event that the profile was told by: one after it is added to it. Not known where it is null.
    Column("profile_until", _INSTANT),
    PrimaryKeyConstraint("tenant_id", "client_id"),
    # Across tenants: what a worker asks for.
    Index("client_due", "due_at"),
    Index("client_due_by_tenant", "tenant_id", "due_at"),
    Index("client_by_name", "tenant_id", text('(coalesce(name, client_id) COLLATE "C")'), _BY_ID),
)

event = Table(
    "event",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("time", _INSTANT, nullable=False),
    Column("recorded_at", _INSTANT, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    # Text, not jsonb: it is validated before and read as a whole, and keeps numbers as they were sent.
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "source", "id"),
    Index("event_of_client", "tenant_id", "client_id", "time", "source", "id"),
    Index(
        "event_of_profile",
        "tenant_id",
        "client_id",
        "time",
        "source",
        "id",
        postgresql_where=text("type IN ('client.created', 'client.updated', 'event.voided')"),
    ),
    Index("event_by_time", "tenant_id", "time", "source", "id"),
)

# What a client's events up to one of them come to, so that reading need not begin at the first. A mere cache: an event
# that comes late deletes those that are not older, in its own transaction.
checkpoint = Table(
    "checkpoint",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("time", _INSTANT, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "client_id", "policy_version", "time", "source", "id"),
)

# Invoices and changes that a client's states keep only in sums, as they stood at a checkpoint: looked up when something
# new is told of one. They go with their checkpoint.
put_away = Table(
    "put_away",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("time", _INSTANT, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "client_id", "policy_version", "kind", "name", "time", "source", "id"),
    ForeignKeyConstraint(
        ["tenant_id", "client_id", "policy_version", "time", "source", "id"],
        [f"checkpoint.{name}" for name in ("tenant_id", "client_id", "policy_version", "time", "source", "id")],
        ondelete="CASCADE",
    ),
    Index("put_away_by_checkpoint", "tenant_id", "client_id", "policy_version", "time", "source", "id"),
)

# Tombstones: SHA-256 of an erased client's id, so that what comes late is refused and nothing personal stays.
erasure = Table(
    "erasure",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("erased_at", _INSTANT, nullable=False),
    Column("finished_at", _INSTANT),
    # Needed to find what is left to remove, and forgotten with it.
    Column("client_id", Text),
    PrimaryKeyConstraint("tenant_id", "digest"),
    CheckConstraint("(client_id IS NULL) = (finished_at IS NOT NULL)", "erasure_forgets"),
)
Index("erasure_unfinished", erasure.c.tenant_id, erasure.c.client_id, postgresql_where=erasure.c.client_id.is_not(None))

policy = Table(
    "policy",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("based_on", Text, nullable=False),
    Column("note", Text),
    Column("settings", Text, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    PrimaryKeyConstraint("tenant_id", "number"),
    UniqueConstraint("tenant_id", "version"),
)

# Only ever added to: the newest is in force.
policy_activation = Table(
    "policy_activation",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("activated_at", _INSTANT, nullable=False),
    PrimaryKeyConstraint("tenant_id", "number"),
)

# The newest assessment of each client: what lists are cut from.
assessment = Table(
    "assessment",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    # What it was made from: the client's revision, the number of the portfolio, the policy.
    Column("revision", BigInteger, nullable=False),
    Column("portfolio", BigInteger, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("as_of", _INSTANT, nullable=False),
    Column("holds_until", _INSTANT, nullable=False),
    # What lists are ordered and filtered by.
    Column("score", Double, nullable=False),
    Column("change", Double, nullable=False),
    # Downwards by a number is upwards by its negative, as ids are: so a page begins at one place of an index.
    Column("by_score", Double, Computed("-score", persisted=True), nullable=False),
    Column("by_change", Double, Computed("-change", persisted=True), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("client_type", Text, nullable=False),
    Column("leading_sign", Text),
    # The whole of it.
    Column("content", LargeBinary, nullable=False),
    # What the client adds to the tenant's tallies at present, as JSON: taken from them before another one is added.
    # Null where it was stored by a version that kept none.
    Column("tally", Text),
    PrimaryKeyConstraint("tenant_id", "client_id"),
    Index("assessment_by_score", "tenant_id", "by_score", _BY_ID),
    Index("assessment_by_change", "tenant_id", "by_change", _BY_ID),
    Index("assessment_by_verdict", "tenant_id", "verdict", "by_score", _BY_ID),
    Index("assessment_by_type", "tenant_id", "client_type", "by_score", _BY_ID),
    Index("assessment_by_sign", "tenant_id", "leading_sign", "by_score", _BY_ID),
)

# What became other about clients, in the order in which it became durable.
assessment_change = Table(
    "assessment_change",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("as_of", _INSTANT, nullable=False),
    Column("aspects", ARRAY(Text), nullable=False),
    # NULL for a client's first assessment.
    Column("score_before", Double),
    Column("verdict_before", Text),
    Column("client_type_before", Text),
    Column("score", Double, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("client_type", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "place"),
    Index("assessment_change_of_client", "tenant_id", "client_id"),
    Index("assessment_change_by_time", "at"),
)

# How far a tenant's feed has come, and up to where it is not kept any more.
change_feed = Table(
    "change_feed",
    METADATA,
    Column("tenant_id", Text, primary_key=True),
    Column("place", BigInteger, nullable=False),
    Column("removed_until", BigInteger, nullable=False, server_default="0"),
)

# What the tallies of a tenant's assessments add up to: of several rows that are added up, so that transactions that
# store assessments at the same time need not wait for each other. Each of them holds one slot, and changes rows of that
# slot alone.
tally_slot = Table(
    "tally_slot",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    # Grows with every change: the sum over all slots tells what was answered before.
    Column("revision", BigInteger, nullable=False),
    Column("clients", BigInteger, nullable=False),
    Column("changed_at", _INSTANT, nullable=False),
    PrimaryKeyConstraint("tenant_id", "slot"),
)
tally_sum = Table(
    "tally_sum",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    Column("term", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    PrimaryKeyConstraint("tenant_id", "slot", "term", "label"),
)
# How many clients went from one verdict to another on a day of UTC. '' before a client's first verdict, and after the
# last one of a client that was erased: so all that was ever entered comes to how many have a verdict now. What is old
# is put together on one day long ago.
verdict_change = Table(
    "verdict_change",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("clients", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "day", "slot", "before", "after"),
    # Across tenants: what a worker puts together.
    Index("verdict_change_by_day", "day"),
)

# What each client adds to the portfolio, as the tenant's local day began.
portfolio_share = Table(
    "portfolio_share",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "client_id"),
)

# The portfolio that the tenant's clients are held against at present, put together from the shares.
portfolio = Table(
    "portfolio",
    METADATA,
    Column("tenant_id", Text, primary_key=True),
    # Another portfolio has another number; 0 before the first.
    Column("number", BigInteger, nullable=False),
    # Grows with every change of a share: who put it together knows whether he missed some.
    Column("changes", BigInteger, nullable=False),
    # From when on it is to be put together anew, and by whom not yet again.
    Column("due_at", _INSTANT, nullable=False),
    Column("leased_until", _INSTANT, nullable=False, server_default="-infinity"),
    Column("made_at", _INSTANT),
    Column("day", Date),
    Column("policy_version", Text),
    # Of how many clients, and the sum of their revisions; where they are few, also what tells these clients with these
    # revisions from any others.
    Column("clients", BigInteger, nullable=False),
    Column("revisions", BigInteger, nullable=False),
    Column("fingerprint", Numeric, nullable=False, server_default="0"),
    Column("content", LargeBinary),
    # The rate of each client, which takes most of the room.
    Column("rates", LargeBinary),
    Index("portfolio_due", "due_at"),
)

# What holds for one principal of a tenant, or for all ('') of them, instead of the default.
rate_limit = Table(
    "rate_limit",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("name", Text, nullable=False),
    # NULL where the policy is not to hold.
    Column("quota", BigInteger),
    Column("seconds", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "who", "name"),
    CheckConstraint("quota > 0 AND seconds > 0", "rate_limit_positive"),
)

# How many tokens of the present window the replicas have taken. Unlogged: after a crash of Postgres all windows begin
# anew, which is all that can be lost.
rate_use = Table(
    "rate_use",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "who", "name"),
    prefixes=["UNLOGGED"],
)

# What a tenant's cursors and tags are signed with, where the settings name no secrets.
secret = Table(
    "secret",
    METADATA,
    Column("tenant_id", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
)

# Requests with an Idempotency-Key: claimed before the work, with the answer after it.
request = Table(
    "request",
    METADATA,
    Column("tenant_id", Text, nullable=False),
    Column("credential", Text, nullable=False),
    # SHA-256 of the key; the key itself, which nobody keeps, opens the answer.
    Column("digest", LargeBinary, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    # Who is at it, and for how long yet.
    Column("claim", Text, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("leased_until", _INSTANT, nullable=False),
    Column("kept_until", _INSTANT, nullable=False),
    # What the work has made, noted in its own transaction: who does it again after a crash finds it.
    Column("made", Text),
    # SHA-256 of the client's id, where the answer tells of one: it goes when the client is erased.
    Column("subject", LargeBinary),
    # Encrypted.
    Column("answer", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "credential", "digest"),
    UniqueConstraint("tenant_id", "request_id"),
    # Across tenants: what a worker removes.
    Index("request_old", "kept_until"),
    Index("request_about", "tenant_id", "subject", postgresql_where=text("subject IS NOT NULL")),
)
