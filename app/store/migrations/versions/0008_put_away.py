"""Invoices and changes that checkpoints keep only in sums."""

from alembic import op

from app.store.isolation import isolate

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE put_away (
        tenant_id text NOT NULL,
        client_id text NOT NULL,
        policy_version text NOT NULL,
        kind text NOT NULL,
        name text NOT NULL,
        "time" timestamptz NOT NULL,
        source text NOT NULL,
        id text NOT NULL,
        state bytea NOT NULL,
        PRIMARY KEY (tenant_id, client_id, policy_version, kind, name, "time", source, id),
        FOREIGN KEY (tenant_id, client_id, policy_version, "time", source, id)
            REFERENCES checkpoint (tenant_id, client_id, policy_version, "time", source, id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX put_away_by_checkpoint
        ON put_away (tenant_id, client_id, policy_version, "time", source, id)
    """,
    *isolate("put_away"),
)


def upgrade() -> None:
    """Create the table."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.execute("DROP TABLE put_away")
