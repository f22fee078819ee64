"""What the rules for migrations find, and what they let pass."""

import pytest

from tests.store.unsafe_sql import unsafe


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX i ON event (tenant_id, time)",
        "create unique index i on event (tenant_id)",
        "CREATE INDEX IF NOT EXISTS i ON event (tenant_id)",
        "DROP INDEX event_by_time",
        "DROP INDEX IF EXISTS event_by_time",
        "REINDEX TABLE event",
        "REFRESH MATERIALIZED VIEW v",
        "ALTER TABLE event ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()",
        "ALTER TABLE event ADD token uuid DEFAULT random()",
        "ALTER TABLE event ADD COLUMN seen timestamptz DEFAULT clock_timestamp()",
        "ALTER TABLE event ADD COLUMN n bigserial",
        "ALTER TABLE event ADD COLUMN n int GENERATED ALWAYS AS (length(id)) STORED",
        "ALTER TABLE event ADD COLUMN kind text NOT NULL",
        "ALTER TABLE event ALTER COLUMN data TYPE jsonb USING data::jsonb",
        "ALTER TABLE event ALTER data SET DATA TYPE jsonb",
        "ALTER TABLE client ALTER COLUMN name SET NOT NULL",
        "ALTER TABLE client ADD CONSTRAINT named CHECK (name <> '')",
        "ALTER TABLE client ADD CHECK (name <> '')",
        "ALTER TABLE event ADD CONSTRAINT f FOREIGN KEY (tenant_id) REFERENCES tenant",
        "ALTER TABLE client ADD CONSTRAINT u UNIQUE (tenant_id, name)",
        "ALTER TABLE client ADD PRIMARY KEY (tenant_id, name)",
        "ALTER TABLE client ADD EXCLUDE USING gist (name WITH =)",
        "ALTER TABLE client RENAME TO customer",
        "ALTER TABLE client RENAME COLUMN name TO title",
        "ALTER TABLE client DROP COLUMN name",
        "DROP TABLE client",
        "TRUNCATE TABLE checkpoint",
        "VACUUM FULL event",
        "CLUSTER event USING event_by_time",
        "ALTER TABLE event SET UNLOGGED",
        "LOCK TABLE event",
        "UPDATE client SET due_at = now()",
        "DELETE FROM checkpoint",
        "WITH old AS (SELECT 1) DELETE FROM event USING old",
    ],
)
def test_what_harms_a_table_in_use_is_found(statement: str):
    (fault,) = unsafe([f"\n  {statement}\n"])
    assert statement[:40] in fault


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE new (tenant_id text)", "CREATE INDEX i ON new (tenant_id)", "ALTER TABLE new ADD CHECK (true)"],
        ["CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON event (tenant_id)", "DROP INDEX CONCURRENTLY IF EXISTS j"],
        ["ALTER TABLE client ADD COLUMN due_at timestamptz NOT NULL DEFAULT '-infinity'"],
        ["ALTER TABLE client ADD COLUMN seen_at timestamptz"],
        ["ALTER TABLE client ADD COLUMN made_at timestamptz NOT NULL DEFAULT now()"],
        [
            "ALTER TABLE client ADD CONSTRAINT named CHECK (name IS NOT NULL) NOT VALID",
            "ALTER TABLE client VALIDATE CONSTRAINT named",
            "ALTER TABLE client ALTER COLUMN name SET NOT NULL",
        ],
        ["ALTER TABLE client ADD CONSTRAINT u UNIQUE USING INDEX i"],
        ["ALTER TABLE event ENABLE ROW LEVEL SECURITY", "CREATE POLICY tenant ON event USING (true)"],
        [
            "UPDATE alembic_version SET version_num='2' WHERE version_num = '1'",
            "INSERT INTO alembic_version VALUES ('1')",
        ],
        ["-- safe: nothing was ever stored in it\nALTER TABLE erasure ADD CHECK (digest <> '')"],
        ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
    ],
)
def test_what_harms_none_is_let_pass(statements: list[str]):
    assert unsafe(statements) == []
