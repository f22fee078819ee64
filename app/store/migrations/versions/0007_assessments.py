"""Stored assessments and portfolios, and how a worker finds what is due."""

from alembic import op

from app.store.isolation import isolate, question

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE assessment (
        tenant_id text NOT NULL,
        client_id text NOT NULL,
        revision bigint NOT NULL,
        portfolio bigint NOT NULL,
        policy_version text NOT NULL,
        as_of timestamptz NOT NULL,
        holds_until timestamptz NOT NULL,
        score double precision NOT NULL,
        change double precision NOT NULL,
        by_score double precision NOT NULL GENERATED ALWAYS AS (-score) STORED,
        by_change double precision NOT NULL GENERATED ALWAYS AS (-change) STORED,
        verdict text NOT NULL,
        client_type text NOT NULL,
        leading_sign text,
        content bytea NOT NULL,
        PRIMARY KEY (tenant_id, client_id)
    )
    """,
    'CREATE INDEX assessment_by_score ON assessment (tenant_id, by_score, client_id COLLATE "C")',
    'CREATE INDEX assessment_by_change ON assessment (tenant_id, by_change, client_id COLLATE "C")',
    'CREATE INDEX assessment_by_verdict ON assessment (tenant_id, verdict, by_score, client_id COLLATE "C")',
    'CREATE INDEX assessment_by_type ON assessment (tenant_id, client_type, by_score, client_id COLLATE "C")',
    'CREATE INDEX assessment_by_sign ON assessment (tenant_id, leading_sign, by_score, client_id COLLATE "C")',
    """
    CREATE TABLE portfolio_share (
        tenant_id text NOT NULL,
        client_id text NOT NULL,
        revision bigint NOT NULL,
        day date NOT NULL,
        policy_version text NOT NULL,
        content bytea NOT NULL,
        PRIMARY KEY (tenant_id, client_id)
    )
    """,
    """
    CREATE TABLE portfolio (
        tenant_id text PRIMARY KEY,
        number bigint NOT NULL,
        changes bigint NOT NULL,
        due_at timestamptz NOT NULL,
        leased_until timestamptz NOT NULL DEFAULT '-infinity',
        made_at timestamptz,
        day date,
        policy_version text,
        clients bigint NOT NULL,
        revisions bigint NOT NULL,
        fingerprint numeric NOT NULL DEFAULT 0,
        content bytea,
        rates bytea
    )
    """,
    "CREATE INDEX portfolio_due ON portfolio (due_at)",
)

_TABLES = ("assessment", "portfolio_share", "portfolio")


def _claim(name: str, order: str) -> list[str]:
    return question(
        name,
        "most integer, lease interval",
        "TABLE (tenant_id text, client_id text)",
        f"""
            UPDATE client SET due_at = now() + lease
            FROM (
                SELECT tenant_id, client_id FROM client WHERE due_at <= now()
                ORDER BY due_at {order} LIMIT most FOR NO KEY UPDATE SKIP LOCKED
            ) AS due
            WHERE client.tenant_id = due.tenant_id AND client.client_id = due.client_id
            RETURNING client.tenant_id, client.client_id
        """,  # noqa: S608 - no value is in it
        about="client",
        commands=("SELECT", "UPDATE"),
    )


# What goes across tenants; each answers with names or counts alone.
_QUESTIONS = (
    _claim("claim_due_clients", "ASC"),
    _claim("claim_newest_due_clients", "DESC"),
    question(
        "claim_due_portfolio",
        "lease interval",
        "SETOF text",
        """
            UPDATE portfolio SET leased_until = now() + lease
            FROM (
                SELECT tenant_id FROM portfolio WHERE due_at <= now() AND leased_until <= now()
                ORDER BY due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
            ) AS due
            WHERE portfolio.tenant_id = due.tenant_id
            RETURNING portfolio.tenant_id
        """,
        about="portfolio",
        commands=("SELECT", "UPDATE"),
    ),
    question(
        "all_tenants",
        "",
        "TABLE (tenant_id text, name text)",
        "SELECT tenant_id, name FROM tenant ORDER BY name",
        about="tenant",
    ),
    question(
        "due_clients",
        "most integer",
        "TABLE (clients bigint, seconds double precision)",
        """
            SELECT
                count(*),
                coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE isfinite(due_at))), 0)::double precision
            FROM (SELECT due_at FROM client WHERE due_at <= now() ORDER BY due_at LIMIT most) AS due
        """,
        about="client",
    ),
)


def upgrade() -> None:
    """Create them."""
    for statement in _STATEMENTS:
        op.execute(statement)
    for statements in (*map(isolate, _TABLES), *_QUESTIONS):
        for statement in statements:
            op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for name, arguments, table, commands in (
        ("due_clients", "integer", "client", ("select",)),
        ("all_tenants", "", "tenant", ("select",)),
        ("claim_due_portfolio", "interval", "portfolio", ("select", "update")),
        ("claim_newest_due_clients", "integer, interval", "client", ("select", "update")),
        ("claim_due_clients", "integer, interval", "client", ("select", "update")),
    ):
        op.execute(f"DROP FUNCTION {name}({arguments})")
        for command in commands:
            op.execute(f"DROP POLICY {name}_{command} ON {table}")
    for name in ("portfolio", "portfolio_share", "assessment"):
        op.execute(f"DROP TABLE {name}")
