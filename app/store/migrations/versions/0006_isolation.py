"""Row-level security on all tables of tenants, and the two questions that are asked before the tenant is known.

The code that runs already has to say whose each transaction is, as it does since revision 0003.
"""

from alembic import op

from app.store.isolation import isolate, question

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("tenant", "api_key", "client", "event", "policy", "policy_activation", "checkpoint", "erasure")

_QUESTIONS = (
    question(
        "api_key_by_digest",
        "wanted bytea",
        "SETOF api_key",
        "SELECT * FROM api_key WHERE digest = wanted",
        about="api_key",
    ),
    question(
        "tenant_by_name",
        "wanted text",
        "SETOF text",
        "SELECT tenant_id FROM tenant WHERE name = wanted",
        about="tenant",
    ),
    question(
        "unfinished_erasures",
        "most integer",
        "TABLE (tenant_id text, digest bytea)",
        "SELECT tenant_id, digest FROM erasure WHERE client_id IS NOT NULL ORDER BY erased_at, digest LIMIT most",
        about="erasure",
    ),
)


def upgrade() -> None:
    """Isolate the tables; each is locked for a moment, while nothing is read or rewritten."""
    for statements in (*map(isolate, _TABLES), *_QUESTIONS):
        for statement in statements:
            op.execute(statement)


def downgrade() -> None:
    """Let every role see everything that it has a right to."""
    op.execute("DROP POLICY api_key_by_digest_select ON api_key")
    op.execute("DROP POLICY tenant_by_name_select ON tenant")
    op.execute("DROP FUNCTION api_key_by_digest(bytea)")
    op.execute("DROP FUNCTION tenant_by_name(text)")
    for table in _TABLES:
        op.execute(f"DROP POLICY tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
