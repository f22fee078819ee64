"""What is known of a client is added to, not told again from its first event on."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Clients that were there before are told once more, when something new is said of them."""
    op.execute("ALTER TABLE client ADD COLUMN profile_until timestamptz")


def downgrade() -> None:
    """Undo."""
    op.execute("ALTER TABLE client DROP COLUMN profile_until")
