"""Stored assessments and portfolios, and how a worker finds what is due."""

from alembic import op

revision = "0006"
down_revision = "0008"
branch_labels = None
depends_on = None

_CLAIM = """
    UPDATE client SET due_at = now() + lease
    FROM (
        SELECT tenant_id, client_id FROM client WHERE due_at <= now()
        ORDER BY due_at {way} LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    ) AS due
    WHERE client.tenant_id = due.tenant_id AND client.client_id = due.client_id
    RETURNING client.tenant_id, client.client_id
"""


def _function(name: str, returns: str, statement: str) -> str:
    return f"""
        CREATE FUNCTION {name} RETURNS {returns} LANGUAGE plpgsql AS $body$
        #variable_conflict use_column
        BEGIN
            RETURN QUERY {statement};
        END
        $body$
    """


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
    "CREATE INDEX client_due ON client (due_at)",
    "CREATE INDEX client_due_by_tenant ON client (tenant_id, due_at)",
    'CREATE INDEX client_by_name ON client (tenant_id, (coalesce(name, client_id) COLLATE "C"), client_id COLLATE "C")',
    # The questions that go across tenants; each answers with names or numbers alone.
    _function(
        "claim_due_clients(most integer, lease interval)",
        "TABLE (tenant_id text, client_id text)",
        _CLAIM.format(way="ASC"),
    ),
    _function(
        "claim_newest_due_clients(most integer, lease interval)",
        "TABLE (tenant_id text, client_id text)",
        _CLAIM.format(way="DESC"),
    ),
    _function(
        "claim_due_portfolio(lease interval)",
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
    ),
    _function(
        "due_clients(most integer)",
        "TABLE (clients bigint, seconds double precision)",
        """
        SELECT count(*), coalesce(
            extract(epoch FROM now() - min(due_at) FILTER (WHERE isfinite(due_at)))::double precision, 0
        )
        FROM (SELECT due_at FROM client WHERE due_at <= now() ORDER BY due_at LIMIT most) AS due
        """,
    ),
    _function(
        "all_tenants()",
        "TABLE (tenant_id text, name text)",
        "SELECT tenant_id, name FROM tenant ORDER BY name",
    ),
)


def upgrade() -> None:
    """Create them."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for name in (
        "due_clients(integer)",
        "claim_due_portfolio(interval)",
        "claim_due_clients(integer, interval, boolean)",
    ):
        op.execute(f"DROP FUNCTION {name}")
    for name in ("client_by_name", "client_due_by_tenant", "client_due"):
        op.execute(f"DROP INDEX {name}")
    for name in ("portfolio", "portfolio_share", "assessment"):
        op.execute(f"DROP TABLE {name}")
