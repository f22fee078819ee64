"""What cursors and tags are signed with, and the answers of requests that are done once."""

from alembic import op

from app.store.isolation import isolate, question

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE secret (
        tenant_id text PRIMARY KEY,
        value bytea NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    *isolate("secret"),
    """
    CREATE TABLE request (
        tenant_id text NOT NULL,
        credential text NOT NULL,
        digest bytea NOT NULL,
        request_id text NOT NULL,
        fingerprint bytea NOT NULL,
        claim text NOT NULL,
        created_at timestamptz NOT NULL,
        leased_until timestamptz NOT NULL,
        kept_until timestamptz NOT NULL,
        made text,
        subject bytea,
        answer bytea,
        PRIMARY KEY (tenant_id, credential, digest),
        UNIQUE (tenant_id, request_id)
    )
    """,
    "CREATE INDEX request_old ON request (kept_until)",
    "CREATE INDEX request_about ON request (tenant_id, subject) WHERE subject IS NOT NULL",
    *isolate("request"),
    *question(
        "remove_old_requests",
        "most integer",
        "TABLE (tenant_id text)",
        """
        DELETE FROM request USING (
            SELECT tenant_id, credential, digest FROM request WHERE kept_until <= now()
            ORDER BY kept_until LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old
        WHERE request.tenant_id = old.tenant_id AND request.credential = old.credential
            AND request.digest = old.digest
        RETURNING request.tenant_id
        """,
        about="request",
        commands=("SELECT", "UPDATE", "DELETE"),
    ),
)


def upgrade() -> None:
    """Create the tables, and what removes old answers of all tenants."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION remove_old_requests(integer)")
    op.execute("DROP TABLE request")
    op.execute("DROP TABLE secret")
