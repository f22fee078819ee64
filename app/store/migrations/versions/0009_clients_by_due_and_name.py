"""Indexes for who is due, of all tenants and of one, and for clients by name."""

from alembic import op

from app.store.indexes import build_index

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build them."""
    build_index("client_due", "client (due_at)")
    build_index("client_due_by_tenant", "client (tenant_id, due_at)")
    build_index("client_by_name", 'client (tenant_id, (coalesce(name, client_id) COLLATE "C"), client_id COLLATE "C")')


def downgrade() -> None:
    """Drop them."""
    for name in ("client_by_name", "client_due_by_tenant", "client_due"):
        op.execute(f"DROP INDEX {name}")
