"""Tenants with their keys, clients and events."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE tenant (
        tenant_id text PRIMARY KEY,
        name text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE api_key (
        tenant_id text NOT NULL,
        key_id text NOT NULL,
        digest bytea NOT NULL UNIQUE,
        name text NOT NULL,
        hint text NOT NULL,
        scopes text[] NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz,
        last_used_at timestamptz,
        PRIMARY KEY (tenant_id, key_id)
    )
    """,
    """
    CREATE TABLE client (
        tenant_id text NOT NULL,
        client_id text NOT NULL,
        name text,
        country text,
        currency text,
        time_zone text,
        created_at timestamptz NOT NULL,
        revision bigint NOT NULL,
        PRIMARY KEY (tenant_id, client_id)
    )
    """,
    """
    CREATE TABLE event (
        tenant_id text NOT NULL,
        source text NOT NULL,
        id text NOT NULL,
        type text NOT NULL,
        client_id text NOT NULL,
        "time" timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        digest bytea NOT NULL,
        data text NOT NULL,
        PRIMARY KEY (tenant_id, source, id)
    )
    """,
    'CREATE INDEX event_by_client ON event (tenant_id, client_id, "time")',
    'CREATE INDEX event_by_time ON event (tenant_id, "time", source, id)',
)


def upgrade() -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for name in ("event", "client", "api_key", "tenant"):
        op.execute(f"DROP TABLE {name}")
