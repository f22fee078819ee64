"""What is kept beside the events: checkpoints, when a client is due again, and whom was erased."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE client ADD COLUMN due_at timestamptz NOT NULL DEFAULT '-infinity'",
    "ALTER TABLE client ADD COLUMN checkpointed_until timestamptz",
    """
    CREATE TABLE checkpoint (
        tenant_id text NOT NULL,
        client_id text NOT NULL,
        policy_version text NOT NULL,
        "time" timestamptz NOT NULL,
        source text NOT NULL,
        id text NOT NULL,
        state bytea NOT NULL,
        PRIMARY KEY (tenant_id, client_id, policy_version, "time", source, id)
    )
    """,
    """
    CREATE TABLE erasure (
        tenant_id text NOT NULL,
        digest bytea NOT NULL,
        erased_at timestamptz NOT NULL,
        finished_at timestamptz,
        client_id text,
        PRIMARY KEY (tenant_id, digest),
        CONSTRAINT erasure_forgets CHECK ((client_id IS NULL) = (finished_at IS NOT NULL))
    )
    """,
    "CREATE INDEX erasure_unfinished ON erasure (tenant_id, client_id) WHERE client_id IS NOT NULL",
)


def upgrade() -> None:
    """Add them; a constant default rewrites no table."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE erasure")
    op.execute("DROP TABLE checkpoint")
    op.execute("ALTER TABLE client DROP COLUMN checkpointed_until, DROP COLUMN due_at")
