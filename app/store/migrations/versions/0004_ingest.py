"""Indexes for what is read while events come in, and room in the pages of clients for what changes with every event."""

from alembic import op

from app.store.indexes import build_index, drop_index

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them, while events come in."""
    # New versions of a row stay in its page, so that no index has to know of them.
    op.execute("ALTER TABLE client SET (fillfactor = 70)")
    # What tells a client's profile is found without reading the rest of its history.
    build_index(
        "event_of_profile",
        """event (tenant_id, client_id, "time", source, id)
            WHERE type IN ('client.created', 'client.updated', 'event.voided')""",
    )
    # The order of a client's events is complete, so that reading may go on at any of them.
    build_index("event_of_client", 'event (tenant_id, client_id, "time", source, id)')
    drop_index("event_by_client")


def downgrade() -> None:
    """As it was."""
    op.execute('CREATE INDEX event_by_client ON event (tenant_id, client_id, "time")')
    op.execute("DROP INDEX event_of_client")
    op.execute("DROP INDEX event_of_profile")
    op.execute("ALTER TABLE client RESET (fillfactor)")
