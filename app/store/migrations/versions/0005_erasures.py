"""What is left to erase: the client's id stays with the tombstone until all else is gone."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE erasure ADD COLUMN client_id text",
    # Nobody has written a tombstone before; the table is empty.
    "ALTER TABLE erasure ADD CONSTRAINT erasure_forgets CHECK ((client_id IS NULL) = (finished_at IS NOT NULL))",
    "CREATE INDEX erasure_unfinished ON erasure (tenant_id, client_id) WHERE client_id IS NOT NULL",
)


def upgrade() -> None:
    """Add them."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION unfinished_erasures(integer)")
    op.execute("ALTER TABLE erasure DROP COLUMN client_id")
