"""Secrets that overlap when a key is rotated, and the audit log."""

from alembic import op

from app.store.isolation import isolate, question

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE former_secret (
        tenant_id text NOT NULL,
        key_id text NOT NULL,
        digest bytea NOT NULL,
        ends_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, key_id, digest)
    )
    """,
    "CREATE INDEX former_secret_by_digest ON former_secret (digest)",
    *isolate("former_secret"),
    """
    CREATE TABLE audit_entry (
        tenant_id text NOT NULL,
        at timestamptz NOT NULL,
        entry_id text NOT NULL,
        actor text NOT NULL,
        action text NOT NULL,
        subject text NOT NULL,
        details text NOT NULL,
        request_id text,
        PRIMARY KEY (tenant_id, at, entry_id)
    )
    """,
    "CREATE INDEX audit_entry_of_subject ON audit_entry (tenant_id, subject, at, entry_id)",
    "CREATE INDEX audit_entry_of_actor ON audit_entry (tenant_id, actor, at, entry_id)",
    *isolate("audit_entry"),
    # Asked before the tenant is known, of many secrets at once.
    *question(
        "api_keys_by_digests",
        "wanted bytea[]",
        """TABLE (
            tenant_id text, key_id text, name text, hint text, scopes text[], created_at timestamptz,
            expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz,
            digest bytea, ends_at timestamptz
        )""",
        """
        SELECT k.tenant_id, k.key_id, k.name, k.hint, k.scopes, k.created_at, k.expires_at, k.revoked_at,
            k.last_used_at, k.digest, NULL::timestamptz
        FROM api_key AS k WHERE k.digest = ANY(wanted)
        UNION ALL
        SELECT k.tenant_id, k.key_id, k.name, k.hint, k.scopes, k.created_at, k.expires_at, k.revoked_at,
            k.last_used_at, f.digest, f.ends_at
        FROM former_secret AS f JOIN api_key AS k ON k.tenant_id = f.tenant_id AND k.key_id = f.key_id
        WHERE f.digest = ANY(wanted)
        """,
        about="api_key",
    ),
    # It is about former secrets, too.
    """
    CREATE POLICY api_keys_by_digests_select ON former_secret FOR SELECT
    USING ((SELECT current_setting('app.question', true)) = 'api_keys_by_digests')
    """,
)


def upgrade() -> None:
    """Make them; the code that runs goes on asking for one digest, and knows nothing of former secrets."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """As it was."""
    op.execute("DROP POLICY api_keys_by_digests_select ON api_key")
    op.execute("DROP FUNCTION api_keys_by_digests(bytea[])")
    op.execute("DROP TABLE former_secret")
    op.execute("DROP TABLE audit_entry")
