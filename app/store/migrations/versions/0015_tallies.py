"""What all assessed clients of a tenant add up to, kept as they are stored."""

from alembic import op

from app.store.isolation import isolate, question

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # Empty until the client is assessed by code that fills it: at the end of its local day at the latest.
    "ALTER TABLE assessment ADD COLUMN tally text",
    """
    CREATE TABLE tally_slot (
        tenant_id text NOT NULL,
        slot smallint NOT NULL,
        revision bigint NOT NULL,
        clients bigint NOT NULL,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, slot)
    )
    """,
    *isolate("tally_slot"),
    """
    CREATE TABLE tally_sum (
        tenant_id text NOT NULL,
        slot smallint NOT NULL,
        term text NOT NULL,
        label text NOT NULL,
        amount numeric NOT NULL,
        PRIMARY KEY (tenant_id, slot, term, label)
    )
    """,
    *isolate("tally_sum"),
    """
    CREATE TABLE verdict_change (
        tenant_id text NOT NULL,
        day date NOT NULL,
        slot smallint NOT NULL,
        before text NOT NULL,
        after text NOT NULL,
        clients bigint NOT NULL,
        PRIMARY KEY (tenant_id, day, slot, before, after)
    )
    """,
    "CREATE INDEX verdict_change_by_day ON verdict_change (day)",
    *isolate("verdict_change"),
    *question(
        "tenant_with_old_verdict_changes",
        "earliest date, latest date",
        "TABLE (tenant_id text)",
        "SELECT tenant_id FROM verdict_change WHERE day BETWEEN earliest AND latest ORDER BY day LIMIT 1",
        about="verdict_change",
    ),
)


def upgrade() -> None:
    """Create the tables; code that knows nothing of them goes on storing assessments, and leaves tallies alone."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION tenant_with_old_verdict_changes(date, date)")
    for table in ("verdict_change", "tally_sum", "tally_slot"):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE assessment DROP COLUMN tally")
