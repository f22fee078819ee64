"""Policies, and when each was activated."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE policy (
        tenant_id text NOT NULL,
        number integer NOT NULL,
        version text NOT NULL,
        based_on text NOT NULL,
        note text,
        settings text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, number),
        UNIQUE (tenant_id, version)
    )
    """,
    """
    CREATE TABLE policy_activation (
        tenant_id text NOT NULL,
        number integer NOT NULL,
        version text NOT NULL,
        activated_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, number)
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for name in ("policy_activation", "policy"):
        op.execute(f"DROP TABLE {name}")
