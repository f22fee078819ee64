"""The change feed: what became other about clients, in one order for each tenant."""

from alembic import op

from app.store.isolation import isolate, question

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # Written again and again, and none of its indexed columns: there is to be room beside it.
    """
    CREATE TABLE change_feed (
        tenant_id text PRIMARY KEY,
        place bigint NOT NULL,
        removed_until bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50)
    """,
    *isolate("change_feed"),
    """
    CREATE TABLE assessment_change (
        tenant_id text NOT NULL,
        place bigint NOT NULL,
        at timestamptz NOT NULL,
        client_id text NOT NULL,
        as_of timestamptz NOT NULL,
        aspects text[] NOT NULL,
        score_before double precision,
        verdict_before text,
        client_type_before text,
        score double precision NOT NULL,
        verdict text NOT NULL,
        client_type text NOT NULL,
        PRIMARY KEY (tenant_id, place)
    )
    """,
    # What an erasure looks for, and what is old.
    "CREATE INDEX assessment_change_of_client ON assessment_change (tenant_id, client_id)",
    "CREATE INDEX assessment_change_by_time ON assessment_change (at)",
    *isolate("assessment_change"),
    *question(
        "tenants_with_old_changes",
        "days integer, most integer",
        "TABLE (tenant_id text)",
        """
        SELECT DISTINCT old.tenant_id FROM (
            SELECT tenant_id FROM assessment_change WHERE at < now() - make_interval(days => days)
            ORDER BY at LIMIT most
        ) AS old
        """,
        about="assessment_change",
    ),
)


def upgrade() -> None:
    """Create the tables, and the question whose changes are old."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION tenants_with_old_changes(integer, integer)")
    op.execute("DROP TABLE assessment_change")
    op.execute("DROP TABLE change_feed")
