"""Rates of keys: what holds instead of the defaults, and the tokens that replicas share."""

from alembic import op

from app.store.isolation import isolate

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE rate_limit (
        tenant_id text NOT NULL,
        who text NOT NULL,
        name text NOT NULL,
        quota bigint,
        seconds integer NOT NULL,
        PRIMARY KEY (tenant_id, who, name),
        CONSTRAINT rate_limit_positive CHECK (quota > 0 AND seconds > 0)
    )
    """,
    *isolate("rate_limit"),
    # Each row is written again and again, and none of its indexed columns: there is to be room beside it.
    """
    CREATE UNLOGGED TABLE rate_use (
        tenant_id text NOT NULL,
        who text NOT NULL,
        name text NOT NULL,
        began bigint NOT NULL,
        used bigint NOT NULL,
        PRIMARY KEY (tenant_id, who, name)
    ) WITH (fillfactor = 50)
    """,
    *isolate("rate_use"),
)


def upgrade() -> None:
    """Create the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("DROP TABLE rate_use")
    op.execute("DROP TABLE rate_limit")
