"""Webhooks: what is asked for, what signs, how far each has come, and what was delivered."""

from alembic import op

from app.store.isolation import isolate, question, question_also

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE webhook (
        tenant_id text NOT NULL,
        webhook_id text NOT NULL,
        url text NOT NULL,
        description text NOT NULL,
        types text[] NOT NULL,
        verdicts text[] NOT NULL,
        client_types text[] NOT NULL,
        aspects text[] NOT NULL,
        sources text[] NOT NULL,
        state text NOT NULL,
        created_at timestamptz NOT NULL,
        revision bigint NOT NULL,
        disabled_at timestamptz,
        disabled_reason text,
        PRIMARY KEY (tenant_id, webhook_id)
    )
    """,
    *isolate("webhook"),
    """
    CREATE TABLE webhook_secret (
        tenant_id text NOT NULL,
        webhook_id text NOT NULL,
        number integer NOT NULL,
        value text NOT NULL,
        created_at timestamptz NOT NULL,
        ends_at timestamptz,
        PRIMARY KEY (tenant_id, webhook_id, number)
    )
    """,
    *isolate("webhook_secret"),
    # Written again and again, and none of its indexed columns: there is to be room beside it.
    """
    CREATE TABLE webhook_progress (
        tenant_id text NOT NULL,
        webhook_id text NOT NULL,
        place bigint NOT NULL,
        beyond bigint[] NOT NULL DEFAULT '{}',
        last_number bigint NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT 'infinity',
        owner text,
        owned_until timestamptz NOT NULL DEFAULT '-infinity',
        asked bigint NOT NULL DEFAULT 0,
        failures integer NOT NULL DEFAULT 0,
        failing_since timestamptz,
        paused_until timestamptz,
        troubled boolean NOT NULL DEFAULT false,
        delivered_at timestamptz,
        PRIMARY KEY (tenant_id, webhook_id)
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX webhook_progress_of_owner ON webhook_progress (owner) WHERE owner IS NOT NULL",
    *isolate("webhook_progress"),
    """
    CREATE TABLE webhook_delivery (
        tenant_id text NOT NULL,
        webhook_id text NOT NULL,
        number bigint NOT NULL,
        message_id text NOT NULL,
        type text NOT NULL,
        place bigint,
        client_id text,
        payload text,
        state text NOT NULL,
        tries integer NOT NULL DEFAULT 0,
        attempts text NOT NULL DEFAULT '[]',
        due_at timestamptz,
        created_at timestamptz NOT NULL,
        ended_at timestamptz,
        PRIMARY KEY (tenant_id, webhook_id, number)
    )
    """,
    """
    CREATE INDEX webhook_delivery_open ON webhook_delivery (tenant_id, webhook_id, state, number)
    WHERE state <> 'delivered'
    """,
    """
    CREATE INDEX webhook_delivery_of_client ON webhook_delivery (tenant_id, client_id, webhook_id, number)
    WHERE client_id IS NOT NULL
    """,
    "CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL",
    *isolate("webhook_delivery"),
    # Those with something to do, which no worker has.
    *question(
        "claim_webhooks",
        "who text, most integer, lease interval",
        "TABLE (tenant_id text, webhook_id text)",
        """
        UPDATE webhook_progress AS mine SET owner = who, owned_until = now() + lease
        FROM (
            SELECT free.tenant_id, free.webhook_id
            FROM webhook_progress AS free
            JOIN webhook AS one ON one.tenant_id = free.tenant_id AND one.webhook_id = free.webhook_id
            LEFT JOIN change_feed AS feed ON feed.tenant_id = free.tenant_id
            WHERE one.state = 'enabled' AND free.owned_until <= now()
                AND (free.due_at <= now() OR (free.paused_until IS NULL AND feed.place > free.place))
            ORDER BY free.owned_until LIMIT most FOR UPDATE OF free SKIP LOCKED
        ) AS found
        WHERE mine.tenant_id = found.tenant_id AND mine.webhook_id = found.webhook_id
        RETURNING mine.tenant_id, mine.webhook_id
        """,
        about="webhook_progress",
        commands=("SELECT", "UPDATE"),
    ),
    question_also("claim_webhooks", "webhook"),
    question_also("claim_webhooks", "change_feed"),
    # Only what is still had: whoever comes too late may not know that another one has had it meanwhile.
    *question(
        "renew_webhooks",
        "who text, lease interval",
        "TABLE (tenant_id text, webhook_id text, asked bigint)",
        """
        UPDATE webhook_progress AS mine SET owned_until = now() + lease
        WHERE mine.owner = who AND mine.owned_until > now()
        RETURNING mine.tenant_id, mine.webhook_id, mine.asked
        """,
        about="webhook_progress",
        commands=("SELECT", "UPDATE"),
    ),
    *question(
        "release_webhooks",
        "who text",
        "TABLE (tenant_id text, webhook_id text)",
        """
        UPDATE webhook_progress AS mine SET owner = NULL, owned_until = '-infinity'
        WHERE mine.owner = who
        RETURNING mine.tenant_id, mine.webhook_id
        """,
        about="webhook_progress",
        commands=("SELECT", "UPDATE"),
    ),
    # For those who watch: how many there are, what waits, and for how long the oldest has.
    *question(
        "webhook_figures",
        "most integer",
        "TABLE (state text, troubled boolean, webhooks bigint, waiting bigint, seconds double precision)",
        """
        SELECT one.state, had.troubled, count(*),
            sum(greatest(coalesce(feed.place, 0) - had.place, 0) + pending.deliveries)::bigint,
            greatest(
                0, extract(epoch FROM now() - min(least(pending.due_at, behind.at)))
            )::double precision
        FROM webhook AS one
        JOIN webhook_progress AS had ON had.tenant_id = one.tenant_id AND had.webhook_id = one.webhook_id
        LEFT JOIN change_feed AS feed ON feed.tenant_id = one.tenant_id
        LEFT JOIN LATERAL (
            SELECT change.at FROM assessment_change AS change
            WHERE change.tenant_id = one.tenant_id AND change.place > had.place
            ORDER BY change.place LIMIT 1
        ) AS behind ON one.state = 'enabled'
        CROSS JOIN LATERAL (
            SELECT count(*) AS deliveries, min(few.due_at) AS due_at FROM (
                SELECT delivery.due_at FROM webhook_delivery AS delivery
                WHERE delivery.tenant_id = one.tenant_id AND delivery.webhook_id = one.webhook_id
                    AND delivery.state = 'pending'
                LIMIT most
            ) AS few
        ) AS pending
        GROUP BY one.state, had.troubled
        """,
        about="webhook",
    ),
    question_also("webhook_figures", "webhook_progress"),
    question_also("webhook_figures", "webhook_delivery"),
    question_also("webhook_figures", "change_feed"),
    question_also("webhook_figures", "assessment_change"),
    *question(
        "tenants_with_old_deliveries",
        "days integer, most integer",
        "TABLE (tenant_id text)",
        """
        SELECT DISTINCT old.tenant_id FROM (
            SELECT tenant_id FROM webhook_delivery WHERE ended_at < now() - make_interval(days => days)
            ORDER BY ended_at LIMIT most
        ) AS old
        """,
        about="webhook_delivery",
    ),
)


def upgrade() -> None:
    """Create the tables, and the questions of those who deliver."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP POLICY claim_webhooks_select ON change_feed")
    op.execute("DROP POLICY webhook_figures_select ON change_feed")
    op.execute("DROP POLICY webhook_figures_select ON assessment_change")
    op.execute("DROP FUNCTION claim_webhooks(text, integer, interval)")
    op.execute("DROP FUNCTION renew_webhooks(text, interval)")
    op.execute("DROP FUNCTION release_webhooks(text)")
    op.execute("DROP FUNCTION webhook_figures(integer)")
    op.execute("DROP FUNCTION tenants_with_old_deliveries(integer, integer)")
    for table in ("webhook_delivery", "webhook_progress", "webhook_secret", "webhook"):
        op.execute(f"DROP TABLE {table}")
